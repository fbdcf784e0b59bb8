"""The slope that the figure of memory gives: what grows is found, what wavers is not."""

from __future__ import annotations

import math

import pytest

from perf.testbed_figures import BLOCKS, slope_of


def test_a_leak_of_one_unit_in_ten_values_is_found() -> None:
    values = [1000 + number // 10 for number in range(800)]
    slope, half = slope_of(values)
    assert slope == pytest.approx(0.1, rel=0.01)
    assert half < 0.01


def test_what_wavers_around_a_level_has_no_slope() -> None:
    values = [1000 + 50 * math.sin(number / 7) for number in range(800)]
    slope, half = slope_of(values)
    assert slope - half < 0 < slope + half
    assert half < 0.1


def test_too_few_values_have_no_slope() -> None:
    assert all(math.isnan(each) for each in slope_of([1.0] * (BLOCKS - 1)))
