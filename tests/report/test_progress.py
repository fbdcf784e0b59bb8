"""What the live line says while runs are made."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.matrix import Measurement, grid, ids, plan
from pytest_kubelb.report.progress import Progress, live_line

from .points import sample

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
POINT: dict[str, str | int] = {"backend": "ipvs", "pods": 4, "overlay": "vxlan"}
PARTS = ["run 3/10", "38,123 req/s", "valid", "CV 1.20%"]


class Shown:
    """A line that keeps what it showed; None stands for its being taken away."""

    def __init__(self, width: int = 120) -> None:
        self.texts: list[str | None] = []
        self._width = width

    def show(self, compose: Callable[[int], str]) -> None:
        self.texts.append(compose(self._width))

    def erase(self) -> None:
        self.texts.append(None)


def progress(line: Shown | None, runs: int = 2) -> Progress:
    points = grid(("ipvs",), (4, 8), ("vxlan",))
    measurements = [Measurement(p, runs, 1, 1, label) for p, label in zip(points, ids(points), strict=True)]
    ticks = count()
    return Progress(plan(measurements).steps, line, clock=lambda: float(next(ticks)))


def test_the_line_tells_point_run_rps_validity_spread_points_done_and_time_left() -> None:
    line = Shown()
    told = progress(line)
    told.point_started(0)
    with told.measuring():
        told.run_finished(sample(POINT, 0, 900.0, "warmup"))
        told.run_finished(sample(POINT, 0, 1000.0))
        told.run_finished(sample(POINT, 1, 1100.0))
    told.point_finished()
    assert [text and " ".join(text.split("  ")[:-1]) for text in line.texts[2:5]] == [
        "ipvs-pods04 warm-up 1 900 req/s 0/2 points done",
        "ipvs-pods04 run 1/2 1,000 req/s valid 0/2 points done",
        "ipvs-pods04 run 2/2 1,100 req/s valid CV 6.73% 0/2 points done",
    ]
    assert all(text and text.endswith("s left") for text in line.texts[2:5])
    assert line.texts[0] == "ipvs-pods04  being provisioned  0/2 points done"
    assert line.texts[5:] == [None, None]


def test_an_invalid_run_shows_its_validity_and_does_not_count_for_the_spread() -> None:
    line = Shown()
    told = progress(line)
    told.point_started(0)
    told.run_finished(sample(POINT, 0, 1000.0))
    told.run_finished(sample(POINT, 1, 10.0, "stalled"))
    told.run_finished(sample(POINT, 2, 0.0, "failed"))
    assert "run 2/2  10.0 req/s  stalled  0/2" in (line.texts[-2] or "")
    assert "run 3/2+  - req/s  failed  0/2" in (line.texts[-1] or "")


def test_a_further_provisioning_starts_its_spread_anew() -> None:
    line = Shown()
    told = progress(line)
    told.point_started(0)
    told.run_finished(sample(POINT, 0, 1000.0))
    told.run_finished(sample(POINT, 0, 500.0, provisioning=2))
    assert "CV" not in (line.texts[-1] or "")


def test_the_line_is_gone_when_a_run_is_interrupted() -> None:
    line = Shown()
    told = progress(line)
    told.point_started(0)
    with pytest.raises(KeyboardInterrupt), told.measuring():
        raise KeyboardInterrupt
    assert line.texts[-1] is None


def test_every_run_is_logged_whether_a_line_is_shown_or_not(caplog: pytest.LogCaptureFixture) -> None:
    told = progress(None)
    with caplog.at_level(logging.INFO, logger="pytest_kubelb"):
        told.point_started(0)
        with told.measuring():
            told.run_finished(sample(POINT, 0, 1000.0))
            told.run_finished(sample(POINT, 1, 10.0, "stalled", reason="it took 61 s"))
        told.point_finished()
        told.putting_back()
    assert caplog.messages == [
        "ipvs-pods04 run 1/2: 1,000 req/s, valid",
        "ipvs-pods04 run 2/2: 10.0 req/s, stalled: it took 61 s",
    ]


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (
            120,
            "ipvs-pods04  run 3/10  38,123 req/s  valid  CV 1.20%  4/42 points done  2h13m left  until 16:13",
        ),
        (80, "ipvs-pods04  run 3/10  38,123 req/s  valid  CV 1.20%  4/42 points  2h13m left"),
        (75, "ipvs-pods04 run 3/10 38,123 req/s valid CV 1.20% 4/42 points 2h13m left"),
        (60, "ipvs-pods04 3/10 38,123 valid CV 1.20% 4/42 2h13m left"),
        (50, "ipvs-pods04 3/10 38,123 4/42 2h13m left"),
        (40, "ipvs-pods04 3/10 38,123 4/42 2h13m left"),
        (39, "ipvs-pods04 3/10 38,123 4/42 2h13m"),
        (10, "ipvs-pods"),
    ],
)
def test_a_narrow_terminal_loses_words_first_and_the_end_last(width: int, text: str) -> None:
    assert live_line("ipvs-pods04", PARTS, "4/42", 7980.0, width, NOW) == text


def test_a_run_that_is_not_valid_says_so_at_40_columns() -> None:
    parts = ["run 3/10", "38,123 req/s", "stalled", "CV 1.20%"]
    assert (
        live_line("ipvs-pods04", parts, "4/42", 7980.0, 42, NOW)
        == "ipvs-pods04 3/10 38,123 stalled 4/42 2h13m"[:41]
    )


@given(st.text("abc-", max_size=60), st.floats(0, 1e7) | st.none(), st.integers(0, 200))
def test_the_line_is_always_shorter_than_the_terminal_is_wide(
    point_id: str, left_s: float | None, width: int
) -> None:
    text = live_line(point_id, PARTS, "10/42", left_s, width, NOW)
    assert len(text) < max(width, 1)
    assert text.isascii()
