"""What is shown of a comparison."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.ab import report
from pytest_kubelb.ab.outcome import judge
from pytest_kubelb.ab.report import Plan
from pytest_kubelb.ab.request import request
from pytest_kubelb.commands import ab

from .made import pair, pairs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    parser = argparse.ArgumentParser()
    ab.add(parser.add_subparsers())
    words = ["ab", "--a", "backend=ipvs", "--b", "backend=proxy", "--root", str(tmp_path), "--pods", "1"]
    wanted = request(parser.parse_args([*words, "--runs", "7"]))
    return Plan(wanted, wanted.sides(wanted.settings.inventory.file), tmp_path / "record.jsonl")


def test_the_heading_says_what_is_compared_and_how(plan: Plan) -> None:
    lines = report.heading(plan)
    assert lines[:2] == ["A: backend=ipvs (ipvs)", "B: backend=proxy (proxy)"]
    assert lines[2] == "1 pod, vxlan, wrk -c80 -t1 -d1s, 7 pairs after 1 warm-up run each"
    assert lines[-1].split() == ["pair", "order", "A", "req/s", "B", "req/s", "B/A"]


def test_a_line_shows_both_runs_and_their_ratio_under_the_heading(plan: Plan) -> None:
    line = report.line(pair(1, 40000.0, 39000.0))
    assert line.split() == ["2", "BA", "40000.0", "39000.0", "0.9750"]
    assert len(line) == len(report.heading(plan)[-1])


def test_a_pair_that_does_not_count_shows_why_and_no_ratio() -> None:
    line = report.line(pair(0, 40000.0, 1.0, b_validity="failed"))
    assert line.split(maxsplit=5) == [
        "1",
        "AB",
        "40000.0",
        "-",
        "-",
        "B failed: the benchmarker lost its route",
    ]
    assert report.line(pair(0, 0.0, 40000.0)).split()[-1] == "-"


def test_the_json_has_every_pair_and_the_verdict(plan: Plan) -> None:
    made = [*pairs([(40000.0, 39000.0)] * 3), pair(3, 1.0, 40000.0, a_validity="failed")]
    outcome = judge(made, 0.05)
    said = json.loads(json.dumps(report.as_json(plan, made, outcome), allow_nan=False))
    assert [each["order"] for each in said["pairs"]] == ["ab", "ba", "ab", "ba"]
    assert said["pairs"][3]["a"] == {
        "rps": None,
        "validity": "failed",
        "reason": "the benchmarker lost its route",
    }
    assert said["sides"]["b"]["backend_settings"]["cluster_ip"] == "10.254.0.10"
    assert (said["verdict"], said["exit_code"]) == (outcome.verdict, outcome.exit_code)
    assert said["ratio"]["pairs_made"] == 4
