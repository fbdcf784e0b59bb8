"""What the gate concludes: words and exit codes, without a baseline. With one: tests/commands/test_gate.py."""

from __future__ import annotations

import pytest

from pytest_kubelb.gate.outcome import Rules

from .recorded import STEADY, UNEVEN, UNSURE, axes, judged, lines, runs, sample, start

GOOD = {("ipvs", pods): STEADY for pods in range(1, 12)}


def test_a_session_that_repeats_passes_and_says_that_it_was_not_compared() -> None:
    outcome = judged(lines(GOOD))
    assert (outcome.word, outcome.exit_code, outcome.session_word) == ("pass", 0, "repeatable")
    assert not outcome.compared
    assert "none was given" in outcome.title


def test_one_point_that_does_not_repeat_fails_although_the_session_as_a_whole_repeats() -> None:
    outcome = judged(lines({**GOOD, ("proxy", 1): UNEVEN}))
    assert (outcome.word, outcome.exit_code, outcome.session_word) == ("unrepeatable", 1, "repeatable")


def test_more_than_a_tenth_of_the_points_makes_the_session_unrepeatable() -> None:
    outcome = judged(lines({**GOOD, ("proxy", 1): UNEVEN, ("proxy", 2): UNEVEN}))
    assert outcome.session_word == "unrepeatable"


@pytest.mark.parametrize(("word", "code"), [("fail", 2), ("pass", 0)])
def test_what_is_inconclusive_is_so_in_words_and_fails_as_it_is_told(word: str, code: int) -> None:
    rules = Rules(on_inconclusive=word)  # type: ignore[arg-type]  # a parameter of a test is a plain str
    outcome = judged(lines({("ipvs", 1): UNSURE}, runs=3, max_runs=10), rules)
    assert (outcome.word, outcome.exit_code) == ("inconclusive", code)


def test_what_does_not_repeat_outranks_what_is_inconclusive() -> None:
    assert judged(lines({("ipvs", 1): UNSURE, ("ipvs", 2): UNEVEN}, max_runs=10)).exit_code == 1


@pytest.mark.parametrize(("word", "code"), [("fail", 2), ("pass", 0)])
def test_no_baseline_fails_as_it_is_told(word: str, code: int) -> None:
    rules = Rules(on_missing_baseline=word)  # type: ignore[arg-type]  # as above
    assert judged(lines(GOOD), rules).exit_code == code


def test_a_session_without_a_point_never_passes() -> None:
    outcome = judged(lines({}), Rules(on_inconclusive="pass"))
    assert (outcome.word, outcome.exit_code) == ("inconclusive", 2)


@pytest.mark.parametrize("rps", [STEADY, ()])
def test_failed_runs_fail_a_point_however_well_the_others_repeat(rps: tuple[float, ...]) -> None:
    outcome = judged([start(), *runs(axes("ipvs", 4), rps, failed=1)])
    (point,) = outcome.points
    assert (point.spread_word, outcome.exit_code) == ("failed", 1)
    assert f"{len(rps)} of {len(rps) + 1} runs are valid" in point.findings[0].sentence
    assert "the benchmarker lost its route" in point.findings[0].sentence


def test_a_tolerance_that_is_given_outranks_the_record() -> None:
    session = lines({("ipvs", 1): UNEVEN}, tolerance="50%")
    assert judged(session).exit_code == 0
    assert judged(session, Rules(tolerance=0.05)).exit_code == 1


def test_points_at_a_ceiling_are_marked_and_not_those_below_it() -> None:
    link = [163900.0, 163901.0, 163900.5, 163900.2]
    outcome = judged(lines({("ipvs", 1): STEADY, ("ipvs", 20): link, ("proxy", 20): link}))
    assert [point.id for point in outcome.points if point.at_ceiling] == ["ipvs-pods20", "proxy-pods20"]


@pytest.mark.parametrize(("rule", "code"), [("fail", 2), ("pass", 0)])
@pytest.mark.parametrize(("exit_code", "said"), [(None, "no end"), (2, "exit code 2"), (3, "exit code 3")])
def test_a_session_that_did_not_come_to_its_end_does_not_pass(
    exit_code: int | None, said: str, rule: str, code: int
) -> None:
    outcome = judged(lines(GOOD, exit_code=exit_code), Rules(on_inconclusive=rule))  # type: ignore[arg-type]  # as above
    assert (outcome.word, outcome.exit_code) == ("inconclusive", code)
    (finding,) = outcome.findings
    assert said in finding.sentence
    assert "points may be missing" in finding.sentence


def test_what_does_not_repeat_outranks_that_points_are_missing() -> None:
    outcome = judged(lines({**GOOD, ("proxy", 1): UNEVEN}, exit_code=None))
    assert (outcome.word, outcome.exit_code) == ("unrepeatable", 1)


@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_session_with_verdicts_is_complete(exit_code: int) -> None:
    outcome = judged(lines(GOOD, exit_code=exit_code))
    assert (outcome.findings, outcome.exit_code) == ((), 0)


def test_a_point_with_warm_up_runs_only_is_not_measured_and_no_failure() -> None:
    cut = sample(axes("proxy", 1), 0, 1.0, "warmup")
    outcome = judged([*lines(GOOD, exit_code=None), cut])
    point = outcome.points[-1]
    assert (point.id, point.spread_word, point.worst) == ("proxy-pods01", "inconclusive", "inconclusive")
    assert "not measured" in point.findings[0].sentence
    assert (outcome.word, outcome.exit_code, outcome.session_word) == ("inconclusive", 2, "repeatable")
