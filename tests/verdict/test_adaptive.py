"""Whether enough runs have been made."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_kubelb.verdict.adaptive import Prior, enough, half_width, settling

runs = st.lists(st.floats(1, 1e9), min_size=2, max_size=20)
CLOSE = [100.0, 100.2, 99.9]


def test_the_half_width_is_that_of_students_interval_of_the_mean_of_the_logarithms() -> None:
    rps = [math.exp(value) for value in (1.0, 1.1, 1.2)]
    # t with 2 degrees of freedom at 0.975 is 4.3027
    assert half_width(rps) == pytest.approx(4.3027 * 0.1 / math.sqrt(3), rel=1e-4)


def test_a_prior_moderates_the_spread_of_the_runs() -> None:
    rps = [math.exp(value) for value in (1.0, 1.1, 1.2)]
    s = math.sqrt((4 * 0.02**2 + 2 * 0.1**2) / 6)
    # t with 6 degrees of freedom at 0.975 is 2.4469
    assert half_width(rps, prior=Prior(0.02)) == pytest.approx(2.4469 * s / math.sqrt(3), rel=1e-4)


def test_three_runs_that_lie_close_together_are_enough_and_two_are_not() -> None:
    assert enough(CLOSE, precision=0.01)
    assert not enough([100.0, 100.0], precision=0.01)


def test_three_close_runs_are_not_enough_where_the_point_used_to_vary() -> None:
    assert not enough(CLOSE, precision=0.01, prior=Prior(0.05))
    assert enough(CLOSE, precision=0.01, prior=Prior(0.002))


def test_three_equally_collapsed_runs_are_enough_only_without_a_baseline() -> None:
    collapsed = [value * 0.36 for value in CLOSE]
    assert enough(collapsed, precision=0.01)
    assert not enough(collapsed, precision=0.01, prior=Prior(0.002, level=100.0))
    assert enough(collapsed, precision=0.01, prior=Prior(0.002, level=36.0))


def test_how_far_from_the_level_a_point_may_stop_can_be_said() -> None:
    prior = Prior(0.002, level=95.0)
    assert enough(CLOSE, precision=0.01, prior=prior)
    assert not enough(CLOSE, precision=0.01, prior=prior, level_within=0.05)


@given(runs, st.floats(1e-3, 1e3), st.none() | st.floats(0.001, 0.1))
def test_the_unit_of_the_runs_does_not_matter(rps: list[float], factor: float, s_r: float | None) -> None:
    there, here = (
        half_width([value * by for value in rps], prior=None if s_r is None else Prior(s_r))
        for by in (1.0, factor)
    )
    assert there == pytest.approx(here, rel=1e-6, abs=1e-9)


@given(runs)
def test_the_order_of_the_runs_does_not_matter(rps: list[float]) -> None:
    assert half_width(sorted(rps)) == half_width(rps)


@given(runs, st.floats(0.001, 0.5), st.floats(1, 10))
def test_less_precision_never_takes_more_runs(rps: list[float], precision: float, wider: float) -> None:
    assert enough(rps, precision=precision * wider) or not enough(rps, precision=precision)


@given(runs, st.floats(1, 3))
def test_more_noise_never_turns_too_few_runs_into_enough(rps: list[float], louder: float) -> None:
    middle = math.fsum(math.log(value) for value in rps) / len(rps)
    loud = [math.exp(middle + louder * (math.log(value) - middle)) for value in rps]
    widths = half_width(loud), half_width(rps)
    assume(widths[0] is not None and widths[1] is not None)
    assert widths[0] is not None
    assert widths[1] is not None
    assert widths[0] >= widths[1] * (1 - 1e-9) - 1e-9


def test_identical_runs_are_enough_and_zeros_never_are() -> None:
    assert enough([5.0] * 3, precision=1e-6)
    assert not enough([0.0] * 30, precision=1)
    assert not enough([0.0, *[100.0] * 30], precision=1)


def test_a_million_runs_are_enough() -> None:
    assert enough([100.0, 102.0] * 500_000, precision=0.01)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -1.0])
def test_what_cannot_be_a_rate_is_refused(odd: float) -> None:
    for ask in (lambda rps: enough(rps, precision=0.01), half_width, settling, lambda rps: Prior.of([rps])):
        with pytest.raises(ValueError, match=f"a run of {odd} cannot be judged"):
            ask([odd, 1.0, 2.0])


@pytest.mark.parametrize("precision", [0.0, -0.01, math.nan])
def test_a_precision_that_nothing_reaches_is_refused(precision: float) -> None:
    with pytest.raises(ValueError, match="cannot be reached"):
        enough(CLOSE, precision=precision)


def test_the_prior_of_earlier_sessions_is_their_pooled_spread_and_median_level() -> None:
    prior = Prior.of([[100.0, 102.0, 101.0], [90.0, 91.0, 92.0], [110.0]])
    logs = [[math.log(value) for value in each] for each in ([100.0, 102.0, 101.0], [90.0, 91.0, 92.0])]
    squares = sum((value - sum(each) / 3) ** 2 for each in logs for value in each)
    assert prior.s_r == pytest.approx(math.sqrt(squares / 4))
    assert (prior.df, prior.level) == (4, 101.0)


def test_a_collapsed_run_of_the_baseline_is_not_what_a_healthy_one_varies_by() -> None:
    healthy, sick = Prior.of([[*CLOSE] * 3]), Prior.of([[*CLOSE, *CLOSE, *CLOSE, 33.0]])
    assert sick.s_r == pytest.approx(healthy.s_r)


@pytest.mark.parametrize("sessions", [[], [[]], [[0.0, 0.0]]])
def test_a_baseline_without_a_response_knows_nothing(sessions: list[list[float]]) -> None:
    prior = Prior.of(sessions)
    assert (prior.s_r, prior.level) == (None, None)
    assert enough(CLOSE, precision=0.01, prior=prior)


def test_a_baseline_of_single_runs_knows_the_level_alone() -> None:
    assert Prior.of([[100.0], [104.0]]) == Prior(None, 0, 102.0)


def test_runs_that_rise_are_still_settling_and_those_that_have_risen_are_not() -> None:
    assert settling([80.0, 84.0, 88.0, 92.0, 96.0, 99.0])
    assert settling([60.0, 90.0, 100.0, 100.1, 99.9][:4]) is False
    assert not settling([80.0, 100.0, 101.0, 99.5, 100.4, 99.8, 100.9])
    assert not settling([100.0, 99.0, 98.0, 97.0, 96.0, 95.0])
    assert not settling([])
