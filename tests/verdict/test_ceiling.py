"""Ceilings seen in the spread alone."""

from __future__ import annotations

import math

import pytest

from pytest_kubelb.verdict.ceiling import at_ceiling

FULL = [163_900.0, 163_905.0, 163_898.0, 163_902.0, 163_899.0]
SWEEP = {
    ("ipvs", 4): [55_700.0, 56_000.0, 55_600.0, 55_900.0, 55_800.0],
    ("ipvs", 14): [160_600.0, 161_900.0, 159_000.0, 160_700.0, 160_500.0],
    ("ipvs", 20): FULL,
    ("proxy", 20): [value * 1.008 for value in FULL],
    ("proxy", 22): [*FULL[:4], 46_000.0],
}


def test_points_without_spread_at_the_top_of_the_sweep_are_at_a_ceiling() -> None:
    found = at_ceiling(SWEEP)
    assert list(found) == [("ipvs", 20), ("proxy", 20)]
    assert found["ipvs", 20].level == 163_900.0
    assert found["ipvs", 20].cv < 0.0005


def test_a_collapsed_run_hides_a_ceiling_unless_it_is_left_out_and_named() -> None:
    found = at_ceiling(SWEEP, despite_collapses=True)
    assert list(found) == [("ipvs", 20), ("proxy", 20), ("proxy", 22)]
    assert found["proxy", 22].collapsed == (4,)


def test_a_steady_point_far_below_the_top_is_at_no_ceiling_of_the_sweep() -> None:
    assert list(at_ceiling({"low": [50.0] * 5, "top": [100.0, 101.0, 99.0]})) == []


def test_the_unit_and_the_order_do_not_matter() -> None:
    turned = {key: [value / 1000 for value in reversed(rps)] for key, rps in reversed(SWEEP.items())}
    assert set(at_ceiling(turned)) == set(at_ceiling(SWEEP))


@pytest.mark.parametrize("rps", [[], [5.0], [5.0, 5.0], [0.0, 0.0, 0.0]])
def test_too_few_runs_and_no_response_are_no_ceiling(rps: list[float]) -> None:
    assert at_ceiling({"point": rps}) == {}


def test_three_identical_runs_are_a_ceiling() -> None:
    assert at_ceiling({"point": [5.0] * 3})["point"].cv == 0.0


def test_what_cannot_be_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="a run of nan cannot be judged"):
        at_ceiling({"point": [1.0, math.nan]})
