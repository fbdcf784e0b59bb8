"""The pictures of order and time, in which drift is seen: every run relative to the median of its point. Pure."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pytest_kubelb.report import terminal
from pytest_kubelb.report.html import picture, svg, words
from pytest_kubelb.report.html.picture import FRAMES, Figure, Frame, Key, Styles
from pytest_kubelb.report.html.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.report.html.model import MeasuredPoint, Panel

LEAST_REACH: Final = 0.02
MOST_REACH: Final = 0.5
"""Runs further from the median than this stand at the edge; the dialog of their point has the figures."""
_MOST_NUMBERS: Final = 400


def figures(panel: Panel, styles: Styles) -> list[Figure]:
    """Draw one panel, first against time, then against the number of the run within its point."""
    keys = [styles.key(backend) for backend in panel.backends]
    odd = any(sample.validity != "valid" for point in panel.points for sample in point.runs)
    invalid = [Key("plain", "invalid", "run that is not valid")] if odd else []
    reach, timed = _reach(panel), _timed(panel)
    edge = f"The scale ends at ± {100 * reach:.3g} %; what lies beyond stands at its edge."
    return [
        Figure(
            title="Every run against the time",
            drawings=[_in_time(frame, panel, styles, reach, timed) for frame in FRAMES],
            keys=[*keys, *invalid],
            caption=f"Requests/s of each run, relative to the median of its point. {edge}",
        ),
        Figure(
            title="Every run against its number",
            drawings=[_by_number(frame, panel, styles, reach) for frame in FRAMES],
            keys=keys,
            caption=(
                "The valid runs below a ceiling, by their number within the provisioning of their point. The line "
                "joins the medians over the points of a backend: a line that rises or falls is drift or warm-up. "
                f"{edge}{_drifts(panel)}"
            ),
        ),
    ]


def relative(point: MeasuredPoint, sample: Sample) -> float | None:
    """Give how far a run lies from its point's median, a fraction."""
    if sample.result is None or not point.median:
        return None
    return sample.result.rps / point.median - 1


def _telling(points: Sequence[MeasuredPoint]) -> Sequence[MeasuredPoint]:
    """Give the points below a ceiling, where runs can drift; all of them when there is none."""
    return [point for point in points if point.ranks] or points


def _reach(panel: Panel) -> float:
    far = [
        abs(each) for point in _telling(panel.points) for run in point.valid if (each := relative(point, run))
    ]
    if not far:
        return LEAST_REACH
    # The usual run decides: a collapse, or runs at a ceiling, would press everything else flat.
    usual = sorted(far)[int(0.8 * (len(far) - 1))]
    return min(max(3 * usual, LEAST_REACH), MOST_REACH)


def _drifts(panel: Panel) -> str:
    found = [
        (spread.judged.drift.direction, point)
        for point in panel.points
        for spread in point.spreads
        if spread.judged.drift is not None
        and spread.judged.drift.direction != "none"
        and abs(spread.judged.drift.change) >= terminal.LEAST_DRIFT
    ]
    if not found:
        return " No point drifts significantly (Kendall, 5 %)."
    told = []
    for backend in panel.backends:
        for direction in ("up", "down"):
            count = sum(way == direction and point.backend == backend for way, point in found)
            if count:
                told.append(f"{backend} {direction} at {words.counted(count, 'point')}")
    return f" Significant drift (Kendall, 5 %): {', '.join(told)} of {len(panel.points)}."


def _frame(frame: Frame, reach: float) -> tuple[Scale, list[Markup]]:
    y = Scale(-reach, reach, *frame.y)
    left, right = frame.x
    axis = picture.y_axis(
        frame,
        y,
        "from the median of the point",
        lambda value: "0 %" if abs(value) < 1e-9 else f"{100 * value:+.4g} %",
    )
    zero = svg.element("path", d=f"M{left} {svg.number(y(0))}H{right}", class_="reference")
    return y, [axis, zero]


