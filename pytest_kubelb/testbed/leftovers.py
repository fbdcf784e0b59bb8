"""What sessions that were killed left on one host: find it, put it back. Touches that host.

The journals on the host say what was there before (`testbed.journal`); its lock says whether somebody is using it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.backends.base import Remote, run_script
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import journal, locking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kubelb.testbed.journal import Journal, Listing

    PutBack = Callable[[Remote, Journal], Sequence[str]]


@dataclass(frozen=True)
class Restored:
    """What became of one place: a host, or the cluster."""

    place: str
    lines: tuple[str, ...] = ()
    """What was put back, for people."""
    problems: tuple[str, ...] = ()
    """What was not, one sentence each."""


@dataclass(frozen=True)
class Leftovers:
    """What one host has."""

    listing: Listing
    held_by: str
    """Who holds the host's lock, `identity since TIME`; empty for nobody."""
    has_lock_folder: bool = False
    """The lock's folder is there, which goes with the last session."""


def find(host: Remote) -> Leftovers:
    """Ask a host, one round trip. Raises TestbedError."""
    question = [journal.NAMESPACE_LINE, *journal.LIST_LINES, *locking.WHO_LINES]
    printed = run_script(host, question)
    journals, _, rest = printed.partition("@@lock\n")
    lock, _, folder = rest.partition("@@folder\n")
    return Leftovers(journal.parse_listing(journals.splitlines()[1:]), lock.strip(), bool(folder))


def put_back(host: Remote, found: Leftovers, still_running: Callable[[Journal], str]) -> Restored:
    """Put back what every session that has ended left there, the latest first.

    `still_running` gives the sentence for a session that has not ended, empty for one that has. What cannot be put back
    keeps its journal, and does not keep the rest from being put back.
    """
    lines: list[str] = []
    problems: list[str] = []
    for left in sorted(found.listing.journals, key=lambda each: each.since, reverse=True):
        try:
            if reason := still_running(left):
                raise TestbedError(reason)
            said = _by_kind(left)(host, left)
        except TestbedError as error:
            problems.append(str(error))
        else:
            lines.append(f"{journal.label(left)}, begun {left.since}: {_count(left, said)}")
            lines += [f"  {line}" for line in said]
    try:
        lines += _sweep(host) if found.has_lock_folder and not found.held_by else []
    except TestbedError as error:
        problems.append(str(error))
    problems += [
        f"{folder} is of another user's session; let that user restore it" for folder in found.listing.foreign
    ]
    problems += [f"{problem}; see what wrote it, and remove it by hand" for problem in found.listing.broken]
    return Restored(host.name, tuple(lines), tuple(problems))


def _sweep(host: Remote) -> list[str]:
    printed = run_script(host, [journal.NAMESPACE_LINE, *locking.SWEEP_LINES])
    return [f"lock of a session that is gone: {locking.ROOT} removed"] if printed.strip() else []


def _tuning(host: Remote, left: Journal) -> Sequence[str]:
    from pytest_kubelb.tuning.tuned_host import TunedHost

    return TunedHost.from_journal(host, left).restore()


def _ipvs(host: Remote, left: Journal) -> Sequence[str]:
    from pytest_kubelb.backends.ipvs import Ipvs

    return Ipvs.from_journal(host, left).put_back()


def _proxy(host: Remote, left: Journal) -> Sequence[str]:
    from pytest_kubelb.backends.proxy import Proxy

    return Proxy.from_journal(host, left).put_back()


def _load(host: Remote, left: Journal) -> Sequence[str]:
    from pytest_kubelb import measuring

    return measuring.put_back(host, left)


_KINDS: Final[Mapping[str, PutBack]] = {
    journal.TUNING: _tuning,
    journal.IPVS: _ipvs,
    journal.PROXY: _proxy,
    journal.LOAD: _load,
}


def _by_kind(left: Journal) -> PutBack:
    if left.kind not in _KINDS:
        raise TestbedError(
            f"session {left.session} left a journal of {left.kind!r}, which this version does not know; "
            "use the version that wrote it"
        )
    return _KINDS[left.kind]


def _count(left: Journal, said: Sequence[str]) -> str:
    if not said:
        return "everything was as it had been"
    word = "setting" if left.kind == journal.TUNING else "change"
    return f"{len(said)} {word}{'s' if len(said) > 1 else ''} put back"
