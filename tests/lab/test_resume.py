"""A session in the lab that is killed in the middle of its sweep, and goes on: wrk, load balancer and all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record.lines import Verdict
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("lab_kernel")

RUNS = 2
SESSION = [
    *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
    *("--kubelb-pods=1,3", f"--kubelb-runs={RUNS}", "--kubelb-tolerance=100%"),
]
KILLED_AFTER = (1 + RUNS) + 2
"""Lines of runs in the record: a whole point, and a part of the next."""
PATIENCE_S = 180


def runs(record: Path) -> list[Sample]:
    return [line for line in read_record(record) if isinstance(line, Sample)]


def killed_in_its_second_point(root: Path) -> Path:
    """Start a sweep, kill it, and give its record."""
    with subprocess.Popen(SESSION, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as session:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and session.poll() is None:
            records = list(root.glob(".kubelb/*/record.jsonl"))
            if records and len(runs(records[0])) >= KILLED_AFTER:
                break
            time.sleep(0.05)
        session.send_signal(signal.SIGKILL)
    assert session.returncode == -signal.SIGKILL
    return records[0]


def test_a_sweep_that_was_killed_goes_on_and_has_every_point_once(tmp_path: Path) -> None:
    (tmp_path / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    record = killed_in_its_second_point(tmp_path)
    before = runs(record)
    done = subprocess.run(
        [*SESSION, "--kubelb-resume", "--kubelb-json=report.json", "--kubelb-html=report.html"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    kept = [line.split()[0] for line in done.stdout.splitlines() if line.endswith("kept from the record")]
    assert kept == ["ipvs-pods01"]
    after = runs(record)
    assert after[: len(before)] == before
    of_point = Counter((each.point["backend"], each.point["pods"], each.provisioning) for each in after)
    cut_off = before[-1].point["backend"], before[-1].point["pods"]
    assert of_point.pop((*cut_off, 1)) == len(before) - (1 + RUNS)
    assert of_point.pop((*cut_off, 2)) == 1 + RUNS
    assert set(of_point.values()) == {1 + RUNS}
    assert len(of_point) == 3
    assert sum(isinstance(line, Verdict) for line in read_record(record)) == 4
    report = json.loads((tmp_path / "report.json").read_text())
    assert {point["verdicts"][0]["verdict"] for point in report["points"]} <= {"repeatable", "inconclusive"}
    assert report["session"]["exit_code"] == 0
    assert (tmp_path / "report.html").stat().st_size > 10_000
