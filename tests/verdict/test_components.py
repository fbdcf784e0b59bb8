"""Variance by level: runs, provisionings, sessions, testbeds."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.verdict.components import Components, across_testbeds, within_testbed

values = st.floats(1, 1000)
provisionings = st.lists(st.lists(values, min_size=1, max_size=4), min_size=1, max_size=3)
sessions = st.lists(provisionings, min_size=1, max_size=4)


def drawn(
    shape: list[list[int]], seed: int, *, between: float = 2, inside: float = 1
) -> list[list[list[float]]]:
    source = random.Random(seed)  # noqa: S311 - reproducible noise, no secret
    made = []
    for each in shape:
        session = 100 + source.gauss(0, between)
        levels = [(session + source.gauss(0, inside), runs) for runs in each]
        made.append([[level + source.gauss(0, inside) for _ in range(runs)] for level, runs in levels])
    return made


def test_a_balanced_nest_gives_the_textbook_components() -> None:
    data = [[[1.0, 3.0], [5.0, 7.0]], [[2.0, 4.0], [10.0, 12.0]]]
    found = within_testbed(data)
    # Mean squares by hand: runs 8/4, provisionings (16 + 64)/2, sessions 18/1.
    assert found.s_r is not None
    assert found.s_r.s == pytest.approx(math.sqrt(2))
    provisioning, session = found.between_level("provisioning"), found.between_level("session")
    assert provisioning is not None
    assert session is not None
    assert provisioning.s == pytest.approx(math.sqrt((40 - 2) / 2))
    assert session.s == 0  # (18 - 40) / 4 is negative
    assert found.s_I is not None
    assert found.s_I.s == pytest.approx(math.sqrt(2 + 19))
    assert found.s_R is None
    assert dict(found.counts) == {"testbed": 1, "session": 2, "provisioning": 4, "run": 8}


def test_runs_of_one_provisioning_have_repeatability_alone() -> None:
    runs = [10.0, 11.0, 13.0]
    found = within_testbed([[runs]])
    assert found.s_r is not None
    assert found.s_r.s == pytest.approx(statistics.stdev(runs))
    # chi2 with 2 degrees of freedom: 7.3778 at 0.975, 0.050636 at 0.025
    assert found.s_r.low == pytest.approx(found.s_r.s * math.sqrt(2 / 7.3778), rel=1e-4)
    assert found.s_r.high == pytest.approx(found.s_r.s * math.sqrt(2 / 0.050636), rel=1e-4)
    assert (found.between, found.s_I, found.s_R) == ((), None, None)


def test_levels_that_the_data_do_not_tell_apart_are_named_together() -> None:
    one_each = within_testbed([[[1.0, 2.0]], [[4.0, 5.0]], [[3.0, 3.5]]])
    assert [each.levels for each in one_each.between] == [("session", "provisioning")]
    assert one_each.between_level("session") is None
    single_runs = within_testbed([[[1.0]], [[4.0]], [[3.0]]])
    assert [each.levels for each in single_runs.between] == [("session", "provisioning", "run")]
    assert single_runs.s_r is None
    assert single_runs.s_I is not None
    assert single_runs.s_I.s == pytest.approx(statistics.stdev([1.0, 4.0, 3.0]))
    one_session = within_testbed([[[1.0, 2.0], [4.0, 5.0]]])
    assert [each.levels for each in one_session.between] == [("provisioning",)]


def test_testbeds_add_reproducibility() -> None:
    found = across_testbeds([drawn([[4, 4]] * 4, seed) for seed in range(3)])
    assert [each.levels for each in found.between] == [("testbed",), ("session",), ("provisioning",)]
    assert found.s_r is not None
    assert found.s_I is not None
    assert found.s_R is not None
    assert found.s_r.s < found.s_I.s <= found.s_R.s
    assert across_testbeds([drawn([[4, 4]] * 4, 1)]) == within_testbed(drawn([[4, 4]] * 4, 1))


def _deviations(found: Components) -> list[float]:
    spreads = [found.s_r, found.s_I, found.s_R, *(each.spread for each in found.between)]
    return [value for each in spreads if each for value in (each.s, each.low, each.high)]


@given(sessions, st.integers(-10, 10))
def test_standard_deviations_go_with_the_unit(data: list[list[list[float]]], power: int) -> None:
    factor = 2.0**power
    scaled = within_testbed([[[value * factor for value in runs] for runs in each] for each in data])
    assert _deviations(scaled) == pytest.approx(
        [value * factor for value in _deviations(within_testbed(data))]
    )


@given(sessions, st.randoms(use_true_random=False))
def test_the_order_of_runs_provisionings_and_sessions_does_not_matter(
    data: list[list[list[float]]], source: random.Random
) -> None:
    shuffled = [[source.sample(runs, len(runs)) for runs in each] for each in data]
    for each in shuffled:
        source.shuffle(each)
    source.shuffle(shuffled)
    there, here = within_testbed(shuffled), within_testbed(data)
    assert [each.levels for each in there.between] == [each.levels for each in here.between]
    assert _deviations(there) == pytest.approx(_deviations(here), rel=1e-5, abs=1e-4)


@given(sessions)
def test_every_interval_holds_its_estimate_and_is_finite(data: list[list[list[float]]]) -> None:
    found = within_testbed(data)
    for spread in [found.s_r, found.s_I, *(each.spread for each in found.between)]:
        if spread is not None:
            assert 0 <= spread.low <= spread.s <= spread.high < math.inf
            assert spread.df > 0


@pytest.mark.parametrize(
    "shape", [[[5, 5]] * 6, [[5, 3, 8], [2], [7, 1], [4, 4, 4], [3, 3]]], ids=["balanced", "unbalanced"]
)
def test_the_intervals_hold_the_truth_about_as_often_as_they_say(shape: list[list[int]]) -> None:
    trials = 400
    truth = {"r": 1.0, "I": math.sqrt(6), "session": 2.0, "provisioning": 1.0}
    held = dict.fromkeys(truth, 0)
    for seed in range(trials):
        found = within_testbed(drawn(shape, seed))
        spreads = {
            "r": found.s_r,
            "I": found.s_I,
            "session": found.between_level("session"),
            "provisioning": found.between_level("provisioning"),
        }
        for name, spread in spreads.items():
            assert spread is not None
            held[name] += spread.low <= truth[name] <= spread.high
    assert {name: 0.90 < count / trials < 0.99 for name, count in held.items()} == dict.fromkeys(truth, True)


def test_identical_values_have_no_spread_at_any_level() -> None:
    assert set(_deviations(within_testbed([[[7.0] * 3, [7.0] * 2], [[7.0] * 3]]))) == {0.0}
    assert set(_deviations(within_testbed([[[0.0] * 3], [[0.0] * 3]]))) == {0.0}


def test_a_single_value_has_a_mean_and_nothing_else() -> None:
    found = within_testbed([[[5.0]]])
    assert (found.mean, found.s_r, found.between, found.s_I, found.s_R) == (5.0, None, (), None, None)


def test_a_hundred_thousand_runs_are_analysed() -> None:
    found = within_testbed(drawn([[100] * 10] * 100, 1))
    assert found.s_I is not None
    assert found.s_I.s == pytest.approx(math.sqrt(6), rel=0.2)


@pytest.mark.parametrize("data", [[], [[]], [[[]]], [[[1.0, math.nan]]], [[[math.inf]]]])
def test_what_cannot_be_analysed_is_refused(data: list[list[list[float]]]) -> None:
    with pytest.raises(ValueError, match="the values cannot be analysed"):
        within_testbed(data)
