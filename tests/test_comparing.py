"""What a session may be compared with, on records that are written for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.comparing import Comparison, NotJudged
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record import baseline, levels
from pytest_kubelb.record.points import point_key
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.verdict.regression import Regression
from pytest_kubelb.verdict.sweep import POINTS_LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_kubelb.record.lines import Line

POINT: dict[str, str | int] = {"backend": "ipvs", "overlay": "vxlan", "pods": 4}
STEADY = (1000.0, 1002.0, 998.0, 1001.0, 999.0)


def sample(rps: float, run: int, *, connections: int = 80, point: Mapping[str, str | int] = POINT) -> Sample:
    latency = Latency(80.0, 5.0, 200.0, {"50": 79.0})
    result = WrkResult(rps, int(rps), int(rps) * 250, 1.0, latency, SocketErrors(0, 0, 0, 0, 0))
    command = f"wrk -c{connections} -t1 -d1s http://192.168.0.111:8888/"
    return Sample(point, 1, run, "valid", None, "2026-01-01T00:00:00Z", 1.0, command, result)


def compared(
    sessions: int = 5, *, family: int = 1, points: Sequence[Mapping[str, str | int]] = (POINT,)
) -> Comparison:
    """Give a comparison with `sessions` steady sessions of 1,000 requests/s."""

    def lines(number: int) -> Iterator[Line]:
        from pytest_kubelb.record.lines import SessionStart

        yield SessionStart(f"s{number}", f"2026-01-0{number + 1}T00:00:00Z", {}, {})
        for point in points:
            for run, rps in enumerate(STEADY):
                yield sample(rps * (1 + 0.001 * (number % 3)), run, point=point)

    known = tuple(levels.read(lines(number)) for number in range(sessions))
    found = {
        point_key(point): baseline.PointBaseline(
            tuple(each.session for each in known), tuple(each.points[point_key(point)].rps for each in known)
        )
        for point in points
    }
    return Comparison(baseline.Baseline("last:5", known, found if sessions else {}, (), ()), family)


def scaled(factor: float) -> list[tuple[float, ...]]:
    return [tuple(rps * factor for rps in STEADY)]


def verdict(judged: Regression | NotJudged) -> str:
    assert isinstance(judged, Regression)
    return judged.verdict


def test_a_like_session_passes_and_a_slow_one_has_to_be_measured_again_before_it_fails() -> None:
    comparison = compared()
    assert verdict(comparison.judge(POINT, scaled(1.0), 0.05)) == "pass"
    assert verdict(comparison.judge(POINT, scaled(0.9), 0.05)) == "retest"
    assert verdict(comparison.judge(POINT, scaled(0.9) * 3, 0.05)) == "regression"


def test_a_point_that_the_baseline_has_not_is_not_judged() -> None:
    judged = compared().judge({**POINT, "pods": 8}, scaled(1.0), 0.05)
    assert isinstance(judged, NotJudged)
    assert "no valid run" in judged.reason


def test_an_empty_baseline_says_why_nothing_is_judged() -> None:
    comparison = compared(sessions=0)
    assert isinstance(comparison.judge(POINT, scaled(1.0), 0.05), NotJudged)
    assert isinstance(comparison.judge_sweep([(POINT, scaled(1.0))], 0.05), NotJudged)
    assert comparison.prior(POINT) is None


def test_one_point_of_many_needs_more_to_be_an_alarm() -> None:
    slower = scaled(0.95) * 2
    one = compared().judge(POINT, slower, 0.05)
    assert isinstance(one, Regression)
    other = compared(family=int(POINTS_LEVEL / one.p) + 1).judge(POINT, slower, 0.05)
    assert isinstance(other, Regression)
    assert (one.verdict, other.verdict) == ("regression", "retest")
    assert replace(other, verdict=one.verdict) == one


@pytest.mark.parametrize("connections", [160])
def test_a_point_that_was_loaded_otherwise_is_not_judged_and_names_the_field(connections: int) -> None:
    comparison = compared()
    comparison.loaded(POINT, [sample(1000.0, 0, connections=80)])
    assert verdict(comparison.judge(POINT, scaled(1.0), 0.05)) == "pass"
    comparison.loaded(POINT, [sample(1000.0, 0, connections=connections)])
    judged = comparison.judge(POINT, scaled(1.0), 0.05)
    assert isinstance(judged, NotJudged)
    assert "connections 80" in judged.reason
    assert f"{connections}" in judged.reason


def test_points_that_only_one_side_has_are_listed() -> None:
    points = [{**POINT, "pods": pods} for pods in (1, 2, 4)]
    assert compared(points=points).missing([points[0], points[2]]) == ["backend=ipvs overlay=vxlan pods=2"]


def test_a_small_drop_everywhere_is_a_regression_of_the_sweep_and_of_no_point() -> None:
    points: list[dict[str, str | int]] = [{**POINT, "pods": pods} for pods in range(1, 22)]
    comparison = compared(points=points, family=len(points))
    sweep = comparison.judge_sweep([(point, scaled(0.965)) for point in reversed(points)], 0.05)
    assert not isinstance(sweep, NotJudged)
    assert sweep.overall.verdict == "regression"
    assert [dict(key)["pods"] for key in sweep.points] == list(range(1, 22))


def test_a_point_that_is_not_slower_is_not_measured_again() -> None:
    uneven = compared().judge(POINT, [(1300.0, 900.0, 1200.0)], 0.05)
    assert isinstance(uneven, Regression)
    assert uneven.change > 0
    assert uneven.verdict in ("pass", "inconclusive")
