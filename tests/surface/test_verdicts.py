"""A verdict is a failure like any other: in JUnit, for -x, for xfail, in the exit code; and it is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

PODS = "--kubelb-pods=1,2"


def test_a_point_that_does_not_repeat_fails_with_one_sentence(run_faked: Run) -> None:
    result = run_faked("benches", PODS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        ["*proxy-pods01 is unrepeatable: the CV of 3 valid runs is 50.00%, above the tolerance of 25.00%*"]
    )
    assert "Traceback" not in result.stdout.str()
    assert "judging.py" not in result.stdout.str()


def test_junit_has_a_failure_and_the_figures_as_properties(run_faked: Run, pytester: pytest.Pytester) -> None:
    run_faked("benches", PODS, "--junitxml=out.xml")
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "out.xml").iter("testcase")}  # noqa: S314 - our own file
    failure = cases["test_rps[proxy-pods01]"].find("failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("RepeatabilityError: proxy-pods01 is unrepeatable: ")
    assert cases["test_rps[ipvs-pods01]"].find("failure") is None
    for case in cases.values():
        properties = {each.get("name"): each.get("value") for each in case.iter("property")}
        assert properties["kubelb_runs_valid"] == "3"
        assert properties["kubelb_pods"] in ("1", "2")


def test_x_stops_at_the_first_point_that_does_not_repeat(run_faked: Run) -> None:
    result = run_faked("benches", PODS, "-x")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])


@pytest.mark.parametrize(("strict", "passing"), [("True", "failed"), ("False", "xpassed")])
def test_xfail_expects_the_verdict(
    run_faked: Run, pytester: pytest.Pytester, strict: str, passing: str
) -> None:
    pytester.path.joinpath("benches", "test_rps.py").write_text(
        f"import pytest\n@pytest.mark.xfail(strict={strict})\ndef test_rps(wrk): wrk()\n"
    )
    result = run_faked("benches", "--kubelb-pods=1")
    result.assert_outcomes(xfailed=1, **{passing: 1})


def test_a_failure_of_the_bench_itself_is_kept(run_faked: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("benches", "test_rps.py").write_text(
        "def test_rps(wrk):\n    wrk()\n    assert 1 == 2\n"
    )
    result = run_faked("benches", "--kubelb-pods=1", "--kubelb-backend=proxy")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * assert 1 == 2"])


def test_pdb_is_entered_at_a_verdict(run_faked: Run) -> None:
    result = run_faked("benches", "--kubelb-pods=1", "--kubelb-backend=proxy", "--pdb")
    result.stdout.fnmatch_lines(["*entering PDB*"])


def test_a_wider_tolerance_lets_the_same_runs_pass(run_faked: Run) -> None:
    run_faked("benches", PODS, "--kubelb-tolerance=60%").assert_outcomes(passed=4)


def test_a_marker_narrows_the_tolerance_of_one_bench(run_faked: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("benches", "test_rps.py").write_text(
        "import pytest\n@pytest.mark.kubelb(tolerance='0.1%')\ndef test_rps(wrk): wrk()\n"
    )
    run_faked("benches", PODS, "--kubelb-tolerance=60%").assert_outcomes(failed=4)


def test_a_point_without_a_valid_run_fails(run_faked: Run, pytester: pytest.Pytester) -> None:
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace('"valid", None,', '"stalled", "it took 61 s",'))
    result = run_faked("benches", "--kubelb-pods=1", "--kubelb-backend=ipvs")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ipvs-pods01: 0 of 3 runs are valid (the last reason: it took 61 s), and they do not*"]
    )


def test_a_judge_of_another_plugin_comes_first(run_faked: Run, pytester: pytest.Pytester) -> None:
    conftest = pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text() + "\n\ndef pytest_kubelb_judge(series):\n"
        "    from pytest_kubelb.verdict import repeatability\n"
        "    return repeatability.judge(series.valid_rps, tolerance=1.0)\n"
    )
    run_faked("benches", PODS).assert_outcomes(passed=4)


@pytest.mark.parametrize("args", [(), ("-v",), ("-q",), ("-s",), ("--color=yes",), ("-v", "-s")])
def test_each_point_has_one_line_of_its_own_and_one_row_in_the_table(
    run_faked: Run, args: tuple[str, ...]
) -> None:
    lines = run_faked("benches", PODS, "--kubelb-tolerance=60%", *args).outlines
    finished = [
        line for line in lines if re.match(r"(ipvs|proxy)-pods0\d  3/3 runs valid .* repeatable", line)
    ]
    assert [line.split()[0] for line in finished] == [
        "ipvs-pods01",
        "proxy-pods01",
        "proxy-pods02",
        "ipvs-pods02",
    ]
    assert len([line for line in lines if re.match(r"(ipvs|proxy)-pods0\d +3/3 +1,000 ", line)]) == 4


def test_very_quiet_shows_dots_alone(run_faked: Run) -> None:
    result = run_faked("benches", PODS, "--kubelb-tolerance=60%", "-qq")
    assert "runs valid" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*....*"])


def test_without_a_terminal_plugin_the_verdict_is_the_exit_code(run_faked: Run) -> None:
    result = run_faked("benches", PODS, "-p", "no:terminal")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_short_summary_names_the_failed_points(run_faked: Run) -> None:
    result = run_faked("benches", PODS)
    result.stdout.fnmatch_lines(["FAILED benches/test_rps.py::test_rps?proxy-pods01? - RepeatabilityE*"])


def test_pytest_benchmark_gets_the_runs_and_not_those_of_a_failed_point(
    run_faked: Run, pytester: pytest.Pytester
) -> None:
    pytester.path.joinpath("benches", "test_rps.py").write_text("def test_rps(wrk, benchmark): wrk()\n")
    run_faked("-p", "pytest_benchmark.plugin", "benches", PODS, "--benchmark-json=out.json")
    exported = json.loads((pytester.path / "out.json").read_text())["benchmarks"]
    assert [each["param"] for each in exported] == ["ipvs-pods01", "ipvs-pods02"]
    assert exported[0]["stats"]["ops"] == pytest.approx(1000, rel=0.001)
    assert exported[0]["extra_info"]["point"] == {
        "backend": "ipvs",
        "pods": 1,
        "overlay": "vxlan",
        "tuning": "none",
    }


@pytest.mark.parametrize("breakage", ["missing", "corrupt"])
def test_a_json_report_that_cannot_be_written_is_said_and_fails_the_session(
    run_faked: Run, pytester: pytest.Pytester, breakage: str
) -> None:
    conftest = pytester.path / "conftest.py"
    record = pytester.path / "record.jsonl"
    if breakage == "corrupt":
        record.write_text("{}\n{}\n")
    conftest.write_text(
        conftest.read_text() + "\n\ndef pytest_configure(config):\n    import pathlib\n"
        f"    config.stash[stash.RECORD] = pathlib.Path({str(record)!r})\n"
    )
    result = run_faked("benches", "-k", "ipvs", PODS, "--kubelb-json=out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*record.jsonl*"])
    assert not (pytester.path / "out.json").exists()


def test_the_json_report_has_the_verdicts_and_its_folder_is_made(
    run_faked: Run, pytester: pytest.Pytester
) -> None:
    conftest = pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text()
        + """

