"""The judgement of a point's runs."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_kubelb.verdict.repeatability import Word, cv_bounds, judge, sentence, session_verdict

if TYPE_CHECKING:
    from random import Random

ORDER = {"repeatable": 0, "inconclusive": 1, "unrepeatable": 2}
HEALTHY = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8, 100.1, 99.9]

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
    assert (judged.mad_raw, judged.mad_scaled) == (2.0, 2 * 1.4826)
    assert judged.verdict == "repeatable"


def test_the_bounds_of_the_cv_are_those_of_the_chi_square_tables() -> None:
    # chi2 with 9 degrees of freedom: 14.684 at 0.90, 4.168 at 0.10
    low, high = cv_bounds(0.05, 10, 0.90)
    assert low == pytest.approx(0.05 * math.sqrt(9 / 14.684), rel=1e-4)
    assert high == pytest.approx(0.05 * math.sqrt(9 / 4.168), rel=1e-4)


@given(runs, st.floats(0.7, 0.999))
def test_the_bounds_enclose_the_cv(rps: list[float], confidence: float) -> None:
    judged = judge(rps, tolerance=0.05, confidence=confidence)
    assert judged.cv is not None
    assert judged.cv_low is not None
    assert judged.cv_high is not None
    assert judged.cv_low <= judged.cv <= judged.cv_high


@given(runs)
def test_mean_and_s_r_are_those_of_the_standard_library(rps: list[float]) -> None:
    judged = judge(rps, tolerance=0.05)
    assert judged.mean == pytest.approx(statistics.mean(rps))
    assert judged.s_r == pytest.approx(statistics.stdev(rps), abs=max(rps) * 1e-12)


@given(runs, tolerances, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_matters_only_to_where_they_collapsed_and_drifted(
    rps: list[float], tolerance: float, random: Random
) -> None:
    shuffled = list(rps)
    random.shuffle(shuffled)
    there, here = judge(shuffled, tolerance=tolerance), judge(rps, tolerance=tolerance)
    assert sorted(shuffled[index] for index in there.collapsed) == sorted(
        rps[index] for index in here.collapsed
    )
    assert replace(there, collapsed=(), drift=None) == replace(here, collapsed=(), drift=None)


@given(runs, tolerances, st.floats(1e-3, 1e6))
def test_the_unit_of_the_runs_does_not_matter(rps: list[float], tolerance: float, factor: float) -> None:
    judged, scaled = (judge([value * by for value in rps], tolerance=tolerance) for by in (1.0, factor))
    assert judged.cv is not None
    assert scaled.cv == pytest.approx(judged.cv, rel=1e-9, abs=1e-12)
    limits = (judged.cv_low, judged.cv, judged.cv_high)
    assume(all(limit is not None and abs(limit - tolerance) > 1e-9 for limit in limits))
    assume(all(value != pytest.approx(judged.collapse_limit, rel=1e-9) for value in rps))
    assert (scaled.verdict, scaled.collapsed) == (judged.verdict, judged.collapsed)


@given(runs, tolerances, st.floats(0, 1), st.sampled_from([None, 5, 40]))
def test_a_wider_tolerance_never_makes_the_verdict_worse(
    rps: list[float], tolerance: float, wider: float, max_runs: int | None
) -> None:
    narrow, wide = (
        judge(rps, tolerance=limit, max_runs=max_runs).verdict for limit in (tolerance, tolerance + wider)
    )
    assert ORDER[wide] <= ORDER[narrow]


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=15),
    st.floats(0, 0.5),
    st.floats(1, 2),
    tolerances,
    st.sampled_from([None, 5, 40]),
)
def test_more_noise_never_makes_the_verdict_better(
    noise: list[float], size: float, louder: float, tolerance: float, max_runs: int | None
) -> None:
    middle = statistics.fmean(noise)
    quiet, loud = (
        judge([100 + (each - middle) * 50 * by for each in noise], tolerance=tolerance, max_runs=max_runs)
        for by in (size, size * louder)
    )
    limits = (quiet.cv_low, quiet.cv, quiet.cv_high)
    assume(all(limit is not None and abs(limit - tolerance) > 1e-9 for limit in limits))
    assert ORDER[loud.verdict] >= ORDER[quiet.verdict]


@given(st.floats(1e-300, 1e300), st.integers(2, 20))
def test_identical_runs_have_a_spread_of_exactly_zero(value: float, number: int) -> None:
    judged = judge([value] * number, tolerance=0.0)
    assert (judged.mean, judged.s_r, judged.cv, judged.range) == (value, 0.0, 0.0, 0.0)
    assert judged.verdict == "repeatable"


def test_after_the_last_run_a_cv_at_the_tolerance_is_repeatable_and_just_above_it_is_inconclusive() -> None:
    cv = judge([99.0, 101.0], tolerance=1).cv
    assert cv is not None
    assert judge([99.0, 101.0], tolerance=cv).verdict == "repeatable"
    assert judge([99.0, 101.0], tolerance=math.nextafter(cv, 0)).verdict == "inconclusive"


def test_before_the_last_run_the_upper_bound_of_the_cv_has_to_be_within_the_tolerance() -> None:
    rps = [98.0, 102.0, 100.0]
    judged = judge(rps, tolerance=0.05, max_runs=10)
    assert judged.cv is not None
    assert judged.cv_high is not None
    assert judged.cv < 0.05 < judged.cv_high
    assert judged.verdict == "inconclusive"
    assert judge(rps, tolerance=0.05, max_runs=3).verdict == "repeatable"
    assert judge(rps, tolerance=0.05).verdict == "repeatable"
    assert judge(rps, tolerance=judged.cv_high, max_runs=10).verdict == "repeatable"


def test_a_cv_whose_lower_bound_is_above_the_tolerance_is_unrepeatable() -> None:
    judged = judge([99.0, 101.0, 100.0], tolerance=0.001)
    assert judged.cv_low is not None
    assert judged.cv_low > 0.001
    assert (judged.verdict, judged.collapsed) == ("unrepeatable", ())


def test_one_collapsed_run_in_ten_is_unrepeatable_and_named_by_its_index() -> None:
    judged = judge([*HEALTHY[:3], 33.0, *HEALTHY[3:]], tolerance=0.05)
    assert (judged.verdict, judged.collapsed) == ("unrepeatable", (3,))
    assert judged.collapse_limit == pytest.approx(0.8 * 99.95)
    assert judged.mad_scaled == pytest.approx(0.6, abs=0.2)


def test_a_collapse_is_unrepeatable_even_where_the_cv_alone_is_not() -> None:
    judged = judge([*HEALTHY * 3, 75.0], tolerance=0.05)
    assert judged.cv is not None
    assert judged.cv < 0.05
    assert (judged.verdict, judged.collapsed) == ("unrepeatable", (27,))


@pytest.mark.parametrize(
    ("tolerance", "limit"), [(0.0, 80), (0.05, 80), (0.10, 80), (0.25, 50), (0.5, 0), (1.0, 0)]
)
def test_only_a_tolerance_above_ten_per_cent_moves_what_counts_as_a_collapse(
    tolerance: float, limit: float
) -> None:
    assert judge([100.0] * 3, tolerance=tolerance).collapse_limit == pytest.approx(limit)


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


@pytest.mark.parametrize("odd", [0.5, 1.0, 0.0, math.nan])
def test_a_confidence_that_gives_no_bounds_is_refused(odd: float) -> None:
    with pytest.raises(ValueError, match=f"a confidence of {odd} cannot be used"):
        judge([1.0, 1.0], tolerance=0.05, confidence=odd)


@pytest.mark.parametrize(
    ("unrepeatable", "inconclusive", "of", "word"),
    [
        (0, 0, 0, "inconclusive"),
        (1, 0, 1, "unrepeatable"),
        (2, 0, 20, "repeatable"),
        (3, 0, 20, "unrepeatable"),
        (2, 1, 20, "inconclusive"),
        (0, 2, 20, "repeatable"),
        (7, 0, 70, "repeatable"),
    ],
)
def test_a_session_is_unrepeatable_when_more_than_a_tenth_of_its_points_are(
    unrepeatable: int, inconclusive: int, of: int, word: Word
) -> None:
    counts: dict[Word, int] = {
        "unrepeatable": unrepeatable,
        "inconclusive": inconclusive,
        "repeatable": of - unrepeatable - inconclusive,
    }
    verdicts = [each for each, count in counts.items() for _ in range(count)]
    assert session_verdict(verdicts) == word


def test_a_million_runs_are_judged() -> None:
    judged = judge([100.0, 102.0] * 500_000, tolerance=0.05)
    assert judged.runs == 1_000_000
    assert judged.s_r == pytest.approx(1.0, rel=1e-6)


def test_the_failure_sentence_has_point_runs_spread_limit_and_what_to_do() -> None:
    rps = [40000.0, 41000.0, 20000.0]
    text = sentence("ipvs-vxlan-pods04", rps, judge(rps, tolerance=0.05))
    assert text == (
        "ipvs-vxlan-pods04 is unrepeatable: the CV of 3 valid runs is 35.19%, above the tolerance of 5.00%, "
        "run 3 collapsed, to 50% of the median, below 80% (s_r 11846.2 req/s, mean 33666.7 req/s, "
        "runs 40000 41000 20000 req/s); see what the evidence says of the collapse, lengthen --kubelb-duration, "
        "or raise --kubelb-tolerance if "
        "that spread is acceptable."
    )


def test_an_inconclusive_sentence_has_the_bounds_and_how_to_get_a_verdict() -> None:
    rps = [100.0, 103.0, 108.0]
    text = sentence("p", rps, judge(rps, tolerance=0.03))
    assert text == (
        "p is inconclusive: the CV of 3 valid runs is 3.90%, above the tolerance of 3.00%, but so few runs leave "
        "it between 2.57% and 12.01% (s_r 4.0 req/s, mean 103.7 req/s, runs 100 103 108 req/s); let it make more "
        "runs with --kubelb-max-runs, or lengthen --kubelb-duration."
    )


def test_a_drift_is_in_the_sentence() -> None:
    rps = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    assert "the runs drift up (Kendall's tau 1.00, p 0.003)" in sentence("p", rps, judge(rps, tolerance=0.05))


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
