"""How long the rest takes is learned from what points and runs really took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.matrix import Measurement, Step, grid, ordered, plan
from pytest_kubelb.report.eta import Timings


def steps(*pods: int, runs: int = 4, warmup: int = 1, passes: int = 1) -> tuple[Step, ...]:
    """Give a paired sweep of both backends with runs of 10 s."""
    points = ordered(grid(("ipvs", "proxy"), pods, ("vxlan",), passes=passes), "paired", 0)
    return plan([Measurement(point, runs, warmup, 10) for point in points]).steps


def measure(
    timings: Timings, index: int, now_s: float, *, converge_s: float, runs: int = 5, run_s: float = 12.0
) -> float:
    """Let one point take its time, and give what the clock says then."""
    timings.point_started(index, now_s)
    now_s += converge_s
    timings.runs_started(now_s)
    for _ in range(runs):
        now_s += run_s
        timings.run_finished(now_s)
    timings.point_finished(now_s)
    return now_s


def test_nothing_is_promised_before_the_first_run_is_over() -> None:
    timings = Timings(steps(1, 2))
    assert timings.left_s(0.0) is None
    timings.point_started(0, 0.0)
    timings.runs_started(100.0)
    assert timings.left_s(100.0) is None
    timings.run_finished(112.0)
    assert timings.left_s(112.0) is not None


def test_runs_and_points_count_with_what_they_really_took() -> None:
    timings = Timings(steps(1, 2))
    now_s = measure(timings, 0, 0.0, converge_s=100.0)  # the lab was started: no other point will do that
    now_s = measure(timings, 1, now_s, converge_s=3.0)
    assert timings.left_s(now_s) == pytest.approx(2 * (3.0 + 5 * 12.0))


def test_a_change_costs_what_such_a_change_has_cost() -> None:
    timings = Timings(steps(1, 2, 3))  # backend, pods, backend, pods, backend
    now_s = measure(timings, 0, 0.0, converge_s=100.0)
    now_s = measure(timings, 1, now_s, converge_s=1.0)
    now_s = measure(timings, 2, now_s, converge_s=9.0)
    assert timings.left_s(now_s) == pytest.approx((1.0 + 9.0 + 1.0) + 3 * 60.0)


def test_within_a_point_its_remaining_runs_count() -> None:
    timings = Timings(steps(1))
    now_s = measure(timings, 0, 0.0, converge_s=1.0)
    timings.point_started(1, now_s)
    timings.runs_started(now_s + 2)
    for run in range(1, 4):
        timings.run_finished(now_s + 2 + 12 * run)
    assert timings.left_s(now_s + 38) == pytest.approx(24.0)
    assert timings.left_s(now_s + 38 + 5) == pytest.approx(19.0)
    assert timings.left_s(now_s + 38 + 500) == pytest.approx(12.0)


def test_a_session_that_makes_twice_the_runs_is_expected_to_go_on_so() -> None:
    timings = Timings(steps(1))
    now_s = measure(timings, 0, 0.0, converge_s=0.0, runs=10)
    assert timings.left_s(now_s) == pytest.approx(10 * 12.0, abs=1.0)


def test_points_that_were_skipped_are_done_and_teach_nothing() -> None:
    timings = Timings(steps(1, 2))
    now_s = measure(timings, 0, 0.0, converge_s=1.0)
    before = timings.left_s(now_s)
    timings.point_started(1, now_s)
    timings.point_finished(now_s)
    after = timings.left_s(now_s)
    assert before is not None
    assert after is not None
    assert after == pytest.approx(before * 2 / 3, rel=0.05)


@given(st.lists(st.floats(0, 1e5), min_size=8, max_size=8), st.integers(1, 3))
def test_what_is_left_is_never_negative_and_ends_at_nothing(times: list[float], passes: int) -> None:
    all_steps = steps(1, 2, passes=passes)
    timings, now_s = Timings(all_steps), 0.0
    for index in range(len(all_steps)):
        now_s = measure(timings, index, now_s, converge_s=times[index % 8], run_s=times[(index + 3) % 8])
        left_s = timings.left_s(now_s)
        assert left_s is not None
        assert left_s >= 0
    assert timings.left_s(now_s) == 0
