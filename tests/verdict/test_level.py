"""The level of a session, and the scatter of its runs."""

from __future__ import annotations

import math
import random

import pytest

from pytest_kubelb.verdict.level import levels, run_sd


@pytest.mark.parametrize("runs", [2, 3, 4, 5, 6, 7, 10, 20])
def test_the_run_to_run_scatter_is_unbiased_for_any_number_of_runs(runs: int) -> None:
    rng = random.Random(5)  # noqa: S311  reproducible noise, no secret
    sessions = [[1000 * math.exp(rng.gauss(0, 0.01)) for _ in range(runs)] for _ in range(3000)]
    assert run_sd(levels(sessions, "baseline")) == pytest.approx(0.01, rel=0.08)


def test_one_wild_run_in_ten_hardly_moves_the_scatter() -> None:
    rng = random.Random(5)  # noqa: S311  reproducible noise, no secret
    sessions = [[1000 * math.exp(rng.gauss(0, 0.01)) for _ in range(10)] for _ in range(300)]
    for runs in sessions:
        runs[3] /= 3
    assert run_sd(levels(sessions, "baseline")) == pytest.approx(0.0115, rel=0.12)


def test_single_runs_and_dead_sessions_have_no_scatter() -> None:
    assert run_sd(levels([[1000.0], [1010.0]], "baseline")) is None
    assert run_sd(levels([[0.0, 0.0, 0.0], [1000.0]], "baseline")) is None
    assert run_sd(levels([[1000.0, 1000.0]], "baseline")) == 0
