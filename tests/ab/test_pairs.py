"""The order of the runs, and what is in the record when.

The sides are fakes that note what is asked of them, because the order is what is tested; real ones run in a lab
(test_in_the_lab.py).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.ab.pairs import Pair, counted, measure, order_of
from pytest_kubelb.ab.turn import OpenSide
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.settings import Given, resolve
from tests.record.lines import POINT, sample

from .made import pair

if TYPE_CHECKING:
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.settings import Settings


class NotedSide(OpenSide):
    """Notes its steps in a list that both sides share."""

    def __init__(self, letter: str, steps: list[str]) -> None:
        self.letter, self.steps, self.failing = letter, steps, ""

    def converge(self) -> None:
        self.steps.append(f"converge {self.letter}")

    def run(self, settings: Settings, *, number: int, warmup: bool) -> Sample:
        del settings
        step = f"{'warm-up' if warmup else 'run'} {self.letter}{number}"
        self.steps.append(step)
        if step == self.failing:
            raise TestbedError("k12 is gone")
        made = sample(number, validity="warmup" if warmup else "valid")
        return replace(made, point={**POINT, "side": self.letter})

    def lost(self, cause: TestbedError, *, number: int) -> Sample:
        return replace(
            sample(number, validity="failed"), point={**POINT, "side": self.letter}, reason=str(cause)
        )


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def sides(steps: list[str]) -> tuple[NotedSide, NotedSide]:
    return NotedSide("a", steps), NotedSide("b", steps)


def settings(runs: int, warmup: str) -> Settings:
    given = {key: Given(text, f"--{key}", Path()) for key, text in (("runs", str(runs)), ("warmup", warmup))}
    return resolve([given], search=(), known_backends=("ipvs", "proxy"), new_seed=0)


def test_the_sides_take_turns_and_each_is_first_in_every_second_pair(
    sides: tuple[NotedSide, NotedSide], steps: list[str]
) -> None:
    told: list[Pair] = []
    pairs = measure(*sides, settings(3, "2"), lambda made: steps.append(f"recorded {made.run}"), told.append)
    runs = [step for step in steps if step.startswith(("warm-up", "run"))]
    assert runs == [
        *("warm-up a0", "warm-up b0", "warm-up b1", "warm-up a1"),
        *("run a0", "run b0", "run b1", "run a1", "run a2", "run b2"),
    ]
    assert told == pairs
    assert [each.order for each in pairs] == ["ab", "ba", "ab"]
    assert all((each.a.point["side"], each.b.point["side"]) == ("a", "b") for each in pairs)


def test_every_side_is_proven_before_anything_is_measured_and_again_before_each_run(
    sides: tuple[NotedSide, NotedSide], steps: list[str]
) -> None:
    measure(*sides, settings(2, "0"), lambda _: None, lambda _: None)
    assert steps[:2] == ["converge a", "converge b"]
    for before, step in pairwise(steps):
        if step.startswith("run"):
            assert before == f"converge {step.split()[1][0]}"


def test_every_run_is_in_the_record_before_the_next_begins(
    sides: tuple[NotedSide, NotedSide], steps: list[str]
) -> None:
    measure(*sides, settings(2, "1"), lambda made: steps.append(f"recorded {made.run}"), lambda _: None)
    for step, after in pairwise(steps):
        if step.startswith(("run", "warm-up")):
            assert after == f"recorded {step[-1]}"


def test_a_run_that_the_testbed_took_away_is_recorded_as_failed_and_ends_the_session(
    sides: tuple[NotedSide, NotedSide], steps: list[str]
) -> None:
    sides[1].failing = "run b1"
    record: list[Sample] = []
    with pytest.raises(TestbedError, match="k12 is gone"):
        measure(*sides, settings(3, "0"), record.append, lambda _: None)
    assert [made.validity for made in record] == ["valid", "valid", "failed"]
    assert (record[-1].reason, record[-1].point["side"]) == ("k12 is gone", "b")
    assert steps[-1] == "run b1"


def test_a_pair_counts_when_both_runs_do() -> None:
    made = [pair(0, 1.0, 2.0), pair(1, 3.0, 4.0, b_validity="stalled"), pair(2, 5.0, 6.0, "failed")]
    assert counted(made) == [(1.0, 2.0)]
    assert [each.reason for each in made] == [
        None,
        "B stalled: the benchmarker lost its route",
        "A failed: the benchmarker lost its route",
    ]


def test_the_order_alternates() -> None:
    assert [order_of(number) for number in range(4)] == ["ab", "ba", "ab", "ba"]
