"""The frame of a picture: its size, axes, grid, the points one can choose, and the figure around it. Pure.

Every picture is drawn twice, for a desk and for a phone, because text in a scaled SVG shrinks with it; the style sheet
shows the one that fits.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pytest_kubelb.report.html import svg, words
from pytest_kubelb.report.html.scale import Scale, spaced
from pytest_kubelb.text.spelling import rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from markupsafe import Markup

    from pytest_kubelb.report.html.model import MeasuredPoint


@dataclass(frozen=True)
class Frame:
    """Size and margins of a picture, in pixels of its view box."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    gap: int
    """Room that a label of the x axis takes."""

    @property
    def x(self) -> tuple[float, float]:
        """Left and right end of the plot."""
        return self.left, self.width - self.right

    @property
    def y(self) -> tuple[float, float]:
        """Lower and upper end of the plot: values grow upwards."""
        return self.height - self.bottom, self.top


WIDE: Final = Frame("wide", 920, 360, 74, 18, 28, 46, 34)
NARROW: Final = Frame("narrow", 344, 300, 58, 10, 28, 44, 30)
FRAMES: Final = (WIDE, NARROW)


@dataclass(frozen=True)
class Key:
    """One line of a legend."""

    style: str
    """Class that gives the colour: `s0`."""
    shape: str
    label: str


@dataclass(frozen=True)
class Figure:
    """A picture with all that is around it."""

    title: str
    drawings: Sequence[Markup]
    """One for each of `FRAMES`."""
    keys: Sequence[Key]
    caption: str


class Styles:
    """Colour and shape of each backend, the same in all pictures."""

    def __init__(self, backends: Sequence[str]) -> None:
        self._places = {backend: place for place, backend in enumerate(backends)}

    def style(self, backend: str) -> str:
        """Give the class of the colour."""
        return f"s{self._places.get(backend, 0) % 6}"

    def shape(self, backend: str) -> str:
        """Give the name of the marker."""
        return svg.SHAPES[self._places.get(backend, 0) % len(svg.SHAPES)]

    def key(self, backend: str) -> Key:
        """Give the line of the legend."""
        return Key(self.style(backend), self.shape(backend), backend)


def drawing(frame: Frame, label: str, content: Iterable[Markup]) -> Markup:
    """Give the SVG of a picture; `label` is what it is called where it cannot be seen."""
    return svg.element(
        "svg",
        *content,
        viewBox=f"0 0 {frame.width} {frame.height}",
        class_=f"chart {frame.name}",
        role="group",
        aria_label=label,
    )


def y_axis(frame: Frame, scale: Scale, unit: str, label: Callable[[float], str], about: int = 5) -> Markup:
    """Give the grid lines with their values, and the unit above them."""
    left, right = frame.x
    parts = [svg.element("text", unit, x=0, y=13, class_="unit")]
    for value in scale.ticks(about):
        y = scale(value)
        parts.append(svg.element("path", d=f"M{left} {svg.number(y)}H{right}", class_="grid"))
        parts.append(svg.element("text", label(value), x=left - 8, y=y + 4, class_="tick end"))
    return svg.element("g", *parts, aria_hidden="true")


def x_axis(frame: Frame, places: Sequence[tuple[float, str]], title: str) -> Markup:
    """Give the labels below the plot, as many as there is room for, and the title of the axis."""
    left, right = frame.x
    base = frame.y[0]
    parts = [svg.element("path", d=f"M{left} {base}H{right}", class_="axis")]
    for index in spaced([x for x, _ in places], frame.gap):
        x, text = places[index]
        parts.append(svg.element("path", d=f"M{svg.number(x)} {base}v4", class_="axis"))
        parts.append(svg.element("text", text, x=x, y=base + 17, class_="tick middle"))
    parts.append(svg.element("text", title, x=(left + right) / 2, y=frame.height - 6, class_="unit middle"))
    return svg.element("g", *parts, aria_hidden="true")


def pods_scale(frame: Frame, pods: Sequence[int], inset: float = 26) -> Scale:
    """Give the scale of the pod counts, with room for the dots of the first and the last."""
    left, right = frame.x
    return Scale(min(pods, default=0), max(pods, default=1), left + inset, right - inset)


def pods_axis(frame: Frame, scale: Scale, pods: Sequence[int]) -> Markup:
    """Give the x axis of the pod counts that were measured."""
    return x_axis(frame, [(scale(count), str(count)) for count in pods], "pods")


def slots(scale: Scale, pods: Sequence[int], series: int, most: float = 44) -> tuple[float, list[float]]:
    """Give how wide one series may spread at a pod count, and how far each series stands from it."""
    gaps = [scale(b) - scale(a) for a, b in pairwise(pods)]
    # Counts as near as 1 and 2 in a sweep to 40 may touch; else all others would be squeezed for them.
    room = min(most, 0.75 * statistics.median(gaps), 1.1 * min(gaps)) if gaps else most
    width = room / max(series, 1)
    return 0.8 * width, [(place - (series - 1) / 2) * width for place in range(series)]


def spread_over(x: float, width: float, count: int) -> list[float]:
    """Give where the dots of one point stand: in their order, from left to right."""
    if count < 2:
        return [x] * count
    return [x + (index / (count - 1) - 0.5) * width for index in range(count)]


def choosable(
    point: MeasuredPoint, shape: str, place: tuple[float, float], said: str, hollow: bool
) -> Markup:
    """Give the marker of a point, which shows its runs when it is chosen by mouse or keyboard."""
    x, y = place
    label = f"{point.name}: {said}"
    return svg.element(
        "g",
        svg.element("title", label),
        svg.element("circle", cx=x, cy=y, r=11, class_="hit"),
        svg.element("path", d=svg.marker(shape, x, y, 3.9), class_="mark hollow" if hollow else "mark"),
        class_="pt",
        role="button",
        tabindex=-1,
        aria_label=f"{label}; show its runs",
        data_p=point.index,
    )


def ceiling_words(point: MeasuredPoint) -> str:
    """Give `, at a ceiling (link)` for a point that says nothing about the load balancer."""
    return "" if point.ranks else f", at a ceiling ({point.ceiling})"


def figures_in_words(point: MeasuredPoint) -> str:
    """Give what a screen reader says of a point, and a mouse shows."""
    valid, runs = len(point.valid), len(point.runs)
    if point.interval is None:
        return f"none of {words.counted(runs, 'run')} valid"
    widest = point.widest
    cv = "" if widest is None else f", CV {words.share(widest.judged.cv)}"
    counted = f"{valid} of {words.counted(runs, 'run')} valid{cv}"
    return f"median {rate(point.median)} req/s, {counted}, {point.word}{ceiling_words(point)}"


def finite(values: Iterable[float | None]) -> list[float]:
    """Give the values that can be drawn."""
    return [value for value in values if value is not None and math.isfinite(value)]
