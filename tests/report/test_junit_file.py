"""JUnit XML without pytest, and what pytest itself writes with our properties: both as xunit2 has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import xmlschema

from pytest_kubelb.report import junit_file
from tests.gate.recorded import UNSURE, lines

from .sessions import hostile_lines, read, session_lines

XUNIT2 = xmlschema.XMLSchema(Path(__file__).with_name("xunit2.xsd"))
REPOSITORY = Path(__file__).parents[2]

BENCH = """
import pytest
from pytest_kubelb.report import junit
from tests.report.points import judged_point

@pytest.fixture(scope="session", autouse=True)
def facts(record_testsuite_property):
    for name, value in junit.suite_properties([("kernel of k11", "Linux 6.1.0")]):
        record_testsuite_property(name, value)

@pytest.mark.parametrize("name", ["ipvs-pods04"])
def test_rps(request, name):
    point = judged_point(20000, 41000)
    request.node.user_properties.extend(junit.properties(point.series, point.repeatability))
    pytest.fail("ipvs-pods04 is unrepeatable: its runs spread.", pytrace=False)
"""


def suites(text: str) -> dict[str, ET.Element]:
    XUNIT2.validate(text)
    return {suite.get("name", ""): suite for suite in ET.fromstring(text)}  # noqa: S314 - made by this test


def properties(suite: ET.Element) -> dict[str, str]:
    return {each.get("name", ""): each.get("value", "") for each in suite.iter("property")}


def test_each_point_is_a_suite_of_one_testcase_with_its_figures_as_properties(tmp_path: Path) -> None:
    found = suites(junit_file.render([read(tmp_path)]))
    whole = "kubelb 20261101T120000Z-0001"
    assert list(found) == [
        whole,
        *(f"{whole} {name}" for name in ("ipvs-pods01", "ipvs-pods02", "proxy-pods01", "proxy-pods02")),
    ]
    assert all(len(suite.findall("testcase")) == 1 for suite in found.values())
    figures = properties(found[f"{whole} ipvs-pods02"])
    assert figures["kubelb_rps_median_req_per_s"] == "28000"
    assert figures["kubelb_baseline_verdict"] == "regression"
    assert figures["kubelb_ceiling"] == "lb_cpu"


def test_the_facts_of_the_testbed_are_properties_of_the_sessions_suite(tmp_path: Path) -> None:
    whole = suites(junit_file.render([read(tmp_path)]))["kubelb 20261101T120000Z-0001"]
    facts = properties(whole)
    assert facts["kubelb_testbed"] == "rack"
    assert facts["kubelb_kernel_of_k11"] == "Linux 6.1.0 x86_64"
    assert "regressed by 15 %" in (whole.findtext("system-out") or "")


def test_a_failure_is_the_sentence_and_has_the_name_that_pytest_gives_it(tmp_path: Path) -> None:
    found = suites(junit_file.render([read(tmp_path)]))
    failures = {
        name.rpartition(" ")[2]: (failure.get("type"), failure.get("message"))
        for name, suite in found.items()
        if (failure := suite.find("testcase/failure")) is not None
    }
    assert failures == {
        "ipvs-pods02": ("RegressionError", "ipvs-pods02 has regressed: 30 % slower."),
        "proxy-pods01": ("RepeatabilityError", "proxy-pods01 is unrepeatable: its runs spread."),
    }


def test_what_has_no_verdict_is_skipped_unless_the_session_failed_it(tmp_path: Path) -> None:
    points = {("ipvs", 1): UNSURE}
    lenient = junit_file.render([read(tmp_path / "a", lines(points, max_runs=9))])
    strict = junit_file.render([read(tmp_path / "b", lines(points, max_runs=9, on_inconclusive="fail"))])
    assert [suite.find("testcase/skipped") is not None for suite in suites(lenient).values()] == [False, True]
    assert [suite.find("testcase/failure") is not None for suite in suites(strict).values()] == [False, True]


def test_a_session_without_an_end_is_not_green(tmp_path: Path) -> None:
    found = suites(junit_file.render([read(tmp_path, lines({("ipvs", 1): UNSURE}, exit_code=None))]))
    assert next(iter(found.values())).find("testcase/skipped") is not None


def test_several_sessions_and_hostile_names_are_one_valid_file(tmp_path: Path) -> None:
    sessions = [read(tmp_path, session_lines(2)), read(tmp_path, hostile_lines())]
    assert all(name.isprintable() for name in suites(junit_file.render(sessions)))


def test_what_pytest_writes_with_our_properties_is_xunit2_but_for_properties_of_testcases(
    tmp_path: Path,
) -> None:
    """Its `user_properties` go into the testcase in every family, which xunit2 does not have."""
    (tmp_path / "test_bench.py").write_text(BENCH)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(REPOSITORY)}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "--rootdir",
        ".",
    ]
    done = subprocess.run(
        [*command, "--junitxml=out.xml", "test_bench.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    tree = ET.parse(tmp_path / "out.xml")  # noqa: S314 - pytest has just written it
    case = tree.find("testsuite/testcase")
    suite = tree.find("testsuite")
    assert case is not None
    assert suite is not None
    figures = case.find("properties")
    assert figures is not None
    assert properties(case)["kubelb_verdict"] == "unrepeatable"
    case.remove(figures)
    XUNIT2.validate(ET.tostring(tree.getroot(), encoding="unicode"))
    assert properties(suite) == {"kubelb_kernel_of_k11": "Linux 6.1.0"}
    failure = case.find("failure")
    assert failure is not None
    assert (failure.get("message") or "").endswith("ipvs-pods04 is unrepeatable: its runs spread.")
