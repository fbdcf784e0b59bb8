"""The picture between sessions, or between the passes of one: how far each stands from all of them. Pure."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.record.points import point_key
from pytest_kubelb.report.html import picture, svg, words
from pytest_kubelb.report.html.picture import FRAMES, Figure, Frame, Key, Styles
from pytest_kubelb.report.html.scale import Scale
from pytest_kubelb.verdict import components

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from pytest_kubelb.record.points import PointKey
    from pytest_kubelb.report.html.model import Sheet

_ROW = 34


@dataclass(frozen=True)
class Level:
    """One backend in one session, or in one pass of the only session."""

    group: str
    backend: str
    relative: tuple[float, ...]
    """Median of each point, relative to the median over all groups that have the point; fractions."""


@dataclass(frozen=True)
class Precision:
    """Run-to-run and session-to-session variation of one backend."""

    backend: str
    points: int
    sessions: int
    s_r: float | None
    """Median over the points, a fraction."""
    s_i: float | None
    """Of single runs in different provisionings and sessions, median over the points, a fraction."""


def levels(sheet: Sheet) -> list[Level]:
    """Give the levels of every session; of the passes when there is one session; none when there is one of both."""
    groups = _groups(sheet)
    everything: dict[PointKey, list[float]] = {}
    for of_group in groups.values():
        for key, median in of_group.items():
            everything.setdefault(key, []).append(median)
    centres = {key: statistics.median(found) for key, found in everything.items() if len(found) > 1}
    found = []
    for group, of_group in groups.items():
        for backend in sheet.backends:
            relative = tuple(
                median / centres[key] - 1
                for key, median in of_group.items()
                if centres.get(key) and dict(key).get("backend", "load balancer") == backend
            )
            if relative:
                found.append(Level(group, backend, relative))
    return found if len(groups) > 1 else []


def precisions(sheet: Sheet) -> list[Precision]:
    """Give s_r and s_I of ln(rps) of each backend, where more than runs was repeated."""
    found = []
    for backend in sheet.backends:
        cells: dict[PointKey, list[list[list[float]]]] = {}
        for session in sheet.sessions:
            for point in session.points:
                if point.backend == backend:
                    passes = [
                        [
                            math.log(run.result.rps)
                            for run in point.valid
                            if run.provisioning == spread.provisioning
                            and run.result is not None
                            and run.result.rps > 0
                        ]
                        for spread in point.spreads
                    ]
                    if kept := [each for each in passes if each]:
                        cells.setdefault(point_key(point.axes), []).append(kept)
        judged = [
            components.within_testbed(each) for each in cells.values() if len(each) > 1 or len(each[0]) > 1
        ]
        between = [each.s_I.s for each in judged if each.s_I is not None]
        within = [each.s_r.s for each in judged if each.s_r is not None]
        if between:
            found.append(
                Precision(
                    backend,
                    len(judged),
                    max(each.counts["session"] for each in judged),
                    statistics.median(within) if within else None,
                    statistics.median(between),
                )
            )
    return found


def figure(sheet: Sheet, styles: Styles) -> Figure | None:
    """Draw the groups below each other; None when there is one."""
    found = levels(sheet)
    if not found:
        return None
    what = "session" if len(sheet.sessions) > 1 else "pass"
    return Figure(
        title=f"Level of each {what}",
        drawings=[_drawing(frame, found, styles) for frame in FRAMES],
        keys=[
            *(styles.key(backend) for backend in sheet.backends),
            Key("plain", "tick", "median over its points"),
        ],
        caption=(
            f"Each dot is a point: its median in that {what}, relative to the median over all that measured it. "
            "What lies beyond the scale stands at its edge."
        ),
    )


def _groups(sheet: Sheet) -> dict[str, Mapping[PointKey, float]]:
    if len(sheet.sessions) > 1:
        return {
            session.id or "without an id": {
                point_key(point.axes): point.median for point in session.points if point.median is not None
            }
            for session in sheet.sessions
        }
    groups: dict[str, dict[PointKey, float]] = {}
    for point in sheet.points:
        for spread in point.spreads:
            if spread.judged.median is not None:
                of_pass = groups.setdefault(f"pass {spread.provisioning}", {})
                of_pass[point_key(point.axes)] = spread.judged.median
    return dict(sorted(groups.items()))


def _drawing(frame: Frame, found: Sequence[Level], styles: Styles) -> Markup:
    groups = list(dict.fromkeys(level.group for level in found))
    backends = list(dict.fromkeys(level.backend for level in found))
    row = _ROW if frame.name == "wide" else _ROW + 14
    height = frame.top + row * len(groups) + frame.bottom
    own = Frame(
        frame.name,
        frame.width,
        height,
        190 if frame.name == "wide" else 12,
        frame.right,
        14,
        frame.bottom,
        56,
    )
    far = sorted(abs(each) for level in found for each in level.relative)
    reach = min(max(1.2 * far[int(0.98 * (len(far) - 1))], 0.01), 1.0)
    left, right = own.x
    x = Scale(-reach, reach, left + 10, right - 10)
    places = [
        (x(value), "0 %" if abs(value) < 1e-9 else f"{100 * value:+.4g} %")
        for value in x.ticks(6 if frame.name == "wide" else 4)
    ]
    content = [picture.x_axis(own, places, "from the median over all")]
    content.append(svg.element("path", d=f"M{svg.number(x(0))} {own.top}V{own.y[0]}", class_="reference"))
    for index, group in enumerate(groups):
        middle = own.top + row * (index + 0.5) + (8 if frame.name == "narrow" else 0)
        beside = frame.name == "wide"
        across, down = (left - 10, middle + 4) if beside else (left, middle - 13)
        content.append(
            svg.element("text", group[:40], x=across, y=down, class_="tick end" if beside else "tick")
        )
        content.append(svg.element("path", d=f"M{left} {svg.number(middle)}H{right}", class_="grid"))
        for level in found:
            if level.group == group:
                offset = (backends.index(level.backend) - (len(backends) - 1) / 2) * 9
                content.append(_row(level, x, middle + offset, styles))
    return picture.drawing(own, "Level of each session, relative to all", content)


def _row(level: Level, x: Scale, y: float, styles: Styles) -> Markup:
    median = statistics.median(level.relative)
    tick = svg.element("path", d=f"M{svg.number(x(median))} {svg.number(y - 6)}v12", class_="median")
    told = f"{level.group}, {level.backend}: {words.change(median)} over {words.counted(len(level.relative), 'point')}"
    dots = svg.element("path", d=svg.dots((x(each), y) for each in level.relative), class_="dots")
    return svg.element("g", svg.element("title", told), dots, tick, class_=styles.style(level.backend))
