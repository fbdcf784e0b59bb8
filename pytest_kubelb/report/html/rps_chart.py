"""The picture of requests/s against pods: every run a dot, the median a line, its interval a band. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.report.html import picture, svg
from pytest_kubelb.report.html.picture import FRAMES, Figure, Frame, Key, Styles
from pytest_kubelb.report.html.scale import Scale, linear_from_zero

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from pytest_kubelb.report.html.model import MeasuredPoint, Panel

CAPTION: Final = (
    "Each dot is a run, in run order from left to right within its pod count; a cross is a run that is not valid. The "
    "line joins the medians of the valid runs. The band is the 95 % interval of the median by order statistics; with "
    "fewer than six valid runs it is their range. A hollow marker is a point at a ceiling that is not the load "
    "balancer."
)


def figure(panel: Panel, styles: Styles) -> Figure:
    """Draw one panel."""
    keys = [styles.key(backend) for backend in panel.backends]
    if any(sample.validity != "valid" for point in panel.points for sample in point.runs):
        keys.append(Key("plain", "invalid", "run that is not valid"))
    return Figure(
        title="Requests per second against pods",
        drawings=[_drawing(frame, panel, styles) for frame in FRAMES],
        keys=keys,
        caption=CAPTION,
    )


def _drawing(frame: Frame, panel: Panel, styles: Styles) -> Markup:
    rates = [
        sample.result.rps for point in panel.points for sample in point.runs if sample.result is not None
    ]
    y = linear_from_zero(rates, *frame.y)
    x = picture.pods_scale(frame, panel.pods)
    width, offsets = picture.slots(x, panel.pods, len(panel.backends))
    content = [
        picture.y_axis(frame, y, "requests per second", lambda value: f"{value:,.0f}"),
        picture.pods_axis(frame, x, panel.pods),
    ]
    marks = []
    for backend, offset in zip(panel.backends, offsets, strict=True):
        style, points = styles.style(backend), panel.of(backend)
        moved = Scale(x.low, x.high, x.start + offset, x.end + offset)
        content.append(_series(points, moved, y, width, style))
        marks.append(svg.element("g", *_marks(points, moved, y, styles.shape(backend)), class_=style))
    return picture.drawing(
        frame, f"Requests per second against pods: {', '.join(panel.backends)}", [*content, *marks]
    )


def _series(points: Sequence[MeasuredPoint], x: Scale, y: Scale, width: float, style: str) -> Markup:
    known = [(x(point.pods), point.interval) for point in points if point.interval is not None]
    valid: list[tuple[float, float]] = []
    odd: list[tuple[float, float]] = []
    for point in points:
        runs = [(run.validity, run.result.rps) for run in point.runs if run.result is not None]
        for place, (validity, rps) in zip(
            picture.spread_over(x(point.pods), width, len(runs)), runs, strict=True
        ):
            (valid if validity == "valid" else odd).append((place, y(rps)))
    upper = [(place, y(each.high)) for place, each in known]
    lower = [(place, y(each.low)) for place, each in reversed(known)]
    parts = []
    if len(known) > 1:
        parts.append(svg.element("path", d=svg.line([*upper, *lower]) + "z", class_="band"))
    elif known:
        (place, each), half = known[0], max(width / 2, 6)
        left, right = svg.number(place - half), svg.number(place + half)
        d = f"M{left} {svg.number(y(each.low))}H{right}V{svg.number(y(each.high))}H{left}z"
        parts.append(svg.element("path", d=d, class_="band"))
    if valid:
        parts.append(svg.element("path", d=svg.dots(valid), class_="dots"))
    if odd:
        parts.append(svg.element("path", d=svg.crosses(odd), class_="odd"))
    if len(known) > 1:
        parts.append(
            svg.element("path", d=svg.line((place, y(each.median)) for place, each in known), class_="line")
        )
    return svg.element("g", *parts, class_=style, aria_hidden="true")


def _marks(points: Sequence[MeasuredPoint], x: Scale, y: Scale, shape: str) -> list[Markup]:
    return [
        picture.choosable(
            point,
            shape,
            (x(point.pods), y(point.median or 0.0)),
            picture.figures_in_words(point),
            hollow=not point.ranks,
        )
        for point in points
    ]
