"""Pass, regression or inconclusive, from pairs of which we know what they should say."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.ab.outcome import Outcome, judge

from .made import pair, pairs


def measured(b_over_a: float, *, spread: float = 0.004, count: int = 10, drift: float = 0.0) -> Outcome:
    """Judge pairs with that ratio, a spread (SD of ln, a fraction) and a drift over the session (a fraction)."""
    chosen = random.Random(7)  # noqa: S311 - the same pairs each time
    rps = []
    for number in range(count):
        level = 40000.0 * (1 + drift * number / count)
        a, b = (level * math.exp(chosen.gauss(0, spread)) for _ in range(2))
        rps.append((a, b * b_over_a))
    return judge(pairs(rps), 0.05)


@pytest.mark.parametrize("b_over_a", [1.0, 0.99, 1.02, 1.5])
def test_a_side_that_is_not_slower_passes(b_over_a: float) -> None:
    outcome = measured(b_over_a)
    assert (outcome.verdict, outcome.exit_code) == ("pass", 0)
    assert outcome.sentence.startswith("pass: B is not slower than A by 5 % or more: B/A is ")
    assert "10 of 10 pairs count, a drop of 2." in outcome.sentence


@pytest.mark.parametrize("b_over_a", [0.94, 0.9, 0.3])
def test_a_side_that_is_slower_is_a_regression(b_over_a: float) -> None:
    outcome = measured(b_over_a)
    assert (outcome.verdict, outcome.exit_code) == ("regression", 1)
    assert outcome.ratio.ratio == pytest.approx(b_over_a, rel=0.01)
    assert (
        "regression: B is slower than A, and not shown to be so by less than 5 %: B/A is" in outcome.sentence
    )


def test_a_drift_that_goes_through_the_session_is_in_both_sides_and_changes_nothing() -> None:
    assert measured(1.0, drift=-0.5).verdict == "pass"
    assert measured(0.93, drift=0.5).verdict == "regression"


def test_pairs_that_vary_too_much_are_inconclusive_and_it_is_said_how_many_would_do() -> None:
    outcome = measured(1.0, spread=0.2)
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 2)
    assert "whether B is slower than A by 5 % cannot be said" in outcome.sentence
    assert "; give --runs " in outcome.sentence
    assert "; lengthen --duration, or see what else uses the hosts" in measured(1.0, spread=0.6).sentence


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_pairs_are_inconclusive(count: int) -> None:
    outcome = measured(1.0, count=count)
    assert outcome.verdict == "inconclusive"
    assert "give --runs of at least 3" in outcome.sentence
    json.dumps(outcome.figures, allow_nan=False)


def test_a_pair_with_an_invalid_run_does_not_count_and_is_counted() -> None:
    good = [(40000.0 + 50 * n, 40300.0 - 50 * n) for n in range(5)]
    made = [*pairs(good), pair(5, 40000.0, 1.0, b_validity="stalled"), pair(6, 1.0, 40000.0, "failed")]
    outcome = judge(made, 0.05)
    assert outcome.verdict == "pass"
    assert "5 of 7 pairs count" in outcome.sentence
    assert outcome.figures["pairs_made"] == 7


def test_one_wild_pair_in_ten_neither_hides_nor_fakes_a_slower_side() -> None:
    for level, verdict in ((0.93, "regression"), (1.0, "pass")):
        rps = [(40000.0 + 40 * (n % 3), level * (40000.0 + 30 * (n % 4))) for n in range(10)]
        for wild in ((40000.0, 4000.0), (4000.0, 40000.0)):
            assert judge(pairs([*rps[:9], wild]), 0.05).verdict == verdict


def test_two_sides_at_a_ceiling_are_not_compared() -> None:
    outcome = judge(pairs([(116000.0 + n, 116100.0 - n) for n in range(5)]), 0.05)
    assert outcome.verdict == "inconclusive"
    assert "by the spread A and B sit at a ceiling; find what limits both" in outcome.sentence


def test_a_slower_side_is_found_below_the_ceiling_of_the_other() -> None:
    outcome = judge(pairs([(116000.0 + n, 90000.0 - 700 * n) for n in range(5)]), 0.05)
    assert outcome.verdict == "regression"
    assert "by the spread A sits at a ceiling" in outcome.sentence


@given(
    st.lists(
        st.tuples(*[st.floats(min_value=1e3, max_value=1e6)] * 2),
        max_size=12,
    ),
    st.floats(min_value=0.01, max_value=0.5),
    st.sampled_from([0.001, 1.0, 64.0]),
)
def test_a_verdict_does_not_depend_on_units_and_a_slower_b_never_turns_a_regression_into_a_pass(
    rps: list[tuple[float, float]], max_drop: float, unit: float
) -> None:
    outcome = judge(pairs(rps), max_drop)
    assert judge(pairs([(a * unit, b * unit) for a, b in rps]), max_drop).verdict == outcome.verdict
    slower = judge(pairs([(a, b * 0.9) for a, b in rps]), max_drop)
    order = ["pass", "inconclusive", "regression"]
    if not outcome.at_ceiling and not slower.at_ceiling:
        assert order.index(slower.verdict) >= order.index(outcome.verdict)
    assert "\n" not in outcome.sentence
    json.dumps(outcome.figures, allow_nan=False)


@pytest.mark.parametrize("zero", [(0.0, 40000.0), (40000.0, 0.0), (0.0, 0.0)])
def test_a_side_without_any_answer_is_inconclusive(zero: tuple[float, float]) -> None:
    outcome = judge(pairs([zero] * 5), 0.05)
    assert outcome.verdict == "inconclusive"
    json.dumps(outcome.figures, allow_nan=False)
