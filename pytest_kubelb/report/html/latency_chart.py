"""The picture of latency against pods: percentiles, each the median over the valid runs. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from pytest_kubelb.report.html import picture, svg, words
from pytest_kubelb.report.html.picture import FRAMES, Figure, Frame, Key, Styles
from pytest_kubelb.report.html.scale import Scale, log_ticks, logarithmic, spaced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.report.html.model import MeasuredPoint, Panel

PERCENTILES: Final = ("50", "99", "99.9")
_NAMES: Final = {"50": "p50", "99": "p99", "99.9": "p99.9", "mean": "mean", "max": "longest"}
_DASHES: Final = ("solid", "dashed", "dotted")


def figure(panel: Panel, styles: Styles) -> Figure | None:
    """Draw one panel; None when no run tells its latency."""
    names = measures(panel)
    if not names:
        return None
    values = {(point.index, name): of_point(point, name) for point in panel.points for name in names}
    percentiles = names[0] in PERCENTILES
    keys = [styles.key(backend) for backend in panel.backends]
    keys += [Key("plain", dash, _NAMES[name]) for name, dash in zip(names, _DASHES, strict=False)]
    source = (
        "Percentiles over all requests of a run, by wrk's Lua report; "
        if percentiles
        else "These runs have no percentiles, since wrk's own text gives the mean and the longest response only; "
    )
    return Figure(
        title="Latency against pods",
        drawings=[_drawing(frame, panel, styles, values) for frame in FRAMES],
        keys=keys,
        caption=f"{source}drawn is the median over the valid runs of a point. The scale is logarithmic.",
    )


def measures(panel: Panel) -> tuple[str, ...]:
    """Give what can be drawn: the percentiles, else mean and longest response, else nothing."""
    results = [run.result for point in panel.points for run in point.valid if run.result is not None]
    if any(result.latency.percentiles_us for result in results):
        return PERCENTILES
    return ("mean", "max") if any(result.latency.max_us > 0 for result in results) else ()


def latency_us(sample: Sample, name: str) -> float | None:
    """Give one figure of a run, in microseconds."""
    if sample.result is None:
        return None
    latency = sample.result.latency
    if name in ("mean", "max"):
        return latency.mean_us if name == "mean" else latency.max_us
    return latency.percentiles_us.get(name)


def of_point(point: MeasuredPoint, name: str) -> float | None:
    """Give the median of one figure over the valid runs, in microseconds."""
    values = [value for run in point.valid if (value := latency_us(run, name)) is not None]
    return statistics.median(values) if values else None


def _drawing(
    frame: Frame, panel: Panel, styles: Styles, values: Mapping[tuple[int, str], float | None]
) -> Markup:
    names = list(dict.fromkeys(name for _, name in values))
    y = logarithmic(picture.finite(values.values()), *frame.y)
    x = picture.pods_scale(frame, panel.pods)
    _, offsets = picture.slots(x, panel.pods, len(panel.backends))
    content = [_axis(frame, y), picture.pods_axis(frame, x, panel.pods)]
    marks = []
    for backend, offset in zip(panel.backends, offsets, strict=True):
        parts = []
        for name, dash in zip(names, _DASHES, strict=False):
            known = [
                (point, value)
                for point in panel.of(backend)
                if (value := values[(point.index, name)]) is not None and value > 0
            ]
            places = [(x(point.pods) + offset, y(value)) for point, value in known]
            if len(places) > 1:
                parts.append(svg.element("path", d=svg.line(places), class_=f"line {dash}"))
            marks.append(
                svg.element(
                    "g",
                    *(
                        picture.choosable(
                            point,
                            styles.shape(backend),
                            place,
                            f"{_NAMES[name]} {words.time_us(value)}",
                            hollow=False,
                        )
                        for (point, value), place in zip(known, places, strict=True)
                    ),
                    class_=f"small {styles.style(backend)}",
                )
            )
        content.append(svg.element("g", *parts, class_=styles.style(backend), aria_hidden="true"))
    return picture.drawing(frame, "Latency against pods", [*content, *marks])


def _axis(frame: Frame, y: Scale) -> Markup:
    left, right = frame.x
    marked = log_ticks(y.low, y.high, 5)
    parts = [svg.element("text", "latency", x=0, y=13, class_="unit")]
    for index in spaced([-y(value) for value in marked], 18):
        place = y(marked[index])
        parts.append(svg.element("path", d=f"M{left} {svg.number(place)}H{right}", class_="grid"))
        label = _short(marked[index])
        parts.append(svg.element("text", label, x=left - 8, y=place + 4, class_="tick end"))
    return svg.element("g", *parts, aria_hidden="true")


def _short(value_us: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1.0)):
        if value_us >= size:
            return f"{value_us / size:g} {unit}"
    return f"{value_us:g} µs"
