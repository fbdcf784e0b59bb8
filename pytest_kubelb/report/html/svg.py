"""SVG elements as text in which everything is escaped. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPES = ("circle", "square", "triangle", "diamond", "down", "cross")
"""Markers by name, so that series can be told apart without their colours."""


def element(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """Give an element; `class_` is class, `_` in a name is `-`, an attribute of None is left out.

    Children and attribute values are escaped unless they are Markup.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(map(escape, children))
    # Both parts were escaped just above.
    return Markup(f"<{name}{told}>{inside}</{name}>" if inside else f"<{name}{told}/>")  # noqa: S704


def joined(elements: Iterable[Markup]) -> Markup:
    """Give the elements one after the other."""
    return Markup().join(elements)


def number(value: float) -> str:
    """Give a coordinate with a tenth of a pixel, as short as it can be written."""
    return f"{value:.1f}".removesuffix(".0")


def dots(places: Iterable[tuple[float, float]]) -> str:
    """Give the path of many dots, drawn by a round line cap; dots on the same half pixel are drawn once."""
    seen = dict.fromkeys((round(x * 2), round(y * 2)) for x, y in places)
    return "".join(f"M{number(x / 2)} {number(y / 2)}h0" for x, y in seen)


def crosses(places: Iterable[tuple[float, float]], size: float = 2.5) -> str:
    """Give the path of many small crosses; those on the same half pixel are drawn once."""
    seen = dict.fromkeys((round(x * 2), round(y * 2)) for x, y in places)
    b = number(2 * size)
    return "".join(f"M{number(x / 2 - size)} {number(y / 2 - size)}l{b} {b}m0-{b}l-{b} {b}" for x, y in seen)


def line(places: Iterable[tuple[float, float]]) -> str:
    """Give the path of a line through the places."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in places)


def marker(shape: str, x: float, y: float, radius: float = 4.5) -> str:
    """Give the path of one marker of `SHAPES`, all of about the same area."""
    r = radius
    if shape == "circle":
        arc = f"a{number(r)} {number(r)} 0 1 0"
        return f"M{number(x - r)} {number(y)}{arc} {number(2 * r)} 0{arc} {number(-2 * r)} 0z"
    corners = {
        "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
        "triangle": ((0, -1.15), (1.1, 0.8), (-1.1, 0.8)),
        "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
        "down": ((0, 1.15), (1.1, -0.8), (-1.1, -0.8)),
        "cross": (
            *((-1.1, -0.4), (-0.4, -0.4), (-0.4, -1.1), (0.4, -1.1), (0.4, -0.4), (1.1, -0.4)),
            *((1.1, 0.4), (0.4, 0.4), (0.4, 1.1), (-0.4, 1.1), (-0.4, 0.4), (-1.1, 0.4)),
        ),
    }[shape]
    return line((x + dx * r, y + dy * r) for dx, dy in corners) + "z"


def swatch(style: str, shape: str) -> Markup:
    """Give the sign of a line of the legend: a marker, or the way something is drawn."""
    middle = 9.0
    if shape in SHAPES:
        inside = element("path", d=marker(shape, middle, 8), class_="mark")
    elif shape == "invalid":
        inside = element("path", d=crosses([(middle, 8)], 3), class_="odd")
    elif shape == "forbidden":
        square = element("path", d=marker("square", middle, 8, 5), class_="mark hollow forbidden")
        inside = joined([square, element("path", d=crosses([(middle, 8)], 3), class_="mark-cross")])
    elif shape == "tick":
        inside = element("path", d="M9 2v12", class_="median")
    else:
        kind = "limit" if shape == "rule" else f"line {shape}"
        inside = element("path", d="M0 8h18", class_=kind)
    return element(
        "svg", inside, viewBox="0 0 18 16", width=18, height=16, class_=f"swatch {style}", aria_hidden="true"
    )
