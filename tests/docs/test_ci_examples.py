"""The CI examples: they are YAML of the shape that the two systems want, and their steps do what the page says.

What `wrk` reports is made up, because a load balancer cannot be made slower by a stated amount.
"""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.docs.conftest import DOCS, environment, inventory_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab

GITHUB = yaml.safe_load((DOCS / "examples" / "ci" / "github.yml").read_text())
GITLAB = yaml.safe_load((DOCS / "examples" / "ci" / "gitlab.yml").read_text())
STEPS: dict[str, str] = {
    step["name"]: step["run"] for step in GITHUB["jobs"]["gate"]["steps"] if "run" in step
}
BENCH = """
def test_rps(wrk):
    wrk()


def test_sweep(sweep):
    sweep()
"""
MADE_UP = """
import os
from dataclasses import replace

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_kubelb_run_load():
    sample = yield
    rps = (20000.0 + 100 * (sample.run % 3)) * float(os.environ["FACTOR"])
    return replace(sample, result=replace(sample.result, rps=rps))
"""
INI = "[pytest]\nkubelb_backend = ipvs\nkubelb_pods = 1\nkubelb_runs = 3\nkubelb_tolerance = 5%\n"


def test_the_github_workflow_has_triggers_and_one_job_at_a_time() -> None:
    assert GITHUB[True] == {
        "pull_request": None,
        "push": {"branches": ["main"]},
    }  # YAML 1.1 reads `on` as true
    assert GITHUB["concurrency"] == {"group": "testbed", "cancel-in-progress": False}
    assert GITHUB["permissions"] == {"contents": "read"}
    assert all(("run" in step) != ("uses" in step) for step in GITHUB["jobs"]["gate"]["steps"])


def test_the_github_workflow_saves_sessions_of_main_only() -> None:
    saving = [
        step
        for step in GITHUB["jobs"]["gate"]["steps"]
        if step.get("uses", "").startswith("actions/cache/save")
    ]
    assert [step["if"] for step in saving] == ["github.ref == 'refs/heads/main'"]


def test_the_gitlab_job_has_a_lock_a_cache_and_a_junit_report() -> None:
    job = GITLAB["load-balancer"]
    assert job["resource_group"] == "testbed"
    assert job["cache"]["paths"] == [".kubelb/"]
    assert job["artifacts"]["reports"] == {"junit": "gate.xml"}
    assert job["allow_failure"] == {"exit_codes": [2]}


def typed(folder: Path, script: str, **added: str) -> subprocess.CompletedProcess[str]:
    """Run a step as both systems do: by bash that stops at the first failure."""
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment(**added),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def checkout(tmp_path: Path, lab: Lab) -> Path:
    """A repository with one bench, and a testbed."""
    (tmp_path / "kubelb.toml").write_text(inventory_of(lab))
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "test_rps.py").write_text(BENCH)
    (tmp_path / "conftest.py").write_text(MADE_UP)
    (tmp_path / "pytest.ini").write_text(INI)
    return tmp_path


def test_on_github_like_sessions_are_green_and_a_slower_one_is_red_with_a_summary(checkout: Path) -> None:
    summary = checkout / "summary.md"
    for factor in ("1", "1", "0.8"):
        measured = typed(checkout, STEPS["Measure"], FACTOR=factor)
        assert measured.returncode == 0, measured.stdout
        judged = typed(checkout, STEPS["Judge"], GITHUB_STEP_SUMMARY=str(summary))
        assert judged.returncode == (1 if factor == "0.8" else 0), summary.read_text()
    assert "not judged" in summary.read_text()  # the first one
    assert "regression" in summary.read_text()
    assert typed(checkout, STEPS["Keep the sessions, at least the newest 20"]).returncode == 0


def test_on_github_a_session_that_did_not_begin_is_no_verdict(checkout: Path) -> None:
    (checkout / "pytest.ini").write_text(INI.replace("ipvs", "ivps"))
    measured = typed(checkout, STEPS["Measure"], FACTOR="1")
    assert "pytest ended with exit code 4" in measured.stdout
    assert typed(checkout, STEPS["Judge"], GITHUB_STEP_SUMMARY=str(checkout / "summary.md")).returncode == 4


def test_on_gitlab_the_job_ends_with_the_gates_exit_code_and_leaves_its_junit(checkout: Path) -> None:
    script: list[Any] = GITLAB["load-balancer"]["script"]
    done = typed(checkout, "\n".join(script), FACTOR="1")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^not judged|not judged", done.stdout)
    cases = ElementTree.parse(checkout / "gate.xml").findall(".//testcase")  # noqa: S314 - a file just written
    assert cases
