"""--kubelb-resume refuses what would put runs together that are not of one kind, and names it."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record.lines import SessionStart

from .stopping import per_group, record_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]


REFUSED = {
    "--kubelb-runs=4": "it was measured with --kubelb-runs 3, and now it is 4 (--kubelb-runs)",
    "--kubelb-duration=2s": "--kubelb-duration 1s, and now it is 2s",
    "--kubelb-connections=900": "--kubelb-connections auto:80, and now it is 900",
    "--kubelb-threads=4": "and now it is 4 (--kubelb-threads)",
    "--kubelb-warmup=2": "--kubelb-warmup 1, and now it is 2",
    "--kubelb-passes=2": "--kubelb-passes 1, and now it is 2",
    "--kubelb-max-runs=9": "--kubelb-max-runs not given, and now it is 9",
    "--kubelb-order=block": "--kubelb-order paired, and now it is block",
    "--kubelb-pods=1-5": "ipvs-pods05 is none of the points that it was going to measure",
    "--kubelb-overlay=host-gw": "ipvs-pods01 is none of the points",
}


def test_settings_of_the_runs_that_differ_are_named_and_refused(
    measure: Run, pytester: pytest.Pytester
) -> None:
    measure(stop="SIGKILL", at=6)
    before = record_of(pytester.path).read_bytes()
    for word, said in REFUSED.items():
        result = measure("--kubelb-resume=latest", word)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert said in result.stderr.str()
        assert record_of(pytester.path).read_bytes() == before


def test_a_minute_is_sixty_seconds(measure: Run) -> None:
    measure("--kubelb-duration=60s", stop="SIGKILL", at=6)
    assert measure("--kubelb-duration=1m", "--kubelb-resume").ret == pytest.ExitCode.TESTS_FAILED


def test_a_marker_that_changes_the_runs_of_an_item_is_named_and_refused(
    measure: Run, pytester: pytest.Pytester
) -> None:
    measure(stop="SIGKILL", at=6)
    (pytester.path / "benches" / "test_rps.py").write_text(
        "import pytest\n@pytest.mark.kubelb(runs=2)\ndef test_rps(wrk): wrk()\n"
    )
    result = measure("--kubelb-resume")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ipvs-pods01 was measured with 3 runs, and now a marker asks for 2*"])


def test_another_testbed_is_refused_by_the_field_that_differs(
    measure: Run, pytester: pytest.Pytester
) -> None:
    measure(stop="SIGKILL", at=6)
    kernel = measure("--kubelb-resume", KERNEL="Linux 6.2")
    kernel.stdout.fnmatch_lines(["*kernel of k11 was Linux 6.1, and now it is Linux 6.2*"])
    kernel.assert_outcomes(passed=1, errors=1, skipped=2)
    lab = measure("--kubelb-resume", LAB_KERNEL="qemu")
    lab.stdout.fnmatch_lines(["*lab_kernel was uml, and now it is qemu*"])
    measure("--kubelb-resume").assert_outcomes(passed=3, failed=1)
    assert per_group(pytester.path) == {(1, 1): 4, (2, 1): 1, (2, 2): 4, (3, 1): 4, (4, 1): 4}


def test_two_writers_are_refused_with_who_has_the_record(measure: Run, pytester: pytest.Pytester) -> None:
    measure(stop="SIGKILL", at=6)
    record = record_of(pytester.path)
    before = record.read_bytes()
    with record.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        named = measure(f"--kubelb-resume={record.parent.name}")
        latest = measure("--kubelb-resume")
    assert named.ret == latest.ret == pytest.ExitCode.USAGE_ERROR
    said = (
        f"is still being written, by the process {os.getpid()} on {os.uname().nodename}: wait until that ends"
    )
    assert said in named.stderr.str()
    assert "has a point left to measure" in latest.stderr.str()
    assert record.read_bytes() == before


NO_SESSION = {
    "2019": "No session or tag is called '2019'",
    "benches": "No session or tag is called 'benches'",
    "latest": "No session of * has a point left to measure",
    "20260101": "does not say what it was going to measure",
}


def test_what_is_no_session_to_go_on_with_is_refused(measure: Run, pytester: pytest.Pytester) -> None:
    folder = pytester.path / ".kubelb" / "20260101T000000Z-0000"
    folder.mkdir(parents=True)
    start = SessionStart(folder.name, "2026-01-01T00:00:00Z", {}, {})
    (folder / "record.jsonl").write_text(json.dumps({"kind": "session", **start.to_json()}) + "\n")
    for word, said in NO_SESSION.items():
        result = measure(f"--kubelb-resume={word}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*{said}*"])
