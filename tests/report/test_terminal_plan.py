"""The plan that is printed before anything is touched."""

from __future__ import annotations

import pytest

from pytest_kubelb.matrix import Measurement, Plan, grid, ids, ordered, plan
from pytest_kubelb.report.plan import lines, summary


def planned(passes: int = 1) -> Plan:
    points = ordered(grid(("ipvs", "proxy"), (1, 2), ("vxlan",), passes=passes), "paired", 0)
    labels = ids(points)
    return plan([Measurement(p, 5, 1, 60, label) for p, label in zip(points, labels, strict=True)])


def test_every_step_has_its_runs_its_time_and_what_changes() -> None:
    assert lines(planned(), 80) == [
        "   point               runs       time  changes",
        "1  ipvs-pods01   1+5 x 60 s  6 min 8 s  everything, from nothing",
        "2  proxy-pods01  1+5 x 60 s  6 min 1 s  backend ipvs -> proxy",
        "3  proxy-pods02  1+5 x 60 s  6 min 1 s  pods 1 -> 2",
        "4  ipvs-pods02   1+5 x 60 s  6 min 1 s  backend proxy -> ipvs",
        *summary(planned()),
    ]


def test_the_summary_counts_points_runs_time_and_changes_of_each_knob() -> None:
    assert summary(planned()) == [
        "kubelb plan: 4 points, 24 runs with warm-up, about 24 min 11 s (24 min 0 s of it inside wrk).",
        "kubelb changes on the way: backend twice, pods once.",
    ]


def test_a_new_pass_is_provisioned_anew() -> None:
    steps = lines(planned(passes=2), 200)
    assert "pass 2: everything, anew (backend ipvs -> proxy, pods 2 -> 1)" in steps[5]
    assert len(steps) == 1 + 8 + 2


def test_the_seconds_of_the_steps_are_those_of_the_whole() -> None:
    whole = planned(passes=2)
    assert sum(step.eta_s for step in whole.steps) == pytest.approx(whole.eta_s)
    assert [step.before for step in whole.steps][1:] == [step.measurement.point for step in whole.steps[:-1]]


def test_a_narrow_terminal_wraps_the_changes() -> None:
    shown = lines(planned(), 40)[:-2]
    assert max(map(len, shown)) <= 40


def test_a_plan_of_nothing_says_so() -> None:
    assert lines(plan([]), 80) == ["kubelb plan: no point is selected."]
