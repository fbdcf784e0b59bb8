"""A pytest session of its own process on the standing lab, and what its record says while it runs. Touches that lab."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Line = dict[str, Any]

LONGEST_S = 60.0
KUBELB = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"
BENCH = "def test_rps(wrk):\n    wrk()\n"
# The second run waits, its first readings made, until the fault is there: how long that takes decides nothing.
GATE = """
import pathlib, time, pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_kubelb_run_load(number):
    until = time.monotonic() + 60
    while number == 1 and not pathlib.Path("provoked").exists() and time.monotonic() < until:
        time.sleep(0.01)
    return (yield)
"""
OPTIONS = (
    "-p", "no:cacheprovider", "--kubelb-backend=ipvs", "--kubelb-pods=2,3", "--kubelb-order=paired",
    "--kubelb-runs=3", "--kubelb-warmup=0", "--kubelb-duration=1s", "--kubelb-connections=8",
    "--kubelb-tolerance=100%",
)  # fmt: skip


class Session:
    """One session, from its start to its end."""

    def __init__(self, folder: Path, inventory: Path, *options: str, waits: bool = False) -> None:
        """With `waits`, its second run begins when it is told to `go_on`."""
        folder.mkdir(exist_ok=True)
        if waits:
            (folder / "conftest.py").write_text(GATE)
        (folder / "test_rps.py").write_text(BENCH)
        (folder / "pytest.ini").write_text("[pytest]\n")
        self._folder = folder
        words = [sys.executable, "-m", "pytest", *OPTIONS, f"--kubelb-inventory={inventory}", *options]
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)

    def go_on(self) -> None:
        """Let a session that waits begin its second run."""
        (self._folder / "provoked").touch()

    @property
    def output(self) -> str:
        """What it has printed."""
        return (self._folder / "output").read_text(errors="replace")

    def lines(self) -> list[Line]:
        """Give what is in its record by now."""
        files = list(self._folder.glob(".kubelb/*/record.jsonl"))
        whole = (
            [line for line in files[0].read_text().splitlines(keepends=True) if line.endswith("\n")]
            if files
            else []
        )
        return [json.loads(line) for line in whole]

    def samples(self) -> list[Line]:
        """Give the runs that are in its record by now."""
        return [line for line in self.lines() if line["kind"] == "sample"]

    def says(self, pattern: str) -> int:
        """Tell how often the record, and what it printed, have these words by now."""
        texts = [*(text for line in self.lines() for text in _words(line)), self.output]
        return sum(len(re.findall(pattern, text)) for text in texts)

    def measures(self, number: int = 1) -> bool:
        """Tell whether so many runs are in its record; fails when it has ended before."""
        assert self.process.poll() is None, self.output
        return len(self.samples()) >= number

    def until(self, reached: Callable[[], object], timeout_s: float = LONGEST_S) -> float:
        """Return the seconds it took until `reached`; fails with what was printed when the session ended before."""
        began = time.monotonic()
        while not reached():
            ended = self.process.poll() is not None
            if ended and reached():
                break
            assert not ended, f"the session ended unnoticed: {self.output}"
            assert time.monotonic() - began < timeout_s, f"not within {timeout_s} s: {self.output}"
            time.sleep(0.05)
        return time.monotonic() - began

    def end(self, timeout_s: float = LONGEST_S) -> int:
        """Wait for its end and give its exit code."""
        try:
            return self.process.wait(timeout_s)
        finally:
            self.process.kill()
            self.process.wait()


def restore(inventory: Path) -> subprocess.CompletedProcess[str]:
    """Run `kubelb restore`, again where it says that the lock is held: that of a cut connection ends after a while."""
    words = [sys.executable, "-c", KUBELB, "restore", "--inventory", str(inventory)]
    deadline = time.monotonic() + LONGEST_S
    while True:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONGEST_S)
        if "wait for its end" not in done.stdout or time.monotonic() > deadline:
            return done
        time.sleep(1)


def _words(line: Line) -> list[str]:
    """Give what a line of the record says to people; a run has figures besides."""
    if line["kind"] == "event":
        return [json.dumps(line, ensure_ascii=False)]
    findings = [f"{each['signal']}: {each['sentence']}" for each in line.get("findings", ())]
    return [str(line.get("reason")), *findings]
