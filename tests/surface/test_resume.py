"""--kubelb-resume goes on where a session stopped, whatever stopped it: real pytest processes, killed for real."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from pytest_kubelb.record.lines import Event, SessionEnd, Verdict
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample

from .stopping import PER_POINT, kubelb, per_group, record_of, samples

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]


@pytest.mark.parametrize(
    ("stop", "at"),
    [
        *(("SIGKILL", at) for at in (1, PER_POINT, PER_POINT + 1, 4 * PER_POINT)),
        *(("break", at) for at in (1, 2, PER_POINT + 1, 4 * PER_POINT)),
        ("SIGTERM", PER_POINT + 3),
        ("SIGINT", 2 * PER_POINT + 1),
    ],
)
def test_whatever_stopped_a_session_each_point_is_finished_once(
    measure: Run, pytester: pytest.Pytester, stop: str, at: int
) -> None:
    measure(stop=stop, at=at)
    finished = (at - 1) // PER_POINT
    before = len(samples(pytester.path))
    result = measure(
        "--kubelb-resume", "--junitxml=out.xml", "--kubelb-json=out.json", "--kubelb-html=out.html"
    )
    # Two pods spread by more than the tolerance: a failure, kept or not.
    result.assert_outcomes(passed=3, failed=1)
    groups = per_group(pytester.path)
    judged = [
        line.point["pods"] for line in read_record(record_of(pytester.path)) if isinstance(line, Verdict)
    ]
    assert len(samples(pytester.path)) == before + (4 - finished) * PER_POINT
    for pods in (1, 2, 3, 4):
        assert max(count for (of, _), count in groups.items() if of == pods) == PER_POINT
        # The item under which the testbed breaks is judged by what it has, and that is not the last word on it.
        assert judged.count(pods) == 1 + (stop == "break" and pods == finished + 1)
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "out.xml").iter("testcase")}  # noqa: S314 - our own file
    kept = [
        name
        for name, case in cases.items()
        if any(each.get("name") == "kubelb_kept_from_record" for each in case.iter("property"))
    ]
    assert len(kept) == finished
    assert len(cases) == 4
    report = json.loads((pytester.path / "out.json").read_text())
    assert [len(point["runs"]) >= PER_POINT for point in report["points"]] == [True] * 4
    assert report["session"]["exit_code"] == 1
    assert len([line for line in result.outlines if line.endswith("kept from the record")]) == finished
    assert "resume with" not in result.stdout.str()


def test_what_was_cut_off_is_measured_anew_as_a_group_of_its_own_and_only_that_is_judged(
    measure: Run, pytester: pytest.Pytester
) -> None:
    stopped = measure(stop="SIGINT", at=2 * PER_POINT + 3)
    stopped.stdout.fnmatch_lines(["kubelb: 2 points are left; resume with: pytest *--kubelb-resume=2*Z-????"])
    in_hand = samples(pytester.path)[-1]
    assert (in_hand.validity, in_hand.reason) == ("failed", "interrupted by SIGINT while it ran")
    planned = measure("--kubelb-resume", "--kubelb-plan")
    planned.stdout.fnmatch_lines(
        [
            "kubelb resume: session *, 2 of 4 points are kept from its record: ipvs-pods01, ipvs-pods02.",
            "kubelb resume: cut off, and measured anew: backend=ipvs overlay=vxlan pods=3.",
            "1  ipvs-pods03  *",
            "2  ipvs-pods04  *",
            "kubelb plan: 2 points, 8 runs with warm-up, *",
        ]
    )
    measure("--kubelb-resume", "--kubelb-csv=out.csv").assert_outcomes(passed=3, failed=1)
    assert per_group(pytester.path) == {(1, 1): 4, (2, 1): 4, (3, 1): 3, (3, 2): 4, (4, 1): 4}
    gated = kubelb(pytester.path, "gate", "--on-inconclusive=pass", "--tolerance=20%")
    assert gated.returncode == 0, gated.stdout
    assert "3 runs of backend=ipvs overlay=vxlan pods=3 (provisioning 1) are in the record" in " ".join(
        gated.stdout.split()
    )
    assert "ipvs-pods03" in gated.stdout
    assert gated.stdout.count("3/3") == 4
    listed = kubelb(pytester.path, "history", "list")
    assert " failed " in listed.stdout
    assert " 19" in listed.stdout
    rows = (pytester.path / "out.csv").read_text().splitlines()
    assert sum(",abandoned," in row for row in rows) == 3
    # What the process before may have left on the testbed is not taken for our own.
    first, second = (pytester.path / "opened.txt").read_text().split()
    assert second == f"{first}-2"


def test_the_tolerance_is_a_judgement_and_may_differ(measure: Run, pytester: pytest.Pytester) -> None:
    measure(stop="SIGKILL", at=2 * PER_POINT + 1)
    measure("--kubelb-resume", "--kubelb-tolerance=60%", "--kubelb-json=out.json").assert_outcomes(passed=4)
    verdicts = [line for line in read_record(record_of(pytester.path)) if isinstance(line, Verdict)]
    assert [(each.point["pods"], each.verdict) for each in verdicts] == [
        *((1, "repeatable"), (2, "unrepeatable")),
        *((1, "repeatable"), (2, "repeatable"), (3, "repeatable"), (4, "repeatable")),
    ]
    report = json.loads((pytester.path / "out.json").read_text())
    assert [len(point["verdicts"]) for point in report["points"]] == [1] * 4
    gated = kubelb(pytester.path, "gate", "--on-inconclusive=pass")
    assert gated.returncode == 0, gated.stdout


def test_a_part_of_the_points_can_be_resumed_and_then_the_rest(
    measure: Run, pytester: pytest.Pytester
) -> None:
    measure(stop="SIGKILL", at=2)
    measure("--kubelb-resume", "-k", "pods03").assert_outcomes(passed=1)
    measure("--kubelb-resume", "--kubelb-pods=3,4").assert_outcomes(passed=2)
    result = measure("--kubelb-resume")
    result.assert_outcomes(passed=3, failed=1)
    assert [line.split()[0] for line in result.outlines if line.endswith("kept from the record")] == [
        "ipvs-pods03",
        "ipvs-pods04",
    ]
    assert per_group(pytester.path) == {(1, 1): 1, (1, 2): 4, (2, 1): 4, (3, 1): 4, (4, 1): 4}


def test_passes_are_kept_apart_and_further_provisionings_lie_beyond_them(
    measure: Run, pytester: pytest.Pytester
) -> None:
    words = ("--kubelb-passes=2", "--kubelb-pods=1,3")
    measure(*words, stop="SIGKILL", at=3 * PER_POINT - 1)
    measure(*words, "--kubelb-resume").assert_outcomes(passed=4)
    # The second pass visits in the same order with one backend: 1 in its first pass is whole, its second was cut off.
    assert per_group(pytester.path) == {(1, 1): 4, (3, 1): 4, (1, 2): 2, (1, 4): 4, (3, 2): 4}


def test_a_random_order_goes_on_in_the_recorded_order(measure: Run, pytester: pytest.Pytester) -> None:
    words = ("--kubelb-order=random", "--kubelb-pods=1-4,6,8,10,12", "--kubelb-tolerance=60%")
    planned = measure(*words, "--kubelb-order-seed=5", "--kubelb-plan").outlines
    order = [line.split()[1] for line in planned if line[:3].strip().isdigit() and "ipvs-pods" in line]
    measure(*words, "--kubelb-order-seed=5", stop="SIGKILL", at=2 * PER_POINT + 2)
    result = measure(*words, "--kubelb-resume")
    result.stdout.fnmatch_lines(["kubelb: *order-seed 5 (session 2*"])
    assert [line.split()[0] for line in result.outlines if "runs valid" in line] == order
    other = measure(
        *words, "--kubelb-order-seed=6", f"--kubelb-resume={record_of(pytester.path).parent.name}"
    )
    assert other.ret == pytest.ExitCode.USAGE_ERROR


def test_own_benches_xfail_and_other_parameters_keep_what_they_were(
    measure: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "benches" / "test_rps.py").write_text(
        """
