"""`kubelb restore`: put back what sessions that were killed left on the hosts. Touches the hosts of the inventory.

What each host was like is in journals on the host itself (see `testbed.journal`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError, TestbedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_kubelb.backends.base import Remote
    from pytest_kubelb.testbed.inventory import Inventory
    from pytest_kubelb.testbed.journal import Journal

ENVIRONMENT: Final = "KUBELB_INVENTORY"


@dataclass(frozen=True)
class Restored:
    """What became of one host."""

    host: str
    lines: tuple[str, ...] = ()
    """What was put back, for people."""
    problems: tuple[str, ...] = ()
    """What was not, one sentence each."""


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb restore`."""
    text = "put back what a killed session changed on the hosts; safe to run twice"
    parser = groups.add_parser("restore", help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument(
        "--inventory",
        type=Path,
        metavar="FILE",
        help=f"The testbed. Default: {ENVIRONMENT}, or the lab that is up.",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from pytest_kubelb.testbed.hosts import Hosts

    inventory = _inventory(arguments.inventory or os.environ.get(ENVIRONMENT))
    inventory.require_files()
    names = inventory.roles.hosts
    with Hosts(inventory.testbed.ssh_config, names) as hosts:
        outcomes = restore_all([hosts[name] for name in names])
    for outcome in outcomes:
        for line in outcome.lines:
            print(f"{outcome.host}: {line}")
        for problem in outcome.problems:
            print(f"{outcome.host}: NOT restored: {problem}")
    if not any(outcome.lines or outcome.problems for outcome in outcomes):
        print(f"nothing to put back on {len(outcomes)} hosts")
    return 1 if any(outcome.problems for outcome in outcomes) else 0


def _inventory(file: Path | str | None) -> Inventory:
    """Read the inventory; backends that it has from other plugins matter to nobody here. Raises ConfigError."""
    from pytest_kubelb.lab import launch
    from pytest_kubelb.testbed import inventory

    if file is not None:
        return inventory.load(Path(file), plugged_in=_backends(Path(file)))
    lab = launch.find()
    if lab is None:
        raise ConfigError(
            f"kubelb restore needs a testbed: name it with --inventory FILE or in {ENVIRONMENT}; no lab is up either."
        )
    return inventory.load(lab.inventory)


def _backends(file: Path) -> tuple[str, ...]:
    import tomllib

    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("backends")
    except (OSError, ValueError, RecursionError):  # said by who reads it next
        return ()
    return tuple(table) if isinstance(table, dict) else ()


def restore_all(hosts: Sequence[Remote]) -> list[Restored]:
    """Put back every host, in parallel; one that cannot be reached or restored does not keep the others."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max(1, len(hosts)), thread_name_prefix="kubelb-restore") as pool:
        return list(pool.map(restore, hosts))


def restore(host: Remote) -> Restored:
    """Put back what every session that has ended left on one host, the latest first."""
    from pytest_kubelb.backends.base import run_script
    from pytest_kubelb.testbed import journal

    lines: list[str] = []
    problems: list[str] = []
    try:
        text = run_script(host, [journal.NAMESPACE_LINE, *journal.LIST_LINES])
        listing = journal.parse_listing(text.splitlines()[1:])
    except TestbedError as error:
        return Restored(host.name, problems=(str(error),))
    for left in sorted(listing.journals, key=lambda each: each.since, reverse=True):
        try:
            put_back = _put_back(host, left)
        except TestbedError as error:
            problems.append(str(error))
        else:
            lines.append(f"{left.kind} of session {left.session}, begun {left.since}: {_count(put_back)}")
            lines += [f"  {line}" for line in put_back]
    problems += [
        f"{folder} is of another user's session; let that user restore it" for folder in listing.foreign
    ]
    problems += [f"{problem}; see what wrote it, and remove it by hand" for problem in listing.broken]
    return Restored(host.name, tuple(lines), tuple(problems))


def _put_back(host: Remote, left: Journal) -> tuple[str, ...]:
    from pytest_kubelb.testbed import journal
    from pytest_kubelb.tuning.tuned_host import TunedHost

    if journal.is_running(left):
        raise TestbedError(
            f"session {left.session} is still running here as process {left.process}; end it, and it puts back itself"
        )
    if left.kind != journal.TUNING:
        raise TestbedError(
            f"session {left.session} left a journal of {left.kind!r}, which this version does not know; "
            "use the version that wrote it"
        )
    return TunedHost.from_journal(host, left).restore()


def _count(put_back: Sequence[str]) -> str:
    if not put_back:
        return "everything was as it had been"
    return f"{len(put_back)} setting{'s' if len(put_back) > 1 else ''} put back"
