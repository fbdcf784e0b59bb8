"""A whole session in the lab, from the command line to its reports."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 2
OPTIONS = ["-p", "no:cacheprovider", f"--kubelb-runs={RUNS}", "--kubelb-pods=1,3", "--kubelb-tolerance=100%"]
REPORTS = ["--junit-xml=junit.xml", "--kubelb-json=report.json", "--benchmark-json=benchmark.json"]


def run(rootdir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *words],
        cwd=rootdir,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture(scope="module")
def rootdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


@pytest.fixture(scope="module")
def session(rootdir: Path, lab_kernel: str) -> subprocess.CompletedProcess[str]:
    """Both backends at two pod counts, with every report."""
    assert lab_kernel
    return run(rootdir, *REPORTS, "--benchmark-autosave")


def test_every_point_is_one_item_in_paired_order(session: subprocess.CompletedProcess[str]) -> None:
    assert session.returncode == 0, session.stdout
    lines = [line.split()[0] for line in session.stdout.splitlines() if "runs valid" in line]
    assert lines == ["ipvs-pods01", "proxy-pods01", "proxy-pods03", "ipvs-pods03"]
    assert "4 passed" in session.stdout


def test_every_run_is_in_the_record_and_in_the_json_report(
    rootdir: Path, session: subprocess.CompletedProcess[str]
) -> None:
    del session  # it has run
    (record,) = rootdir.glob(".kubelb/*/record.jsonl")
    samples = [line for line in read_record(record) if isinstance(line, Sample)]
    assert [sample.validity for sample in samples] == ["warmup", *["valid"] * RUNS] * 4
    assert all(sample.result and sample.result.rps > 100 for sample in samples)
    # wrk was given a second, and the benchmarker's own clock says that it took one.
    assert all(0.9 < sample.wall_s < 10 for sample in samples)
    # Equal load: both backends are asked with the same Host header, over a multiple of the pods.
    commands = [sample.command.rpartition(" ")[0] for sample in samples]
    assert all("'Host: kubelb.test'" in command for command in commands)
    assert {command.split()[1] for command in commands} == {"-c80", "-c81"}
    report = json.loads((rootdir / "report.json").read_text())
    assert [len(point["runs"]) for point in report["points"]] == [1 + RUNS] * 4
    assert report["session"]["exit_code"] == 0
    # The load balancer, the benchmarker and the workers, whose counters are read around every run.
    facts = next(event["details"] for event in report["events"] if event["name"] == "testbed")
    assert set(facts["kernels"]) == {f"k{number:02}" for number in (*range(5, 11), 11, 12)}


def test_junit_has_the_figures_of_every_point_as_properties(
    rootdir: Path, session: subprocess.CompletedProcess[str]
) -> None:
    del session
    tree = ElementTree.parse(rootdir / "junit.xml")  # noqa: S314 - a file that pytest has just written
    cases = tree.findall(".//testcase")
    assert len(cases) == 4
    for case in cases:
        names = {each.get("name") for each in case.findall("./properties/property")}
        assert {"kubelb_backend", "kubelb_pods", "kubelb_rps_mean_req_per_s", "kubelb_cv_percent"} <= names, (
            names
        )
        assert case.find("failure") is None


def test_pytest_benchmark_has_requests_per_second_as_ops(
    rootdir: Path, session: subprocess.CompletedProcess[str]
) -> None:
    report = json.loads((rootdir / "report.json").read_text())
    saved = json.loads((rootdir / "benchmark.json").read_text())["benchmarks"]
    assert len(saved) == 4
    rps = {}
    for point in report["points"]:
        valid = [run["result"]["rps"] for run in point["runs"] if run["validity"] == "valid"]
        # runs / total time: the harmonic mean
        rps[f"{point['point']['backend']}-pods{point['point']['pods']:02}"] = RUNS / sum(
            1 / each for each in valid
        )
    for bench in saved:
        assert bench["stats"]["ops"] == pytest.approx(rps[bench["param"]], rel=1e-3)
    assert "Saved benchmark data" in session.stdout + session.stderr
    assert list(rootdir.glob(".benchmarks/*/0001_*.json"))


def test_a_second_session_fails_by_its_spread_and_is_compared_with_the_first(
    rootdir: Path, session: subprocess.CompletedProcess[str]
) -> None:
    assert session.returncode == 0
    words = [
        "-k",
        "ipvs and pods01",
        "--kubelb-tolerance=0.0001%",
        "--benchmark-compare",
        "--junit-xml=two.xml",
    ]
    second = run(rootdir, *words)
    assert second.returncode == 1, second.stdout
    assert "ipvs-pods01 is unrepeatable: the CV of 2 valid runs is " in second.stdout
    assert "Traceback" not in second.stdout
    tree = ElementTree.parse(rootdir / "two.xml")  # noqa: S314 - a file that pytest has just written
    failures = tree.findall(".//failure")
    assert len(failures) == 1
    assert "ipvs-pods01 is unrepeatable" in str(failures[0].get("message"))
    assert "0001_" in second.stdout, "nothing was compared"
