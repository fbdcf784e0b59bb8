"""How many of the first runs are warm-up."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.verdict.settling import first_steady

series = st.lists(st.floats(0, 1e9), max_size=30)
whole_rates = st.lists(st.integers(50, 150).map(float), max_size=12)
LEAST = 0.0123
"""No ratio of two whole rates: rounding cannot decide."""
STEADY = [100.0, 101.0, 99.5, 100.4, 99.8, 100.9, 100.1]


@pytest.mark.parametrize(
    ("leading", "count"), [([], 0), ([80.0], 1), ([70.0, 90.0], 2), ([60.0, 80.0, 95.0], 3), ([105.0], 0)]
)
def test_low_leading_runs_are_counted(leading: list[float], count: int) -> None:
    assert first_steady([*leading, *STEADY]) == count


def test_a_collapse_in_the_middle_is_no_warm_up() -> None:
    assert first_steady([100.0, 101.0, 33.0, *STEADY]) == 0


def test_a_first_run_that_is_lower_by_less_than_a_per_cent_is_no_warm_up() -> None:
    at_a_ceiling = [163_000.0, *[163_900.0 + index for index in range(9)]]
    assert first_steady(at_a_ceiling) == 0
    assert first_steady(at_a_ceiling, least=0.001) == 1


@pytest.mark.parametrize("rps", [[], [1.0], [1.0, 100.0], [1.0, 100.0, 100.0]])
def test_fewer_than_four_runs_have_no_warm_up(rps: list[float]) -> None:
    assert first_steady(rps) == 0


@given(series)
def test_never_more_than_half_of_the_runs_are_warm_up(rps: list[float]) -> None:
    assert 0 <= first_steady(rps) <= len(rps) // 2


@given(whole_rates, st.floats(1e-3, 1e3))
def test_the_unit_of_the_runs_does_not_matter(rps: list[float], factor: float) -> None:
    assert first_steady([value * factor for value in rps], least=LEAST) == first_steady(rps, least=LEAST)


@given(whole_rates, st.randoms(use_true_random=False))
def test_the_order_of_the_later_runs_does_not_keep_the_leading_ones_from_being_named(
    rps: list[float], source: random.Random
) -> None:
    count = first_steady(rps, least=LEAST)
    later = rps[count:]
    source.shuffle(later)
    assert first_steady([*rps[:count], *later], least=LEAST) >= count


@pytest.mark.parametrize("runs", [4, 5, 10, 20])
def test_steady_normal_runs_are_taken_for_warm_up_as_rarely_as_is_said(runs: int) -> None:
    source = random.Random(runs)  # noqa: S311 - reproducible noise, no secret
    trials = 3000
    alarms = sum(
        first_steady([math.exp(source.gauss(0, 0.03)) for _ in range(runs)]) > 0 for _ in range(trials)
    )
    assert alarms / trials < 0.025 + 3 * math.sqrt(0.025 / trials)


def test_a_million_rising_runs_are_judged() -> None:
    assert first_steady([1.0 + index for index in range(10**6)]) < 500_000


@pytest.mark.parametrize("odd", [math.nan, math.inf, -1.0])
def test_what_cannot_be_a_rate_is_refused(odd: float) -> None:
    with pytest.raises(ValueError, match="cannot be judged"):
        first_steady([1.0, odd])
