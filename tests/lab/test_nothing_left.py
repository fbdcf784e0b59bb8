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
from tests.lab.traces import traces, wait_for

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
# A session of four points takes about 18 s; the lab is up after 3-4 s of them. Ten moments in CI.
MOMENTS = int(os.environ.get("KUBELB_TEST_KILLS", "10"))
LONGEST_S = 16.0
SEED = int(os.environ.get("KUBELB_TEST_SEED", time.time_ns() % 10**9))

pytestmark = pytest.mark.usefixtures("lab_kernel")


@pytest.fixture
def rootdir(tmp_path: Path) -> Path:
    """A project with one bench."""
    (tmp_path / "test_rps.py").write_text(BENCH)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@pytest.fixture
def before() -> dict[str, object]:
    """The machine before the session."""
    return traces()


def start(rootdir: Path) -> subprocess.Popen[bytes]:
    with (rootdir / "output").open("wb") as output:
        return subprocess.Popen(COMMAND, cwd=rootdir, stdout=output, stderr=subprocess.STDOUT)


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
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        victim = holder_of(process) if kind == "holder" else process.pid
        if victim is not None:
            os.kill(victim, signal.SIGKILL if kind in ("KILL", "holder") else signal.Signals[f"SIG{kind}"])
    end(process)
    assert wait_for(before) == before, (rootdir / "output").read_text()
    output = (rootdir / "output").read_text()
    assert "Traceback (most recent call last)" not in output, output
    assert "INTERNALERROR" not in output, output
    samples(rootdir)  # raises when a line is corrupt


def test_a_session_that_ends_by_itself_leaves_nothing(rootdir: Path, before: dict[str, object]) -> None:
    # A wide tolerance: what is tested is not whether this machine is quiet.
    process = subprocess.run(
        [*COMMAND, "--kubelb-tolerance=100%"], cwd=rootdir, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout
    assert wait_for(before) == before
    assert len([line for line in samples(rootdir) if type(line).__name__ == "Sample"]) == 4 * 3


def test_two_labs_at_once_do_not_disturb_each_other(rootdir: Path, before: dict[str, object]) -> None:
    command = [*COMMAND, "--kubelb-tolerance=100%", "--kubelb-pods=3", "--kubelb-runs=1", "-k"]
    both = [
        subprocess.Popen([*command, backend], cwd=rootdir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for backend in ("ipvs", "proxy")
    ]
    said = [process.communicate(timeout=120)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert wait_for(before) == before


def test_a_lab_by_hand_serves_sessions_one_at_a_time_and_goes_down_whole(
    rootdir: Path, before: dict[str, object]
) -> None:
    lab = launch.start("by-hand-in-a-test", tied=False)
    try:
        held = state.claim(lab.folder)
        assert held is not None
        assert state.claim(lab.folder) is None
        os.close(held)
    finally:
        launch.stop(lab)
    assert wait_for(before) == before
    assert rootdir.is_dir()
