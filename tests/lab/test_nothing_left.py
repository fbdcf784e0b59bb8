"""However a session ends, nothing of its lab is left on this machine, and what was measured is on the disk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.lab import launch, state
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample
from tests.lab.traces import MARK, left_by, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

BENCH = "def test_rps(wrk):\n    wrk()\n"
COMMAND = [
    sys.executable,
    "-m",
    "pytest",
    "-p",
    "no:cacheprovider",
    "-q",
    "--kubelb-pods=1,3",
    "--kubelb-runs=2",
]
# A session takes 12 s inside wrk at the least; the lab is up after 3-4 s. Ten moments in CI.
MOMENTS = int(os.environ.get("KUBELB_TEST_KILLS", "10"))
LONGEST_S = 13.0
SEED = int(os.environ["KUBELB_TEST_SEED"])

pytestmark = pytest.mark.usefixtures("lab_kernel", "labs_of_their_own")


@pytest.fixture(scope="module")
def labs_of_their_own() -> Iterator[None]:
    """Keep the sessions of these tests out of a lab that somebody has up by hand."""
    standing = launch.find()
    claim = state.claim(standing.folder) if standing else None
    yield
    if claim is not None:
        os.close(claim)


@pytest.fixture
def rootdir(tmp_path: Path) -> Path:
    """A project with one bench."""
    (tmp_path / "test_rps.py").write_text(BENCH)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@pytest.fixture
def before() -> dict[str, object]:
    """The machine before the session."""
    return machine()


def start(rootdir: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a session whose every process carries the name of `rootdir` as its mark."""
    with (rootdir / "output").open("ab") as output:
        return subprocess.Popen(
            [*COMMAND, *options],
            cwd=rootdir,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, MARK: str(rootdir)},
        )


def end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()


def samples(rootdir: Path) -> list[object]:
    return [line for record in rootdir.glob(".kubelb/*/record.jsonl") for line in read_record(record)]


def holder_of(process: subprocess.Popen[bytes]) -> int | None:
    """Give the process that holds the lab's namespaces, which is a child of pytest."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in children.read_text().split() if children.exists() else []:
        if "pytest_kubelb.lab.holder" in Path(f"/proc/{child}/cmdline").read_text():
            return int(child)
    return None


def moments() -> Iterator[tuple[str, float]]:
    chosen = random.Random(SEED)  # noqa: S311 - printed in the test's id, so that a failure can be had again
    kinds = ["INT", "TERM", "KILL", "holder"]
    for number in range(MOMENTS):
        yield kinds[number % len(kinds)], round(chosen.uniform(0.2, LONGEST_S), 2)


@pytest.mark.parametrize(("kind", "after_s"), list(moments()))
def test_nothing_is_left_when_the_session_is_ended_at_any_moment(
    kind: str, after_s: float, rootdir: Path, before: dict[str, object]
) -> None:
    process = start(rootdir)
    if kind == "holder":
        while holder_of(process) is None:  # it takes pytest half a second to get there
            assert process.poll() is None, (rootdir / "output").read_text()
            time.sleep(0.01)
    time.sleep(after_s)
    victim = holder_of(process) if kind == "holder" else process.pid
    assert victim is not None, "the lab ended before its time"
    assert process.poll() is None, "the session ended before its time"
    os.kill(victim, signal.SIGKILL if kind in ("KILL", "holder") else signal.Signals[f"SIG{kind}"])
    assert end(process) != 0
    output = (rootdir / "output").read_text()
    assert left_by(process.pid, str(rootdir)) == [], output
    assert machine() == before, output
    assert "Traceback (most recent call last)" not in output, output
    assert "INTERNALERROR" not in output, output
    samples(rootdir)  # raises when a line is corrupt


def test_a_session_that_ends_by_itself_leaves_nothing(rootdir: Path, before: dict[str, object]) -> None:
    # A wide tolerance: what is tested is not whether this machine is quiet.
    process = start(rootdir, "--kubelb-tolerance=100%")
    assert end(process) == 0, (rootdir / "output").read_text()
    assert left_by(process.pid, str(rootdir), timeout_s=0) == []
    assert machine() == before
    assert len([line for line in samples(rootdir) if isinstance(line, Sample)]) == 4 * 3


def test_a_running_session_is_seen_by_these_tests_and_not_by_the_machines_network(
    rootdir: Path, before: dict[str, object]
) -> None:
    process = start(rootdir)
    deadline = time.monotonic() + 60
    while not samples(rootdir) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        left = left_by(process.pid, str(rootdir), timeout_s=0)
        assert any("linux.uml" in each or "sleep infinity" in each for each in left)
        assert any("/run/kubelb/session-" in each for each in left)
        assert machine() == before
    finally:
        process.kill()
        end(process)
    assert left_by(process.pid, str(rootdir)) == []


def test_two_labs_at_once_do_not_disturb_each_other(rootdir: Path, before: dict[str, object]) -> None:
    options = ["--kubelb-tolerance=100%", "--kubelb-pods=3", "--kubelb-runs=1", "-k"]
    both = [start(rootdir, *options, backend) for backend in ("ipvs", "proxy")]
    assert [end(process) for process in both] == [0, 0], (rootdir / "output").read_text()
    assert [left_by(process.pid, str(rootdir), timeout_s=0) for process in both] == [[], []]
    assert machine() == before


def test_a_lab_by_hand_serves_one_session_at_a_time_and_goes_down_whole(before: dict[str, object]) -> None:
    lab = launch.start("by-hand-in-a-test", tied=False)
    try:
        held = state.claim(lab.folder)
        assert held is not None
        assert state.claim(lab.folder) is None
        os.close(held)
    finally:
        launch.stop(lab)
    assert not lab.folder.exists()
    # A process that has ended and that nobody has asked for yet is a name, not a process.
    init = Path(f"/proc/{lab.facts.init_pid}/status")
    assert not init.exists() or "State:\tZ" in init.read_text()
    assert machine() == before
