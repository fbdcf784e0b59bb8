"""The regression gate of a whole sweep."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_kubelb.verdict import protocol
from pytest_kubelb.verdict.regression import judge
from pytest_kubelb.verdict.sweep import Sweep, judge_sweep, sentence

Cells = dict[str, tuple[list[list[float]], list[list[float]]]]


def sweep(
    *, points: int = 20, sessions: int = 5, scatter: float = 0.005, drops: dict[int, float] | None = None,
    everywhere: float = 0.0, candidates: int = 1, seed: int = 1,
) -> Cells:  # fmt: skip
    rng = random.Random(seed)  # noqa: S311  reproducible noise, no secret

    def session(centre: float) -> list[float]:
        middle = centre * math.exp(rng.gauss(0, scatter))
        return [middle * math.exp(rng.gauss(0, scatter / 3)) for _ in range(5)]

    cells: Cells = {}
    for number in range(points):
        level = 10_000.0 * (1 + number)
        slow = level * (1 - (drops or {}).get(number, everywhere))
        baseline = [session(level) for _ in range(sessions)]
        cells[f"p{number:02}"] = (baseline, [session(slow) for _ in range(candidates)])
    return cells


def test_a_sweep_that_did_not_move_passes() -> None:
    judged = judge_sweep(sweep())
    assert judged.overall.verdict == "pass"
    assert {point.verdict for point in judged.points.values()} == {"pass"}
    assert list(judged.points) == [f"p{number:02}" for number in range(20)]


def test_a_small_drop_everywhere_is_seen_by_the_aggregate_at_the_first_measurement() -> None:
    judged = judge_sweep(sweep(everywhere=0.03, scatter=0.01))
    assert judged.overall.verdict == "regression"
    assert judged.overall.change == pytest.approx(-0.03, abs=0.006)
    assert all(point.verdict != "regression" for point in judged.points.values())


def test_one_slow_point_is_measured_again_and_then_fails_the_sweep() -> None:
    first = judge_sweep(sweep(drops={7: 0.06}))
    assert [key for key, point in first.points.items() if point.verdict == "retest"] == ["p07"]
    assert first.overall.verdict == "retest"
    cells = sweep(drops={7: 0.06})
    baseline, candidates = cells["p07"]
    cells["p07"] = (baseline, candidates * 3)
    second = judge_sweep(cells)
    assert second.points["p07"].verdict == "regression"
    assert second.overall.verdict == "regression"


def test_one_odd_provisioning_does_not_move_the_aggregate() -> None:
    cells = sweep(drops={3: 0.7})
    cells["p03"][1].append([40_000.0] * 5)
    cells["p03"][1].append([40_000.0] * 5)
    judged = judge_sweep(cells)
    assert judged.points["p03"].verdict != "regression"
    assert judged.overall.change == pytest.approx(0, abs=0.008)
    assert judged.overall.verdict != "regression"


def test_a_few_points_do_not_make_an_aggregate_that_finds_a_drop_unconfirmed() -> None:
    judged = judge_sweep(sweep(points=2, everywhere=0.06))
    assert judged.overall.verdict == "retest"


def low_at_first(*later: float) -> Sweep[str]:
    """Judge six points that were 10 % low at first, and measured again so many times."""
    cells = sweep(points=6, scatter=0.002)
    for number, (key, (old, new)) in enumerate(cells.items()):
        runs = [10_000.0 * (1 + number) * (1 + each / 1000) for each in (-1, 0, 1)]
        cells[key] = (old, [[run * factor for run in runs] for factor in (0.9, *later)])
        assert new
    return judge_sweep(cells)


def test_an_aggregate_that_did_not_hold_when_measured_again_does_not_convict() -> None:
    assert low_at_first().overall.verdict == "regression"
    for later in ((1.0, 1.0), (1.0, 1.01)):
        judged = low_at_first(*later)
        assert {point.verdict for point in judged.points.values()} == {"pass"}
        assert judged.overall.verdict == "pass"
        assert judged.overall.change == pytest.approx(0, abs=0.008)
        assert not judged.fell
    judged = low_at_first(1.0)
    assert judged.overall.verdict != "regression"
    assert judged.overall.candidates == 2


def test_an_aggregate_that_held_when_measured_again_convicts() -> None:
    judged = low_at_first(0.9, 0.9)
    assert (judged.overall.verdict, judged.fell, len(judged.convicted)) == ("regression", True, 6)
    assert judged.overall.change == pytest.approx(-0.1, abs=0.006)


def test_a_sweep_slow_at_single_points_says_at_which() -> None:
    cells = sweep(drops={7: 0.06, 9: 0.08, 12: 0.07})
    suspected = judge_sweep(cells)
    assert "is suspected at 3 of 20 points (p07, p09, p12), worst p09: " in sentence("it", suspected)
    assert "20 provisionings of 20 points" in sentence("it", suspected)
    assert sentence("it", suspected).endswith("; measure what is suspected again, provisioned anew.")
    for key in ("p07", "p09", "p12"):
        cells[key] = (cells[key][0], cells[key][1] * 2)
    judged = judge_sweep(cells)
    assert (judged.convicted, judged.fell) == (("p07", "p09", "p12"), False)
    said = sentence("the sweep", judged, str.upper)
    assert said.startswith("the sweep has regressed at 3 of 20 points (P07, P09, P12), worst P09: ")
    assert f"estimated change {judged.points['p09'].change:+.1%}" in said
    assert "23 provisionings of 20 points against 5 baseline sessions" in said
    assert said.endswith("; look for what changed since the baseline, or pin a new one if the drop is meant.")
    one = judge_sweep({key: cells[key] for key in ("p06", "p07")})
    assert sentence("it", one).startswith("it has regressed at 1 of 2 points, namely p07: ")


def test_a_sweep_slow_everywhere_says_so_with_the_figures_of_the_aggregate() -> None:
    judged = judge_sweep(sweep(everywhere=0.03, scatter=0.01))
    assert (judged.fell, judged.convicted) == (True, ())
    said = sentence("it", judged)
    assert said.startswith("it has regressed over its points together: ")
    assert f"estimated change {judged.overall.change:+.1%}" in said
    assert "a drop of 3.0% or more is " in said
    assert "20 provisionings of 20 points against 5 baseline sessions" in said
    both = sentence("it", low_at_first(0.9, 0.9))
    assert "over its points together, and by themselves p00, p01, p02, p03, p04, p05: " in both
    many = judge_sweep(sweep(everywhere=0.1, candidates=3))
    assert ", p05 and 14 more: " in sentence("it", many)


def test_a_sweep_that_passes_or_has_no_baseline_says_so() -> None:
    assert sentence("it", judge_sweep(sweep())).startswith("it has not regressed over its points together: ")
    dead = judge_sweep({"p00": ([[0.0]], [[5.0]])})
    assert sentence("it", dead).endswith("; pin another baseline.")


def test_points_may_have_different_numbers_of_sessions() -> None:
    cells = sweep()
    baseline, candidates = cells["p04"]
    cells["p04"] = (baseline[-1:], candidates)
    judged = judge_sweep(cells)
    assert judged.points["p04"].sessions == 1
    assert judged.overall.sessions == 5
    assert judged.overall.verdict == "pass"


def test_a_dead_baseline_of_one_point_leaves_the_others_judged() -> None:
    cells = sweep()
    cells["p04"] = ([[0.0] * 5] * 5, cells["p04"][1])
    judged = judge_sweep(cells)
    assert judged.points["p04"].verdict == "inconclusive"
    assert judged.points["p05"].verdict == "pass"
    only = judge_sweep({"p04": cells["p04"]})
    assert only.overall.verdict == "inconclusive"


def test_a_dead_candidate_is_suspected() -> None:
    cells = sweep()
    cells["p04"] = (cells["p04"][0], [[0.0] * 5])
    assert judge_sweep(cells).points["p04"].verdict == "retest"


def test_a_bad_point_is_named() -> None:
    cells = sweep(points=3)
    cells["p01"] = ([], [[1.0]])
    with pytest.raises(ValueError, match="point p01: the baseline has no session"):
        judge_sweep(cells)
    with pytest.raises(ValueError, match="no points"):
        judge_sweep({})
    with pytest.raises(ValueError, match="max_drop"):
        judge_sweep(sweep(points=3), max_drop=0)


def test_an_unstable_point_that_is_not_suspected_is_inconclusive_and_not_measured_again() -> None:
    cells = sweep()
    cells["p09"] = ([[1000.0], [900.0], [1090.0], [950.0], [1060.0]], [[985.0]])
    assert judge(*cells["p09"]).verdict == "retest"
    assert judge_sweep(cells).points["p09"].verdict == "inconclusive"


@given(st.integers(0, 2**32), st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_a_sweep_does_not_matter(seed: int, factor: float) -> None:
    cells = sweep(points=8, scatter=0.01, everywhere=0.01, seed=seed)
    scaled = {
        key: (
            [[run * factor for run in runs] for runs in old],
            [[run * factor for run in runs] for runs in new],
        )
        for key, (old, new) in cells.items()
    }
    judged, again = judge_sweep(cells), judge_sweep(scaled)
    assert again.overall.change == pytest.approx(judged.overall.change, abs=1e-6)
    assert again.overall.odds == pytest.approx(judged.overall.odds, rel=1e-3)


@given(st.integers(0, 2**32), st.floats(0.6, 1.0))
@settings(max_examples=20, deadline=None)
def test_a_larger_drop_everywhere_never_turns_a_regression_into_a_pass(seed: int, factor: float) -> None:
    cells = sweep(points=8, scatter=0.01, everywhere=0.03, seed=seed)
    slower = {
        key: (old, [[run * factor for run in runs] for runs in new]) for key, (old, new) in cells.items()
    }
    if judge_sweep(cells).overall.verdict == "regression":
        assert judge_sweep(slower).overall.verdict == "regression"


def test_the_protocol_answers_a_sweep() -> None:
    cells = sweep(everywhere=0.05)
    question = {"cells": {key: {"baseline": old, "candidate": new[0]} for key, (old, new) in cells.items()}}
    answer = json.loads(json.dumps(protocol.answer(question), allow_nan=False))
    assert answer["overall"] == "regression"
    assert set(answer["verdicts"]) == set(cells)
    assert protocol.decide_suite(cells)["*"] == "regression"