def pytest_configure(config):
    from pytest_kubelb.record.lines import SessionStart
    from pytest_kubelb.record.writer import RecordWriter

    config.stash[stash.RECORD] = config.rootpath / "record.jsonl"
    start = SessionStart("20260101T000000Z-0000", "2026-01-01T00:00:00Z", {}, {})
    config.stash[stash.WRITER] = RecordWriter(config.stash[stash.RECORD], start)


def pytest_unconfigure(config):
    config.stash[stash.WRITER].close()
"""
    )
    run_faked("benches", "--kubelb-pods=1", "--kubelb-json=new/out.json")
    points = json.loads((pytester.path / "new" / "out.json").read_text())["points"]
    verdicts = {each["point"]["backend"]: each["verdicts"][0] for each in points}
    assert verdicts["ipvs"]["verdict"] == "repeatable"
    assert verdicts["proxy"]["verdict"] == "unrepeatable"
    assert "proxy-pods01 is unrepeatable" in verdicts["proxy"]["sentence"]
    assert verdicts["proxy"]["figures"]["provisioning"] == 1


def test_a_point_with_a_failed_run_fails_however_well_the_others_repeat(run_faked: Run) -> None:
    result = run_faked("benches", "--kubelb-pods=9", "-k", "ipvs")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "ipvs-pods09  3/4 runs valid *  failed",
            "ipvs-pods09: 3 of 4 runs are valid (the last reason: wrk was shot)*",
            "ipvs-pods09 * 3/4 * failed",
        ]
    )


def test_pytest_benchmarks_table_fits_a_terminal_unless_its_columns_are_chosen(
    pytester: pytest.Pytester, run_faked: Run
) -> None:
    pytester.path.joinpath("benches", "test_rps.py").write_text("def test_rps(wrk, benchmark): wrk()\n")
    ours = run_faked("-p", "pytest_benchmark.plugin", "benches", PODS)
    ours.stdout.re_match_lines([r"Name \(time in \ws\) +OPS.* +Rounds *$"])
    chosen = run_faked("-p", "pytest_benchmark.plugin", "benches", PODS, "--benchmark-columns=min,ops")
    chosen.stdout.re_match_lines([r"Name \(time in \ws\) +Min +OPS .*"])
    pytester.path.joinpath("benches", "test_other.py").write_text(
        "def test_x(benchmark): benchmark(len, [])\n"
    )
    beside = run_faked("-p", "pytest_benchmark.plugin", "benches", PODS)
    beside.stdout.re_match_lines([r"Name \(time in \ws\) +Min +Max +Mean .*"])


def test_without_pytest_benchmark_the_benches_are_refused_before_anything_starts(run_faked: Run) -> None:
    result = run_faked("benches", "-p", "no:benchmark")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*leave out `-p no:benchmark`*"])
