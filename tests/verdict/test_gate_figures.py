"""The regression gate on real sessions, where the evaluation kit lies beside the repository.

A small part of what `python -m perf` measures, with limits wide enough for the few trials it draws.
"""

from __future__ import annotations

from typing import Any

import pytest

from perf import gate_figures


@pytest.fixture
def kit() -> Any:
    """The evaluation kit."""
    if not gate_figures.KIT.is_file():
        pytest.skip("the evaluation kit, the folder `shared` beside the repository, is not there")
    return gate_figures.load_kit()


@pytest.mark.parametrize(("sessions", "runs"), [(3, 5), (5, 1), (5, 5), (7, 5)])
def test_three_to_seven_baseline_sessions_find_a_drop_of_five_percent(
    kit: Any, sessions: int, runs: int
) -> None:
    every, stable = gate_figures.rates(kit, 11, sessions=sessions, runs=runs, trials=250)
    assert stable.false_alarms <= 0.02
    assert stable.found >= 0.96
    assert stable.escaped <= 0.02
    assert every.false_alarms <= 0.07
    assert every.found >= 0.79
    assert every.escaped <= 0.08


def test_one_baseline_session_of_ten_runs_is_worth_something(kit: Any) -> None:
    every, stable = gate_figures.rates(kit, 11, sessions=1, runs=10, trials=250)
    assert stable.found >= 0.93
    assert every.false_alarms <= 0.07
    assert every.found >= 0.71
    assert every.escaped <= 0.11


def test_a_sweep_raises_few_false_alarms_and_lets_no_drop_everywhere_escape(kit: Any) -> None:
    sweep = gate_figures.suite_rates(kit, 11, sessions=5, runs=5, suites=20)
    assert sweep.false_alarms <= 0.1
    assert sweep.found >= 0.95
    assert sweep.found_3 >= 0.85
    assert sweep.escaped == 0
    assert sweep.extra <= 0.12