def _timed(panel: Panel) -> list[tuple[str, bool, float, float]]:
    """Give backend, whether it is valid, time, and distance from the median of every run that can be drawn."""
    return [
        (point.backend, run.validity == "valid", time, far)
        for point in panel.points
        for run in point.runs
        if (far := relative(point, run)) is not None and (time := words.epoch_s(run.started)) is not None
    ]


def _in_time(
    frame: Frame, panel: Panel, styles: Styles, reach: float, runs: Sequence[tuple[str, bool, float, float]]
) -> Markup:
    y, content = _frame(frame, reach)
    times = [time for _, _, time, _ in runs]
    start = min(times, default=0.0)
    left, right = frame.x
    x = Scale(start, max(times, default=start), left + 8, right - 8)
    content.append(_time_axis(frame, x, start))
    for backend in panel.backends:
        valid: list[tuple[float, float]] = []
        odd: list[tuple[float, float]] = []
        for name, is_valid, time, far in runs:
            if name == backend:
                (valid if is_valid else odd).append((x(time), y(far)))
        content.append(_series(valid, odd, styles.style(backend)))
    return picture.drawing(frame, "Runs against time, relative to the median of their point", content)


def _time_axis(frame: Frame, x: Scale, start: float) -> Markup:
    span = x.high - x.low
    unit, seconds = next(
        (
            (unit, seconds)
            for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60))
            if span >= 2 * seconds
        ),
        ("seconds", 1),
    )
    scale = Scale(0, max(span, 1e-9) / seconds, x.start, x.end)
    places = [(scale(value), f"{value:g}") for value in scale.ticks(8)]
    since = f"{datetime.fromtimestamp(start, UTC):%Y-%m-%d %H:%M} UTC" if start else "the first run"
    return picture.x_axis(frame, places, f"{unit} since {since}")


def _by_number(frame: Frame, panel: Panel, styles: Styles, reach: float) -> Markup:
    y, content = _frame(frame, reach)
    left, right = frame.x
    most = max((run.run for point in panel.points for run in point.runs), default=0)
    x = Scale(1, most + 1, left + 26, right - 26)
    step = 1 if most < 40 else 5 * -(-most // 200)  # some forty numbers, whatever a record says
    content.append(
        picture.x_axis(
            frame,
            [(x(number), str(number)) for number in range(1, most + 2, step)],
            "number of the run in its point",
        )
    )
    room = 0.7 * (x(2) - x(1)) if most else 40.0
    width = min(room, 40.0) / max(len(panel.backends), 1)
    for place, backend in enumerate(panel.backends):
        shift = (place - (len(panel.backends) - 1) / 2) * width
        runs = _numbered(_telling(panel.of(backend)))
        dots: list[tuple[float, float]] = []
        for number, found in runs.items():
            spread = picture.spread_over(x(number + 1) + shift, 0.7 * width, len(found))
            dots += [(each, y(far)) for each, far in zip(spread, found, strict=True)]
        centre = [
            (x(number + 1) + shift, y(statistics.median(found))) for number, found in sorted(runs.items())
        ]
        content.append(_series(dots, [], styles.style(backend)))
        if len(centre) > 1 and most <= _MOST_NUMBERS:
            line = svg.element("path", d=svg.line(centre), class_="line")
            content.append(svg.element("g", line, class_=styles.style(backend), aria_hidden="true"))
    return picture.drawing(frame, "Runs against their number, relative to the median of their point", content)


def _numbered(points: Sequence[MeasuredPoint]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for point in points:
        for run in point.valid:
            far = relative(point, run)
            if far is not None:
                found.setdefault(run.run, []).append(far)
    return found


def _series(valid: Sequence[tuple[float, float]], odd: Sequence[tuple[float, float]], style: str) -> Markup:
    parts = []
    if valid:
        parts.append(svg.element("path", d=svg.dots(valid), class_="dots"))
    if odd:
        parts.append(svg.element("path", d=svg.crosses(odd), class_="odd"))
    return svg.element("g", *parts, class_=style, aria_hidden="true")
