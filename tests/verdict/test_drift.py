"""The trend over the runs of a point."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.verdict import drift

series = st.lists(st.floats(0.01, 1e9), min_size=2, max_size=30)
few_values = st.lists(st.integers(1, 4).map(float), min_size=2, max_size=6)


@given(series)
def test_tau_is_that_of_scipy(rps: list[float]) -> None:
    from scipy.stats import kendalltau

    judged = drift.judge(rps)
    if judged.tau is None:
        assert len(set(rps)) == 1
    else:
        assert judged.tau == pytest.approx(float(kendalltau(range(len(rps)), rps).statistic))


@given(st.permutations(range(1, 13)))
def test_p_without_ties_is_the_exact_one_of_scipy(ranks: list[int]) -> None:
    from scipy.stats import kendalltau

    expected = float(kendalltau(range(len(ranks)), ranks, method="exact").pvalue)
    assert drift.judge([float(rank) for rank in ranks]).p == pytest.approx(expected)


@given(few_values)
def test_p_with_ties_is_that_of_all_arrangements_of_the_runs(rps: list[float]) -> None:
    def s(order: tuple[float, ...]) -> int:
        return sum((order[j] > order[i]) - (order[j] < order[i]) for j in range(len(order)) for i in range(j))

    own = abs(s(tuple(rps)))
    every = [abs(s(order)) >= own for order in permutations(rps)]
    assert drift.judge(rps).p == pytest.approx(sum(every) / len(every))


@given(series)
def test_the_reversed_series_drifts_the_other_way(rps: list[float]) -> None:
    there, back = drift.judge(rps), drift.judge(rps[::-1])
    assert there.p == pytest.approx(back.p)
    assert there.change == pytest.approx(-back.change)
    if there.tau is not None and back.tau is not None:
        assert there.tau == pytest.approx(-back.tau)


@given(series, st.integers(-20, 20))
def test_the_unit_of_the_runs_does_not_matter(rps: list[float], power: int) -> None:
    assert drift.judge([value * 2.0**power for value in rps]) == drift.judge(rps)


def test_a_rise_over_ten_runs_is_named_with_how_far_it_went() -> None:
    judged = drift.judge([100.0 + index for index in range(10)])
    assert (judged.tau, judged.direction) == (1.0, "up")
    assert judged.p == pytest.approx(2 / math.factorial(10))
    assert judged.change == pytest.approx(7 / 104.5)


def test_four_runs_cannot_show_a_drift_and_five_can() -> None:
    assert drift.judge([1.0, 2.0, 3.0, 4.0]).direction == "none"
    assert drift.judge([5.0, 4.0, 3.0, 2.0, 1.0]).direction == "down"


def test_equal_runs_have_no_tau_and_no_drift() -> None:
    assert drift.judge([7.0] * 5) == drift.Drift(None, 1.0, 0.0)
    assert drift.judge([0.0, 0.0]).direction == "none"


def test_a_million_runs_are_judged() -> None:
    judged = drift.judge([float(index % 1009) for index in range(10**6)])
    assert judged.tau == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("rps", [[], [1.0], [1.0, math.nan], [1.0, math.inf], [-1.0, 1.0]])
def test_what_has_no_trend_is_refused(rps: list[float]) -> None:
    with pytest.raises(ValueError, match=r"the trend of \d runs cannot be judged"):
        drift.judge(rps)
