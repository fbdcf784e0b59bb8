"""Sessions in the lab that are compared with the ones before, through pytest and through `kubelb gate`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record.lines import Event, Verdict
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("lab_kernel")

BENCH = """
def test_rps(wrk):
    wrk()


def test_sweep(sweep):
    sweep()
"""
# A load balancer cannot be made slower by a stated amount, and this machine is not quiet: what wrk reports is made up.
SLOWER = """
import os
from dataclasses import replace

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_kubelb_run_load():
    sample = yield
    rps = (20000.0 + 100 * (sample.run % 3)) * float(os.environ["FACTOR"])
    return replace(sample, result=replace(sample.result, rps=rps))
"""
SESSION = [
    "--kubelb-backend=ipvs",
    "--kubelb-pods=2",
    "--kubelb-runs=3",
    "--kubelb-tolerance=5%",
    "-p",
    "no:cacheprovider",
]


@pytest.fixture(scope="module")
def rootdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has measured twice."""
    root = tmp_path_factory.mktemp("compared")
    (root / "test_rps.py").write_text(BENCH)
    (root / "conftest.py").write_text(SLOWER)
    (root / "pytest.ini").write_text("[pytest]\n")
    for _ in range(2):
        done = measure(root)
        assert done.returncode == 0, done.stdout
        assert "1 passed, 1 deselected" in done.stdout
    return root


def measure(root: Path, *options: str, factor: float = 1.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *SESSION, *options]
    environment = {**os.environ, "FACTOR": str(factor)}
    return subprocess.run(
        command,
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def newest(root: Path) -> list[object]:
    return list(read_record(max(root.glob(".kubelb/*/record.jsonl"))))


def gate(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "gate", "--root", str(root), *options]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def test_a_session_that_is_much_slower_is_measured_again_and_fails(rootdir: Path) -> None:
    done = measure(rootdir, "--kubelb-baseline=last:2", factor=0.9)
    assert done.returncode == 1, done.stdout
    assert "RegressionError" in done.stdout
    assert "against the baseline" in done.stdout
    lines = newest(rootdir)
    provisionings = {line.provisioning for line in lines if isinstance(line, Sample)}
    assert len(provisionings) >= 2
    (verdict,) = (line for line in lines if isinstance(line, Verdict))
    against = verdict.figures["against_baseline"]
    assert isinstance(against, dict)
    assert against["verdict"] == "regression"
    assert [
        line.details["verdict"] for line in lines if isinstance(line, Event) and line.name == "sweep"
    ] == ["regression"]
    gated = gate(rootdir, "--baseline=last:2")
    assert gated.returncode == 1, gated.stdout


def test_a_session_like_the_ones_before_does_not_fail(rootdir: Path) -> None:
    done = measure(rootdir, "--kubelb-baseline=last:2")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_session_without_any_earlier_one_is_not_judged_and_says_so(rootdir: Path) -> None:
    done = measure(rootdir, "--kubelb-baseline=pinned")
    assert done.returncode == 0, done.stdout
    assert "not judged" in done.stdout
    strict = measure(rootdir, "--kubelb-baseline=pinned", "--kubelb-on-missing-baseline=fail")
    assert strict.returncode == 1, strict.stdout
    assert "not judged against the baseline" in strict.stdout


def test_another_testbed_is_refused_by_the_field_that_differs(rootdir: Path) -> None:
    done = measure(rootdir, "--kubelb-baseline=last:2", "--kubelb-overlay=host-gw", "--kubelb-duration=2s")
    assert done.returncode == 0, done.stdout
    assert "not judged" in done.stdout
    assert "duration" in done.stdout
