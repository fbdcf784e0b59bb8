"""What the soak makes of what it counted: planted growth is found, and what is flat, or goes up and down, is not."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from perf import soak_growth
from pytest_kubelb.record.sample import Sample

RUNS = 2000
LIMIT = 1.0
FIRST = Sample(
    point={"backend": "ipvs", "pods": 1, "overlay": "vxlan", "tuning": "none"},
    provisioning=1,
    run=0,
    validity="failed",
    reason="it was not made",
    started="",
    wall_s=0.2,
    command="",
    result=None,
)


def noise(seed: int, size: int = RUNS) -> list[float]:
    chosen = random.Random(seed)  # noqa: S311 - a seed of its own for each test
    return [chosen.gauss(0, 0.3) for _ in range(size)]


def judged(values: list[float]) -> dict[str, object]:
    return soak_growth.growth("memory", values, 1.0, LIMIT, "MiB", {})


def verdict(values: list[float]) -> object:
    details = judged(values)["details"]
    assert isinstance(details, dict)
    return details["verdict"]


@pytest.mark.parametrize("seed", range(5))
def test_growth_above_the_limit_is_found_and_its_slope_given(seed: int) -> None:
    line = judged([100 + 2 * number / 1000 + each for number, each in enumerate(noise(seed))])
    assert line["reached"] is False
    assert line["value"] == pytest.approx(2.0, abs=0.2)
    assert line["unit"] == "MiB per 1,000 runs"


@pytest.mark.parametrize("seed", range(5))
def test_growth_that_is_proven_and_does_not_matter_is_none(seed: int) -> None:
    assert verdict([100 + 0.3 * number / 1000 + each for number, each in enumerate(noise(seed))]) == "none"


def test_one_value_all_the_time_is_no_growth() -> None:
    line = judged([7.0] * RUNS)
    assert (line["value"], line["reached"]) == (0.0, True)


def test_what_fills_up_in_the_first_fifth_is_no_growth() -> None:
    assert verdict([min(number, 400) + each for number, each in enumerate(noise(1))]) == "none"


def test_too_much_noise_is_unclear() -> None:
    line = judged([1 * number / 1000 + 10 * each for number, each in enumerate(noise(2))])
    assert line["reached"] is None, line


def test_few_runs_have_no_verdict() -> None:
    assert verdict([2.0 * number for number in range(soak_growth.FEWEST_RUNS - 1)]) == "too few runs"


def test_what_a_cell_of_the_matrix_adds_is_taken_off_and_growth_is_left() -> None:
    cells = [number // 5 % 8 for number in range(RUNS)]
    pods = [1 + 3.0 * cell for cell in cells]
    assert soak_growth.without_cells(pods, cells) == pytest.approx([11.5] * RUNS)
    leaking = [each + 0.002 * number for number, each in enumerate(pods)]
    assert verdict(soak_growth.without_cells(leaking, cells)) == "growth"


@pytest.mark.parametrize(("slower", "reached"), [(0.0, True), (0.1, False)])
def test_points_that_take_longer_and_longer_are_growth(slower: float, reached: bool) -> None:
    """`slower` is by how much, of a point at the start, after 1,000 runs."""
    samples, now = [], datetime(2026, 1, 1, tzinfo=UTC)
    for number, spread in enumerate(noise(3, RUNS)):
        at, run = divmod(number, 5)
        passed, pods = divmod(at, 8)
        point = {**FIRST.point, "pods": 1 + pods}
        samples.append(
            replace(
                FIRST,
                point=point,
                provisioning=1 + passed,
                run=run,
                started=now.isoformat(timespec="milliseconds"),
            )
        )
        now += timedelta(seconds=(0.5 + 0.02 * pods) * (1 + slower * number / 1000 + 0.01 * spread))
    line = next(
        each for each in soak_growth.figures(samples, []) if each["figure"] == "soak_seconds_per_point"
    )
    assert line["reached"] is reached, line


def test_what_was_not_counted_has_no_figure_and_says_why() -> None:
    lines = [
        each
        for each in soak_growth.figures(
            [replace(FIRST, started=f"2026-01-01T00:00:0{n}+00:00", provisioning=n) for n in range(3)], []
        )
        if each["figure"] != "soak_seconds_per_point"
    ]
    assert [line["value"] for line in lines] == [None] * (len(soak_growth.LIMITS) - 1)
