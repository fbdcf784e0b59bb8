"""Collapses, stalls and the outage between them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.verdict.collapse import Timed, breaks, stall_limit_s

STEADY = [Timed("p", 1000.0, 100.0 * index, 60.0, 60.0) for index in range(6)]


def broken(*, at: int, fraction: float, outage_s: float) -> list[Timed]:
    """Give runs of which one broke after a fraction of its time, and the next waited until the outage was over."""
    runs = list(STEADY)
    runs[at] = replace(runs[at], rps=1000.0 * fraction)
    carried_s = runs[at].started_s + 60 * fraction + outage_s
    runs[at + 1] = replace(runs[at + 1], wall_s=carried_s + 60 - runs[at + 1].started_s)
    return [
        run if index <= at + 1 else replace(run, started_s=run.started_s + 500)
        for index, run in enumerate(runs)
    ]


def test_steady_runs_have_no_break() -> None:
    assert breaks(STEADY) == []
    assert breaks([]) == []


@given(at=st.integers(0, 4), fraction=st.floats(0, 0.94), outage_s=st.floats(130, 2000))
def test_the_outage_is_found_whatever_the_depth_of_the_dip(at: int, fraction: float, outage_s: float) -> None:
    (found,) = breaks(broken(at=at, fraction=fraction, outage_s=outage_s))
    assert (found.run, found.stalled) == (at, at + 1)
    assert found.collapsed is (found.fraction < 0.8)
    assert found.outage_s == pytest.approx(outage_s)


@given(fraction=st.floats(0.96, 1.0))
def test_a_run_that_reached_its_median_broke_nothing_though_the_next_one_stalled(fraction: float) -> None:
    assert breaks(broken(at=2, fraction=fraction, outage_s=300)) == []


def test_logs_that_lie_far_apart_in_time_are_no_stall() -> None:
    later = [replace(run, started_s=run.started_s + 86_400) for run in STEADY]
    assert breaks([*STEADY, *later]) == []
    low = [*STEADY[:-1], replace(STEADY[-1], rps=900.0)]
    assert breaks([*low, *later]) == []


def test_a_stall_is_not_laid_to_a_run_that_ended_long_before_it() -> None:
    stalled = replace(STEADY[0], started_s=86_400.0, wall_s=300.0)
    (found,) = breaks([*STEADY[:-1], replace(STEADY[-1], rps=300.0), stalled])
    assert (found.run, found.collapsed, found.stalled, found.outage_s) == (5, True, None, None)


@given(st.permutations(range(6)))
def test_runs_may_come_in_any_order(order: list[int]) -> None:
    runs = broken(at=2, fraction=0.5, outage_s=300)
    (found,) = breaks([runs[index] for index in order])
    assert order[found.run] == 2
    assert found.outage_s == pytest.approx(300)


def test_a_collapse_without_a_stall_after_it_has_no_outage() -> None:
    (found,) = breaks([*STEADY[:-1], replace(STEADY[-1], rps=300.0)])
    assert (found.run, found.collapsed, found.stalled, found.outage_s) == (5, True, None, None)


def test_a_run_just_above_the_limit_is_no_collapse() -> None:
    assert breaks([replace(STEADY[0], rps=800.0), *STEADY[1:]]) == []


def test_points_have_medians_of_their_own() -> None:
    others = [replace(run, point="q", rps=10.0, started_s=run.started_s + 10_000) for run in STEADY]
    assert breaks([*STEADY, *others]) == []


def test_runs_without_an_answer_are_no_collapse_of_a_point_that_never_answered() -> None:
    assert breaks([replace(run, rps=0.0) for run in STEADY]) == []


@pytest.mark.parametrize(("duration_s", "limit_s"), [(60, 75), (30, 37.5), (10, 15), (1, 6)])
def test_the_stall_limit_is_a_quarter_and_at_least_five_seconds(duration_s: float, limit_s: float) -> None:
    assert stall_limit_s(duration_s) == limit_s
