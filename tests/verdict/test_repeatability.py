"""The judgement of a point's runs."""

from __future__ import annotations

import math
import re
import statistics
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_kubelb.verdict.repeatability import judge, sentence

if TYPE_CHECKING:
    from random import Random

runs = st.lists(st.floats(0.01, 1e9), min_size=2, max_size=30)
tolerances = st.floats(0, 1)


def test_the_figures_of_five_runs() -> None:
    judged = judge([100.0, 102.0, 98.0, 104.0, 96.0], tolerance=0.05)
    assert (judged.runs, judged.median) == (5, 100.0)
    assert judged.mean == pytest.approx(100.0)
    assert judged.s_r == pytest.approx(math.sqrt(10))
    assert judged.cv == pytest.approx(math.sqrt(10) / 100)
    assert (judged.minimum, judged.maximum, judged.range) == (96.0, 104.0, 8.0)
    assert judged.repeatability_limit == pytest.approx(2.8 * math.sqrt(10))
    assert judged.verdict == "repeatable"


@given(runs)
def test_mean_and_s_r_are_those_of_the_standard_library(rps: list[float]) -> None:
    judged = judge(rps, tolerance=0.05)
    assert judged.mean == pytest.approx(statistics.mean(rps))
    assert judged.s_r == pytest.approx(statistics.stdev(rps), abs=max(rps) * 1e-12)


@given(runs, tolerances, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(rps: list[float], tolerance: float, random: Random) -> None:
    shuffled = list(rps)
    random.shuffle(shuffled)
    assert judge(shuffled, tolerance=tolerance) == judge(rps, tolerance=tolerance)


@given(runs, tolerances, st.floats(1e-3, 1e6))
def test_the_unit_of_the_runs_does_not_matter(rps: list[float], tolerance: float, factor: float) -> None:
    judged, scaled = (judge([value * by for value in rps], tolerance=tolerance) for by in (1.0, factor))
    assert judged.cv is not None
    assert scaled.cv == pytest.approx(judged.cv, rel=1e-9, abs=1e-12)
    assume(abs(judged.cv - tolerance) > 1e-9)
    assert scaled.verdict == judged.verdict


@given(runs, tolerances, st.floats(0, 1))
def test_a_wider_tolerance_never_turns_repeatable_into_unrepeatable(
    rps: list[float], tolerance: float, wider: float
) -> None:
    verdicts = [judge(rps, tolerance=limit).verdict for limit in (tolerance, tolerance + wider)]
    assert verdicts != ["repeatable", "unrepeatable"]


@given(st.floats(1e-300, 1e300), st.integers(2, 20))
def test_identical_runs_have_a_spread_of_exactly_zero(value: float, number: int) -> None:
    judged = judge([value] * number, tolerance=0.0)
    assert (judged.mean, judged.s_r, judged.cv, judged.range) == (value, 0.0, 0.0, 0.0)
    assert judged.verdict == "repeatable"


def test_a_cv_at_the_tolerance_is_repeatable_and_just_above_it_is_not() -> None:
    cv = judge([99.0, 101.0], tolerance=1).cv
    assert cv is not None
    assert judge([99.0, 101.0], tolerance=cv).verdict == "repeatable"
    assert judge([99.0, 101.0], tolerance=math.nextafter(cv, 0)).verdict == "unrepeatable"


def test_no_run_and_one_run_are_inconclusive() -> None:
    none, one = judge([], tolerance=0.05), judge([40000.0], tolerance=0.05)
    assert (none.runs, none.mean, none.cv, none.verdict) == (0, None, None, "inconclusive")
    assert (one.runs, one.mean, one.median, one.range) == (1, 40000.0, 40000.0, 0.0)
    assert (one.s_r, one.cv, one.repeatability_limit, one.verdict) == (None, None, None, "inconclusive")


def test_runs_that_are_all_zero_are_inconclusive() -> None:
    judged = judge([0.0, 0.0], tolerance=0.05)
    assert (judged.mean, judged.s_r, judged.cv, judged.verdict) == (0.0, 0.0, None, "inconclusive")


def test_one_zero_among_the_runs_is_a_spread_like_any_other() -> None:
    assert judge([0.0, 100.0], tolerance=0.05).cv == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, -1.0])
def test_what_cannot_be_a_rate_is_refused(odd: float) -> None:
    with pytest.raises(ValueError, match=f"a run of {odd} cannot be judged"):
        judge([1.0, odd], tolerance=0.05)
    with pytest.raises(ValueError, match=f"a tolerance of {odd} cannot be judged"):
        judge([1.0], tolerance=odd)


def test_a_million_runs_are_judged() -> None:
    judged = judge([100.0, 102.0] * 500_000, tolerance=0.05)
    assert judged.runs == 1_000_000
    assert judged.s_r == pytest.approx(1.0, rel=1e-6)


def test_the_failure_sentence_has_point_runs_spread_limit_and_what_to_do() -> None:
    rps = [40000.0, 41000.0, 20000.0]
    text = sentence("ipvs-vxlan-pods04", rps, judge(rps, tolerance=0.05))
    assert text == (
        "ipvs-vxlan-pods04 is unrepeatable: the CV of 3 valid runs is 35.19%, above the tolerance of 5.00% "
        "(s_r 11846.2 req/s, mean 33666.7 req/s, runs 40000 41000 20000 req/s); see whether one run stands "
        "out or something else used the hosts, lengthen --kubelb-duration, or raise --kubelb-tolerance if "
        "that spread is acceptable."
    )


@pytest.mark.parametrize(
    ("rps", "says"),
    [
        ([], "p is inconclusive: 0 valid runs, and a spread needs at least 2; look at why"),
        ([41.5], r"p is inconclusive: 1 valid run \(41\.5 req/s\), and a spread needs at least 2"),
        ([0.0, 0.0], r"p is inconclusive: 2 valid runs \(0\.0 0\.0 req/s\), and none of them got a response"),
        (
            [100.0, 101.0],
            r"p is repeatable: the CV of 2 valid runs is 0\.70%, within the tolerance of 5\.00%",
        ),
    ],
)
def test_the_other_verdicts_have_a_sentence_too(rps: list[float], says: str) -> None:
    assert re.match(says, sentence("p", rps, judge(rps, tolerance=0.05)))


@given(st.lists(st.floats(0, 1e9), max_size=60), tolerances)
def test_a_sentence_is_one_line_and_ends_with_a_full_stop(rps: list[float], tolerance: float) -> None:
    text = sentence("ipvs-pods04", rps, judge(rps, tolerance=tolerance))
    assert text.endswith(".")
    assert "\n" not in text
