"""The tuning of all hosts of a session: to a profile, and back to how they were found. Touches those hosts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_kubelb.backends.base import Remote, run_script
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.pools import pool
from pytest_kubelb.testbed import journal
from pytest_kubelb.tuning import surroundings
from pytest_kubelb.tuning.answer import PATH_LINE
from pytest_kubelb.tuning.drift import Suspects, differing, drift
from pytest_kubelb.tuning.knobs import Knobs
from pytest_kubelb.tuning.profile import NONE, Profile
from pytest_kubelb.tuning.tuned_host import HostTuning, TunedHost

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pytest_kubelb.record.finding import Finding
    from pytest_kubelb.tuning.surroundings import Surroundings

    OnEvent = Callable[[str, Mapping[str, object]], None]  # the name of what happened, and its details

_T = TypeVar("_T")


class HasSettings(Protocol):
    """A reading of a host that holds settings, under the names of `places`."""

    @property
    def settings(self) -> Mapping[str, str]:
        """Name -> value."""


class Tuner:
    """Where the hosts' knobs are, and how to get them elsewhere. Not for use by several threads."""

    def __init__(self, hosts: Mapping[str, Remote], session: str, on_event: OnEvent) -> None:
        """`hosts` are those that may be tuned, and those that tell which NIC leads to them. Touches nothing."""
        self._hosts = hosts
        self._session = session
        self._on_event = on_event
        self._tuned = {name: TunedHost(remote, session) for name, remote in hosts.items()}
        self._surroundings: dict[str, Surroundings] = {}
        self._now: dict[str, HostTuning] = {}
        self._profile = NONE

    @property
    def profile(self) -> str:
        """Name of the profile that the hosts were last brought to."""
        return self._profile

    def refuse_leftovers(self) -> None:
        """Raise TestbedError when a session before, or beside, this one has changed any host. Changes nothing."""
        lines = surroundings.QUESTION
        found = _each(self._hosts, lambda name: surroundings.parse(run_script(self._hosts[name], lines)))
        for host, seen in found.items():
            journal.refuse(host, seen.listing, self._session)
        self._surroundings = found

    def apply(self, profile: Profile) -> Mapping[str, HostTuning]:
        """Bring every host to `profile`, from wherever it is, changing only what differs; what the kernels took.

        What an earlier profile changed and this one does not is put back. Hosts that no profile changed yet are not
        asked. Raises TestbedError when a host cannot be read or written, or cannot do what is `required`.
        """
        started = time.monotonic()
        involved = {
            name: profile.by_host.get(name, Knobs())
            for name in self._hosts
            if name in profile.by_host or name in self._now
        }
        for host in profile.by_host:
            if host not in self._hosts:
                raise TestbedError(
                    f"tuning {profile.name} is for host {host}, which this session does not use"
                )
        if not involved:
            self._profile = profile.name
            return {}
        if not self._surroundings:
            self.refuse_leftovers()
        nics = {name: self._nic(name, knobs) for name, knobs in involved.items()}

        def one(name: str) -> HostTuning:
            return self._tuned[name].apply(involved[name], nics[name])

        for name in involved:
            self._now.setdefault(name, HostTuning())  # from here on it may have changed, whatever comes of it
        self._now.update(_each(involved, one))
        self._profile = profile.name
        for name in involved:
            tuning = self._now[name]
            self._on_event(
                "tuned",
                {
                    "host": name,
                    "profile": profile.name,
                    "settings": dict(tuning.settings),
                    "changed": {setting: list(values) for setting, values in tuning.changed.items()},
                    "unsupported": dict(tuning.unsupported),
                    "seconds": round(time.monotonic() - started, 4),
                },
            )
        return {name: self._now[name] for name in involved}

    def expected(self, host: str) -> Mapping[str, str]:
        """Give the settings that have to stay as they are on a host, as read back: name -> value."""
        return self._now[host].expected if host in self._now else {}

    def verify(self) -> tuple[Finding, ...]:
        """Ask every tuned host whether it is still as tuning left it, one round trip each, in parallel."""
        found = _each(self._now, lambda host: self._verified(host, {}))
        return tuple(finding for finding in found.values() if finding is not None)

    def drifts(self, readings: Mapping[str, HasSettings]) -> tuple[Finding, ...]:
        """Judge the settings that somebody else has read: one finding for each host that drifted.

        Only a host of which the readings do not show that everything is as it was set is asked itself, who did it
        included: one that drifted, that has channels, rings or coalescing set, or that was not read. Raises
        TestbedError when such a host does not answer.
        """
        read = {host: readings[host].settings if host in readings else {} for host in self._now}
        doubtful = [host for host in self._now if differing(self.expected(host), read[host], complete=True)]
        found = _each(doubtful, lambda host: self._verified(host, read[host]))
        return tuple(finding for finding in found.values() if finding is not None)

    def _verified(self, host: str, read: Mapping[str, str]) -> Finding | None:
        """Ask a host, and judge what it says together with the settings that were `read` just before."""
        lines = [
            PATH_LINE, journal.NAMESPACE_LINE, *journal.LIST_LINES, *surroundings.DAEMONS_LINES,
            *self._tuned[host].question(),
        ]  # fmt: skip
        expected = self.expected(host)
        differed = {name: now for name, (_, now) in differing(expected, read).items()}
        try:
            text = run_script(self._hosts[host], lines)
        except TestbedError:
            if differed:  # it is told all the same, but not who did it
                return drift(host, expected, read)
            raise
        # What was different then and is right again was wrong all the same.
        settings = {**self._tuned[host].answer(text).settings, **differed}
        return drift(host, expected, settings, self._suspects(host, surroundings.parse(text)), complete=True)

    def _suspects(self, host: str, seen: Surroundings) -> Suspects:
        sessions = [each.session for each in seen.listing.journals]
        others = [each for each in sessions if each != self._session]
        ours = [each for each in seen.listing.journals if each.kind == journal.TUNING]
        gone = self._tuned[host].has_journal and self._session not in [each.session for each in ours]
        return Suspects((*others, *seen.listing.foreign), gone, seen.daemons)

    def restore(self) -> None:
        """Put every host back as it was found and remove its journal. Safe to call twice.

        Every host is tried; raises TestbedError that names each one that could not be put back.
        """
        touched = list(self._now)

        def one(name: str) -> tuple[str, ...]:
            put_back = self._tuned[name].restore()
            del self._now[name]
            return put_back

        for name, lines in _each(touched, one).items():
            self._on_event("tuning_restored", {"host": name, "changed": list(lines)})
        self._profile = NONE

    def _nic(self, host: str, knobs: Knobs) -> str:
        """Give the NIC to tune; empty where no knob needs one. Raises TestbedError."""
        if not knobs.needs_nic:
            return ""
        own = self._surroundings[host]
        others = [each for name, each in self._surroundings.items() if name != host]
        nic = knobs.nic or surroundings.nic_of(host, own, others)
        if nic not in own.links:
            raise TestbedError(
                f"host {host} has no NIC {nic!r} that its /sys shows as well; it has "
                f"{', '.join(sorted(own.links)) or 'none'}: name one of them as nic in the tuning profile"
            )
        return nic


def _each(names: Collection[str], do: Callable[[str], _T]) -> dict[str, _T]:
    """Do it for all names in parallel; raise the one error, or one that has the sentences of all."""
    if not names:
        return {}
    with pool(len(names), "kubelb-tuning") as executor:
        futures = {name: executor.submit(do, name) for name in names}
    failed = [error for future in futures.values() if (error := future.exception()) is not None]
    for error in failed:
        if not isinstance(error, TestbedError) or len(failed) == 1:
            raise error
    if failed:
        raise TestbedError("; ".join(map(str, failed)))
    return {name: future.result() for name, future in futures.items()}