import pytest

@pytest.mark.xfail(strict=True)
@pytest.mark.kubelb(pods=2)
def test_expected(wrk): wrk()

@pytest.mark.kubelb(pods=1)
@pytest.mark.parametrize("limit", [1, 10**6])
def test_own(service, wrk, limit):
    assert wrk().valid_rps[0] > limit, f"slower than {limit} at {service.url}"

@pytest.mark.kubelb(pods=3)
def test_last(wrk): wrk()
"""
    )
    stopped = measure(stop="SIGKILL", at=3 * PER_POINT + 2)
    del stopped
    result = measure("--kubelb-resume")
    result.assert_outcomes(passed=2, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["*slower than 1000000 at http://10.0.0.1:80/*(kept from the record)*"])
    assert per_group(pytester.path) == {(1, 1): 8, (2, 1): 4, (3, 1): 1, (3, 2): 4}


def test_nothing_left_ends_the_record_without_opening_the_testbed(
    measure: Run, pytester: pytest.Pytester
) -> None:
    measure(stop="SIGINT", at=6)
    measure("--kubelb-resume")
    name = record_of(pytester.path).parent.name
    opened = (pytester.path / "opened.txt").read_text()
    measure(f"--kubelb-resume={name[:-2]}").assert_outcomes(passed=3, failed=1)
    assert (pytester.path / "opened.txt").read_text() == opened
    lines = list(read_record(record_of(pytester.path)))
    assert [line.exit_code for line in lines if isinstance(line, SessionEnd)] == [2, 1, 1]
    assert isinstance(lines[-1], SessionEnd)


def test_a_torn_last_line_is_cut_off_with_a_note(measure: Run, pytester: pytest.Pytester) -> None:
    measure(stop="SIGKILL", at=6)
    record = record_of(pytester.path)
    with record.open("ab") as file:
        file.write(b'{"kind":"sample","po')
    measure("--kubelb-resume").assert_outcomes(passed=3, failed=1)
    resumed = [line for line in read_record(record) if isinstance(line, Event) and line.name == "resumed"]
    assert [each.details["cut_bytes"] for each in resumed] == [20]


def test_a_full_disk_stops_clearly_and_the_session_goes_on_when_there_is_room(
    measure: Run, pytester: pytest.Pytester
) -> None:
    stopped = measure(stop="full", at=6)
    stopped.stdout.fnmatch_lines(["*cannot take another line*it ends with the line before*"])
    assert len(samples(pytester.path)) == 5
    measure("--kubelb-resume").assert_outcomes(passed=3, failed=1)
    assert per_group(pytester.path) == {(1, 1): 4, (2, 1): 1, (2, 2): 4, (3, 1): 4, (4, 1): 4}


def test_a_copy_elsewhere_goes_on_as_well(measure: Run, pytester: pytest.Pytester) -> None:
    measure(stop="SIGKILL", at=6)
    assert str(pytester.path) not in record_of(pytester.path).read_text()
    elsewhere = pytester.mkdir("elsewhere")
    for name in ("benches", "conftest.py", ".kubelb"):
        (pytester.path / name).rename(elsewhere / name)
    os.chdir(elsewhere)
    measure("--kubelb-resume", "--rootdir", str(elsewhere)).assert_outcomes(passed=3, failed=1)
    assert per_group(elsewhere) == {(1, 1): 4, (2, 1): 1, (2, 2): 4, (3, 1): 4, (4, 1): 4}


def test_what_is_kept_is_compared_with_the_baseline_and_what_is_anew_is_measured_again(
    measure: Run, pytester: pytest.Pytester
) -> None:
    words = ("--kubelb-pods=1,3", "--kubelb-baseline=pinned")
    for _ in range(3):
        measure("--kubelb-pods=1,3").assert_outcomes(passed=2)
    for folder in pytester.path.glob(".kubelb/*"):
        assert kubelb(pytester.path, "history", "pin", folder.name).returncode == 0
    # Each point is measured twice before it counts as slower: the session dies in the very last run.
    stopped = measure(*words, stop="SIGKILL", at=4 * PER_POINT, FACTOR="0.8")
    assert "RegressionError" not in stopped.stdout.str()
    record = max(pytester.path.glob(".kubelb/*/record.jsonl"))
    result = measure(*words, "--kubelb-resume", FACTOR="0.8")
    result.assert_outcomes(failed=2)
    runs = [line for line in read_record(record) if isinstance(line, Sample)]
    groups = Counter((each.point["pods"], each.provisioning) for each in runs)
    assert {number: groups[1, number] for number in (1, 2, 3)} == {1: 4, 2: 4, 3: 0}
    assert {number: groups[3, number] for number in (1, 2, 3, 4)} == {1: 4, 2: 3, 3: 4, 4: 4}
    (kept,) = (line for line in result.outlines if line.endswith("kept from the record"))
    assert kept.startswith("ipvs-pods01 ")
    assert "-20.0% against the baseline, measured anew once: regression" in kept
    gated = kubelb(pytester.path, "gate", "--baseline=pinned")
    assert gated.returncode == 1, gated.stdout
