"""The lab of the fault matrix, and its table at the end of the tests."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import bed as beds
from tests.lab.conftest import hosts, lab, lab_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

__all__ = ["hosts", "lab", "lab_kernel"]

LONG = bool(os.environ.get("KUBELB_TEST_LONG"))
"""Whether each fault is provoked several times, and pytest gets a hundred signals at random moments and at lines."""
ROUNDS = range(3 if LONG else 1)


@dataclasses.dataclass
class Row:
    """What became of one fault, all its rounds together."""

    times: int = 0
    lost: int = 0
    leftovers: int = 0
    ended: str = ""
    notice_s: list[float] = dataclasses.field(default_factory=list)

    def add(self, *, lost: int, left: int, ended: str, notice_s: float | None) -> None:
        """Add one round; `notice_s` is None where nobody is there to notice."""
        self.times += 1
        self.lost += lost
        self.leftovers += left
        self.ended = ended
        if notice_s is not None:
            self.notice_s.append(notice_s)

    def join(self, other: Row) -> None:
        """Add the rounds of another worker."""
        self.times += other.times
        self.lost += other.lost
        self.leftovers += other.leftovers
        self.ended = other.ended
        self.notice_s += other.notice_s


SEEN: pytest.StashKey[dict[str, Row]] = pytest.StashKey()


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory, lab: Lab, hosts: Hosts) -> Iterator[beds.Bed]:
    """The lab with the ways to it that faults need."""
    with beds.made(tmp_path_factory.mktemp("bed"), lab, hosts) as made:
        yield made


@pytest.fixture
def table(request: pytest.FixtureRequest) -> dict[str, Row]:
    """The table that is printed in the end."""
    return request.config.stash.setdefault(SEEN, {})


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand this worker's part of the table over, where there are workers."""
    if hasattr(session.config, "workeroutput"):
        rows = session.config.stash.get(SEEN, {})
        session.config.workeroutput["faults"] = {name: vars(row) for name, row in rows.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Join a worker's part to the table."""
    table = node.config.stash.setdefault(SEEN, {})
    for name, fields in getattr(node, "workeroutput", {}).get("faults", {}).items():
        table.setdefault(name, Row()).join(Row(**fields))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was seen of each fault that was provoked."""
    table = config.stash.get(SEEN, {})
    if not any(row.times for row in table.values()):
        return
    terminalreporter.section("faults")
    width = max(map(len, table))
    terminalreporter.line(f"{'fault':{width}}  times  runs lost  leftovers  ended    seconds to notice")
    for name, row in table.items():
        noticed = row.notice_s
        seconds = f"{min(noticed):.1f}-{max(noticed):.1f}" if len(noticed) > 1 else f"{sum(noticed):.1f}"
        shown = seconds if noticed else "-"
        terminalreporter.line(
            f"{name:{width}}  {row.times:5}  {row.lost:9}  {row.leftovers:9}  {row.ended:7}  {shown:>17}"
        )
