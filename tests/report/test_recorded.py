"""The verdicts of a recorded session: those that it gave, and those of the gate where it gave none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.record.lines import SessionStart, Verdict
from pytest_kubelb.report import headline
from tests.gate.recorded import STEADY, UNEVEN, axes, lines, runs, start

from .sessions import hostile_lines, read, session_lines, verdict

if TYPE_CHECKING:
    from pathlib import Path


def test_points_keep_the_verdicts_and_sentences_that_the_session_gave(tmp_path: Path) -> None:
    session = read(tmp_path)
    points = {point.id: point for point in session.outcome.points}
    assert {name: point.worst for name, point in points.items()} == {
        "ipvs-pods01": None,
        "ipvs-pods02": "regression",
        "proxy-pods01": "unrepeatable",
        "proxy-pods02": "not judged",
    }
    assert points["ipvs-pods02"].findings[0].sentence == "ipvs-pods02 has regressed: 30 % slower."
    assert points["ipvs-pods02"].judged is not None
    assert points["ipvs-pods02"].judged.change == pytest.approx(-0.3, abs=0.01)
    assert session.sweeps == ("the sweep through ipvs has regressed by 15 %.",)
    assert ("kernel of k11", "Linux 6.1.0 x86_64") in session.facts
    assert headline.of(session).endswith("2 of 4 points failed (1 regression, 1 unrepeatable); 1 not judged")


def test_a_session_that_was_killed_is_judged_as_the_gate_does(tmp_path: Path) -> None:
    session = read(tmp_path, lines({("ipvs", 1): STEADY, ("proxy", 1): UNEVEN}, exit_code=None))
    assert [point.worst for point in session.outcome.points] == [None, "unrepeatable"]
    assert session.end is None
    assert headline.of(session).endswith(
        "1 of 2 points failed (1 unrepeatable); the session did not come to its end"
    )


def test_the_word_of_a_hook_counts_more_than_what_we_would_say(tmp_path: Path) -> None:
    point = axes("ipvs", 1)
    lenient = Verdict(point, "repeatable", {"provisioning": 1}, None)
    strict = replace(verdict(point, STEADY, "ipvs-pods01 is too slow for us."), verdict="inconclusive")
    assert read(tmp_path / "a", [start(), *runs(point, UNEVEN), lenient]).outcome.points[0].worst is None
    findings = read(tmp_path / "b", [start(), *runs(point, STEADY), strict]).outcome.points[0].findings
    assert [(each.kind, each.sentence) for each in findings] == [
        ("inconclusive", "ipvs-pods01 is too slow for us.")
    ]


@pytest.mark.parametrize(
    "against", [None, "slow", {"verdict": "regression"}, {"verdict": "slow", "change": -1}, {"reason": 4}]
)
def test_a_verdict_against_a_baseline_that_is_none_of_ours_is_left_out(
    tmp_path: Path, against: object
) -> None:
    point = axes("ipvs", 1)
    odd = Verdict(point, "repeatable", {"provisioning": 1, "against_baseline": against}, None)
    assert read(tmp_path, [start(), *runs(point, STEADY), odd]).outcome.points[0].judgement is None


def test_hostile_names_are_printable_everywhere(tmp_path: Path) -> None:
    session = read(tmp_path, hostile_lines())
    assert all(point.id.isprintable() for point in session.outcome.points)
    assert headline.of(session).isprintable()


def test_a_session_of_kubelb_ab_is_refused_with_the_remedy(tmp_path: Path) -> None:
    first, *rest = session_lines()
    assert isinstance(first, SessionStart)
    with pytest.raises(ConfigError, match="whose report `kubelb ab` itself gives"):
        read(tmp_path, [replace(first, facts={"ab": {}}), *rest])
