"""The regression gate of one point."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_kubelb.verdict import protocol
from pytest_kubelb.verdict.regression import Regression, judge, sentence

if TYPE_CHECKING:
    from random import Random

STEADY = [[1000.0, 1004.0, 997.0], [1003.0, 1001.0, 998.0], [996.0, 1002.0, 1000.0]]
LENIENCE = {"regression": 0, "retest": 1, "inconclusive": 1, "pass": 2}

rates = st.floats(100.0, 1e6)
scatters = st.floats(0.0, 0.1)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[list[float]], list[list[float]]]:
    """Give sessions around one level with one scatter, and candidates up to 15 % below."""
    level, scatter, drop = draw(rates), draw(scatters), draw(st.floats(-0.05, 0.15))
    rng = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311  reproducible noise, no secret
    runs = draw(st.sampled_from([1, 2, 3, 5, 10]))

    def session(centre: float) -> list[float]:
        middle = centre * math.exp(rng.gauss(0, scatter))
        return [middle * math.exp(rng.gauss(0, scatter / 2)) for _ in range(runs)]

    baseline = [session(level) for _ in range(draw(st.integers(1, 7)))]
    return baseline, [session(level * (1 - drop)) for _ in range(draw(st.integers(1, 4)))]


def times(sessions: list[list[float]], factor: float) -> list[list[float]]:
    return [[run * factor for run in session] for session in sessions]


def test_a_steady_point_that_did_not_move_passes() -> None:
    judged = judge(STEADY, [[999.0, 1001.0, 1000.0]])
    assert judged.verdict == "pass"
    assert judged.low < judged.change < judged.high
    assert judged.change == pytest.approx(0, abs=0.002)
    assert (judged.sessions, judged.candidates, judged.max_drop) == (3, 1, 0.05)
    assert judged.mde < 0.05
    assert not judged.faster


def test_a_drop_is_a_regression_only_after_a_fresh_provisioning_shows_it_again() -> None:
    slow = [950.0, 949.0, 952.0]
    assert judge(STEADY, [slow]).verdict == "retest"
    judged = judge(STEADY, [slow, slow])
    assert judged.verdict == "regression"
    assert judged.change == pytest.approx(-0.05, abs=0.004)
    assert judged.p < 0.001
    assert judged.odds > 100


def test_what_a_second_provisioning_shows_faintly_is_decided_by_a_third() -> None:
    baseline = [[1000.0, 1015.0, 985.0], [1021.0, 1035.0, 1004.0], [980.0, 995.0, 968.0]]
    slow = [[950.0, 964.0, 938.0], [968.0, 980.0, 955.0], [955.0, 970.0, 941.0]]
    second = judge(baseline, slow[:2])
    assert second.verdict == "retest"
    assert 1.6 < second.odds < 8
    assert judge(baseline, slow).verdict == "regression"


def test_sessions_of_one_run_have_to_show_more() -> None:
    baseline, slow = [[1000.0], [1017.0], [985.0], [1009.0], [991.0]], [[971.0], [976.0], [974.0]]
    single = judge(baseline, slow)
    assert 1.6 < single.odds < 4
    assert single.verdict == "inconclusive"
    assert judge(baseline, [[957.0], [962.0], [960.0]]).verdict == "regression"


def test_one_bad_provisioning_of_three_is_no_regression() -> None:
    good, bad = [1000.0, 1001.0, 999.0], [500.0, 510.0, 505.0]
    assert judge(STEADY, [bad]).verdict == "retest"
    assert judge(STEADY, [bad, good]).verdict in {"retest", "pass"}
    assert judge(STEADY, [bad, good, good]).verdict == "pass"


def test_one_odd_baseline_session_neither_hides_nor_fakes_a_drop() -> None:
    for odd in (600.0, 1400.0):
        baseline = [*STEADY, [odd] * 3, [1001.0, 999.0, 1000.0]]
        assert judge(baseline, [[1000.0] * 3]).verdict == "pass"
        assert judge(baseline, [[950.0] * 3, [951.0] * 3]).verdict == "regression"


def test_a_point_that_moves_from_session_to_session_is_inconclusive_and_says_what_could_be_seen() -> None:
    baseline = [[1000.0], [900.0], [1090.0], [950.0], [1060.0]]
    judged = judge(baseline, [[960.0], [1010.0], [940.0]])
    assert judged.verdict == "inconclusive"
    assert judged.mde > 0.1
    assert f"smallest drop that could be seen {judged.mde:.1%}" in sentence("ipvs-pods01", judged)


def test_faster_than_the_baseline_passes_and_is_called_stale() -> None:
    judged = judge(STEADY, [[1080.0, 1079.0, 1081.0]])
    assert (judged.verdict, judged.faster) == ("pass", True)
    assert "stale" in sentence("ipvs-pods01", judged)


def test_a_single_baseline_session_can_be_judged_against() -> None:
    runs = [1000.0, 1001.0, 999.0, 1000.5, 999.5]
    assert judge([runs], [runs]).verdict == "pass"
    assert judge([runs], times([runs, runs, runs], 0.95)).verdict == "regression"


def test_single_runs_can_be_judged() -> None:
    baseline = [[1000.0], [1002.0], [999.0], [1001.0], [998.0]]
    assert judge(baseline, [[1000.0]]).verdict == "pass"
    assert judge(baseline, [[950.0], [949.0]]).verdict == "regression"


def test_identical_values_are_judged() -> None:
    same = [[1000.0] * 5] * 4
    assert judge(same, [[1000.0] * 5]).verdict == "pass"
    assert judge(same, [[950.0] * 5] * 2).verdict == "regression"


def test_a_candidate_that_answers_nothing_is_a_regression_once_confirmed() -> None:
    assert judge(STEADY, [[0.0] * 3]).verdict == "retest"
    judged = judge(STEADY, [[0.0] * 3] * 2)
    assert judged.verdict == "regression"
    assert judged.candidate_rps == 0
    assert judged.change < -0.9


def test_a_run_of_zero_is_a_run_like_any_other_wild_one() -> None:
    assert judge(STEADY, [[1000.0, 0.0, 1001.0, 999.0, 1000.0]]).verdict == "pass"


def test_a_baseline_of_which_half_answers_nothing_cannot_be_compared_with() -> None:
    judged = judge([[0.0] * 3, [1000.0] * 3], [[1000.0] * 3])
    assert judged.verdict == "inconclusive"
    assert judge([[0.0]], [[0.0]]).verdict == "inconclusive"
    assert "pin another baseline" in sentence("ipvs-pods01", judge([[0.0]], [[5.0]]))


def test_one_dead_baseline_session_is_an_odd_one() -> None:
    assert judge([*STEADY, [0.0] * 3], [[1000.0] * 3]).verdict == "pass"


@pytest.mark.parametrize(
    ("baseline", "candidates", "named"),
    [
        ([], [[1.0]], "the baseline has no session"),
        ([[1.0]], [], "no candidate session"),
        ([[1.0], []], [[1.0]], "baseline session 2 has no runs"),
        ([[1.0]], [[]], "candidate session 1 has no runs"),
        ([[1.0, math.nan]], [[1.0]], "baseline session 1, run 2: nan"),
        ([[1.0]], [[math.inf]], "candidate session 1, run 1: inf"),
        ([[1.0]], [[1.0], [-3.0]], "candidate session 2, run 1: -3.0"),
    ],
)
def test_what_cannot_be_judged_is_named(
    baseline: list[list[float]], candidates: list[list[float]], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        judge(baseline, candidates)


@pytest.mark.parametrize("max_drop", [0.0, 1.0, -0.05, math.nan])
def test_a_limit_that_is_no_drop_is_refused(max_drop: float) -> None:
    with pytest.raises(ValueError, match="max_drop"):
        judge(STEADY, STEADY, max_drop=max_drop)


def test_a_wider_limit_lets_a_small_drop_pass() -> None:
    slow = [[970.0] * 3] * 2
    assert judge(STEADY, slow, max_drop=0.03).verdict == "regression"
    assert judge(STEADY, slow, max_drop=0.2).verdict == "pass"


def test_a_million_runs_are_judged() -> None:
    runs = [1000.0 + number % 7 for number in range(1_000_000)]
    assert judge([runs, runs, runs], [runs]).verdict == "pass"


def test_only_the_newest_thirty_sessions_count() -> None:
    judged = judge([[500.0] * 3] * 70 + [[1000.0] * 3] * 30, [[1000.0] * 3])
    assert (judged.verdict, judged.sessions) == ("pass", 30)
    assert judged.baseline_rps == pytest.approx(1000.0)


@given(questions(), st.floats(1e-6, 1e6))
def test_the_unit_does_not_matter(
    question: tuple[list[list[float]], list[list[float]]], factor: float
) -> None:
    baseline, candidates = question
    judged, scaled = judge(baseline, candidates), judge(times(baseline, factor), times(candidates, factor))
    assert scaled.change == pytest.approx(judged.change, abs=1e-6)
    assert scaled.odds == pytest.approx(judged.odds, rel=1e-4)
    assert scaled.baseline_rps == pytest.approx(judged.baseline_rps * factor)
    assume(all(abs(math.log(judged.odds / at)) > 1e-3 for at in (1 / 8, 1.6, 4, 8, 20)))
    assert scaled.verdict == judged.verdict


@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_runs_and_of_sessions_does_not_matter(
    question: tuple[list[list[float]], list[list[float]]], rng: Random
) -> None:
    baseline, candidates = question
    shuffled = [rng.sample(runs, len(runs)) for runs in rng.sample(baseline, len(baseline))]
    again = judge(shuffled, [rng.sample(runs, len(runs)) for runs in rng.sample(candidates, len(candidates))])
    judged = judge(baseline, candidates)
    for name, value in dataclasses.asdict(judged).items():
        expected = value if isinstance(value, (str, bool)) else pytest.approx(value, rel=1e-6, abs=1e-9)
        assert getattr(again, name) == expected, name


@given(questions(), st.floats(0.5, 1.0))
def test_a_larger_drop_is_never_judged_more_leniently(
    question: tuple[list[list[float]], list[list[float]]], factor: float
) -> None:
    baseline, candidates = question
    judged, slower = judge(baseline, candidates), judge(baseline, times(candidates, factor))
    assert LENIENCE[slower.verdict] <= LENIENCE[judged.verdict]
    assert slower.odds >= judged.odds * (1 - 1e-6)


@given(questions(), st.floats(1.0, 4.0))
@settings(max_examples=200)
def test_more_noise_never_turns_inconclusive_into_a_pass(
    question: tuple[list[list[float]], list[list[float]]], more: float
) -> None:
    baseline, candidates = question
    judged = judge(baseline, candidates)
    assume(judged.verdict in {"inconclusive", "retest"})
    centre = judged.baseline_rps
    wider = [[centre * (run / centre) ** more for run in runs] for runs in baseline]
    noisier = []
    for runs in candidates:
        middle = sorted(runs)[len(runs) // 2]
        noisier.append([middle * (run / middle) ** more for run in runs])
    assert judge(wider, noisier).verdict != "pass"


@given(st.integers(0, 2**32), st.floats(0.01, 100.0), st.integers(3, 7))
def test_one_wild_run_in_ten_neither_hides_nor_fakes_a_drop_of_five_percent(
    seed: int, wild: float, sessions: int
) -> None:
    rng = random.Random(seed)  # noqa: S311  reproducible noise, no secret

    def session(centre: float) -> list[float]:
        runs = [centre * math.exp(rng.gauss(0, 0.002)) for _ in range(10)]
        runs[rng.randrange(10)] *= wild
        return runs

    baseline = [session(1000.0) for _ in range(sessions)]
    assert judge(baseline, [session(1000.0)]).verdict == "pass"
    assert judge(baseline, [session(950.0), session(950.0)]).verdict == "regression"


@given(questions())
def test_the_figures_hang_together(question: tuple[list[list[float]], list[list[float]]]) -> None:
    judged = judge(*question)
    assert -1 <= judged.low <= judged.change <= judged.high
    assert 0 < judged.mde <= 1
    assert 0 <= judged.p <= 1
    assert all(
        math.isfinite(value) for value in dataclasses.asdict(judged).values() if isinstance(value, float)
    )
    assert sentence("ipvs-pods01", judged).startswith("ipvs-pods01 ")
    if len(question[1]) >= 3:
        assert judged.verdict != "retest"
    if len(question[1]) == 1:
        assert judged.verdict != "regression"


def test_a_regression_in_words_has_its_numbers_and_what_to_do() -> None:
    judged = Regression(
        "regression", -0.052, -0.06, -0.044, 0.031, 0.0004, 900.0, 1000.0, 948.0, 5, 2, 0.05, faster=False
    )
    assert sentence("ipvs-pods08", judged) == (
        "ipvs-pods08 has regressed: 948.0 req/s against the baseline's 1000.0, "
        "estimated change -5.2% (-6.0% to -4.4%), a drop of 5.0% or more is 900 times likelier than none, "
        "smallest drop that could be seen 3.1%, 2 provisionings against 5 baseline sessions; "
        "look for what changed since the baseline, or pin a new one if the drop is meant."
    )


@pytest.mark.parametrize(
    ("odds", "says"),
    [
        (1e9, "a drop of 5.0% or more is over 1000 times likelier than none"),
        (12.4, "a drop of 5.0% or more is 12 times likelier than none"),
        (2.5, "a drop of 5.0% or more is 2.5 times likelier than none"),
        (1.0, "a drop of 5.0% or more is as likely as none"),
        (1 / 8.5, "no drop is 8.5 times likelier than one of 5.0% or more"),
        (0.0, "no drop is over 1000 times likelier than one of 5.0% or more"),
    ],
)
def test_the_sentence_names_the_odds_that_the_verdict_rests_on(odds: float, says: str) -> None:
    judged = dataclasses.replace(judge(STEADY, [[999.0] * 3]), odds=odds)
    assert f", {says}, " in sentence("ipvs-pods08", judged)


def test_a_drop_short_of_the_limit_is_not_said_to_be_beyond_it() -> None:
    judged = judge(STEADY, [[960.0] * 3] * 2)
    assert judged.verdict == "regression"
    assert "limit" not in sentence("ipvs-pods08", judged)
    assert "estimated change -4.0%" in sentence("ipvs-pods08", judged)


def test_one_baseline_session_that_says_too_little_is_not_called_unsteady() -> None:
    judged = judge([[1000.0, 960.0, 1040.0]], [[985.0, 925.0, 1045.0]] * 3)
    assert judged.verdict == "inconclusive"
    assert sentence("ipvs-pods08", judged).endswith(
        "3 provisionings against 1 baseline session; one baseline session says too little about the level: "
        "add baseline sessions, or raise --kubelb-max-drop."
    )


def test_the_protocol_answers_a_point_and_asks_for_another_measurement() -> None:
    slow = [950.0, 949.0, 951.0]
    assert protocol.answer({"baseline": STEADY, "candidate": STEADY[0]})["verdict"] == "pass"
    assert protocol.answer({"baseline": STEADY, "candidate": slow})["verdict"] == "retest"
    answer = protocol.answer({"baseline": STEADY, "candidate": slow, "candidates": [slow, slow]})
    assert answer["verdict"] == "regression"
    json.loads(json.dumps(answer, allow_nan=False))
    assert protocol.decide(STEADY, slow) == "retest"
    assert protocol.confirm(STEADY, [slow, slow]) == "regression"


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ({}, "baseline is missing"),
        ({"baseline": STEADY}, "candidate is missing"),
        ({"baseline": [], "candidate": [1.0]}, r"baseline is \[\]"),
        ({"baseline": [[1.0], 3], "candidate": [1.0]}, r"baseline\[1\] is 3"),
        ({"baseline": STEADY, "candidate": [1.0, "x"]}, r"candidate\[1\] is 'x'"),
        ({"baseline": STEADY, "candidate": [10**400]}, r"candidate\[0\] is 1000"),
        ({"baseline": STEADY, "candidate": [math.nan]}, r"candidate\[0\] is nan"),
        ({"baseline": STEADY, "candidate": [True]}, r"candidate\[0\] is True"),
        ({"baseline": STEADY, "candidates": "abc"}, "candidates is 'abc'"),
        ({"baseline": STEADY, "candidate": [1.0], "limit": 3}, "limit is not a field"),
        ({"baseline": STEADY, "candidate": [1.0], "max_drop": 5}, "max_drop is 5"),
        ({"cells": {}}, "cells is {}"),
        ({"cells": {"p01": 1}}, "cells.p01 is 1"),
        ({"cells": {"p01": {"baseline": STEADY}}}, "cells.p01.candidate is missing"),
    ],
)
def test_a_bad_question_is_refused_by_the_name_of_its_field(question: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        protocol.answer(question)
