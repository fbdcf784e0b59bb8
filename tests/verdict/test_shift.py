"""The posterior of the change between two groups of sessions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_kubelb.verdict import shift

ABOUT_ONE_PERCENT = shift.Prior(math.log(0.01), 0.5)


def evidence(levels: list[float]) -> float:
    """Give ln of how likely the levels are, over all scales."""
    by_scale = shift.group(levels).log_evidence
    return float(np.logaddexp.reduce(by_scale))


@pytest.mark.parametrize("odd", [0.03, 0.1, 0.4])
def test_an_odd_session_is_likelier_below_the_others_than_above(odd: float) -> None:
    others = [0.004, -0.004, 0.0, 0.002, -0.002]
    assert evidence([*others, -odd]) > evidence([*others, odd]) + 0.1


@pytest.mark.parametrize("candidates", [1, 2, 3])
@pytest.mark.parametrize("sessions", [1, 3, 5, 7])
def test_groups_at_the_same_level_show_no_change_however_many_sessions_they_have(
    sessions: int, candidates: int
) -> None:
    old = [0.004 * (place - (sessions - 1) / 2) for place in range(sessions)]
    new = [0.004 * (place - (candidates - 1) / 2) for place in range(candidates)]
    moved = shift.between(shift.group(old), shift.group(new), ABOUT_ONE_PERCENT)
    assert moved.quantiles(0.5)[0] == pytest.approx(0, abs=0.003)
