"""--kubelb-resume refuses what would put runs together that are not of one kind, and names it."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.settings import packaged_inventory

from .stopping import per_group, record_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]


NIC_DROPS = '[limits]\nnic_drops = "0.02%"\n'
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


def test_the_tolerance_is_named_and_refused_where_it_decides_how_many_runs_are_made(
    measure: Run, pytester: pytest.Pytester
) -> None:
    words = ("--kubelb-max-runs=4", "--kubelb-resume")
    measure(words[0], stop="SIGKILL", at=6)
    before = record_of(pytester.path).read_bytes()
    refused = measure(*words, "--kubelb-tolerance=60%")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert "--kubelb-tolerance 5%, and now it is 60% (--kubelb-tolerance)" in refused.stderr.str()
    assert record_of(pytester.path).read_bytes() == before
    # Nobody asks how well the mean is known, so what is known of the baseline makes no run more or less.
    fit = measure(*words, "--kubelb-tolerance=0.05", "--kubelb-baseline=last:5")
    fit.assert_outcomes(passed=3, failed=1)


def test_the_baseline_is_named_and_refused_where_it_decides_how_many_runs_are_made(measure: Run) -> None:
    words = ("--kubelb-precision=1%", "--kubelb-max-runs=4")
    measure(*words, stop="SIGKILL", at=6)
    refused = measure(*words, "--kubelb-resume", "--kubelb-baseline=last:5")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert "--kubelb-baseline not given, and now it is last:5 (--kubelb-baseline)" in refused.stderr.str()


def described(root: Path, more: str = "") -> None:
    """Lay an inventory beside the benches: the lab's with `more` in place of its limits."""
    before, limits, after = packaged_inventory().read_text().partition("[limits]\n")
    after = after[after.index("[defaults]") :]
    assert limits
    for name in ("ssh_config", "kubeconfig"):
        (root / name).touch()
    (root / "kubelb.toml").write_text(f"{before}{more}\n{after}")


OTHER_VALIDITY = {
    '[limits]\nstalled = "9%"': "limits.nic_drops was 0.02%, and now it is the default",
    '[limits]\nnic_drops = "0.03%"': "limits.nic_drops was 0.02%, and now it is 0.03%",
    '[limits]\nnic_drops = "off"': "limits.nic_drops was 0.02%, and now it is off",
    '[limits]\nnic_drops = "0.02%"\nthrottled = 3': "limits.throttled was the default, and now it is 3",
    f'{NIC_DROPS}[evidence]\nroles = ["benchmarker"]': (
        "evidence.roles was benchmarker, load_balancer, workers, and now it is benchmarker"
    ),
    f"{NIC_DROPS}[evidence]\nroles = []": (
        "evidence.roles was benchmarker, load_balancer, workers, and now it is none"
    ),
}


def test_what_decides_which_runs_are_valid_is_named_and_refused(
    measure: Run, pytester: pytest.Pytester
) -> None:
    described(pytester.path, NIC_DROPS)
    measure(stop="SIGKILL", at=6)
    before = record_of(pytester.path).read_bytes()
    for more, said in OTHER_VALIDITY.items():
        described(pytester.path, more)
        result = measure("--kubelb-resume")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert f"cannot be gone on with: {said}; do as then" in result.stderr.str()
        assert record_of(pytester.path).read_bytes() == before
    # Spelled otherwise, or the default spelled out, it is the same.
    roles = '["workers", "load_balancer", "benchmarker"]'
    described(pytester.path, f'[limits]\nnic_drops = "0.020%"\nstalled = "5%"\n[evidence]\nroles = {roles}')
    measure("--kubelb-resume").assert_outcomes(passed=3, failed=1)


def test_a_record_of_before_they_were_in_it_is_gone_on_with(measure: Run, pytester: pytest.Pytester) -> None:
    described(pytester.path)
    measure(stop="SIGKILL", at=6)
    record = record_of(pytester.path)
    first, rest = record.read_text().split("\n", 1)
    start = json.loads(first)
    del start["facts"]["limits"], start["facts"]["evidence"]
    record.write_text(f"{json.dumps(start)}\n{rest}")
    described(pytester.path, f"{NIC_DROPS}[evidence]\nroles = []")
    measure("--kubelb-resume").assert_outcomes(passed=3, failed=1)


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
