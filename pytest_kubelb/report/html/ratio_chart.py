"""The picture of the ratio between backends: its interval, and the points where a ceiling forbids a verdict. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pytest_kubelb.report.html import picture, ratios, svg
from pytest_kubelb.report.html.picture import FRAMES, Figure, Frame, Key, Styles
from pytest_kubelb.report.html.scale import Scale, ticks
from pytest_kubelb.verdict import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from pytest_kubelb.report.html.model import Panel
    from pytest_kubelb.report.html.ratios import Compared


_UNDECIDED: Final = math.log(2)
"""Of an interval that decides nothing no more than this is shown, else it would press the others flat."""


def figures(panel: Panel, styles: Styles) -> list[Figure]:
    """Draw every pair of backends of one panel; none with fewer than two backends or no common pod count."""
    return [
        _figure(a, b, found, styles)
        for a, b in ratios.pairs_of(panel)
        if (found := ratios.compared(panel, a, b))
    ]


def _figure(a: str, b: str, found: Sequence[Compared], styles: Styles) -> Figure:
    keys = [Key(styles.style(a), "circle", f"ratio {a} / {b}, 95 % interval")]
    if any(_scatter(each) for each in found):
        keys.append(Key(styles.style(a), "dashed", "of the runs alone, no verdict"))
    if any(each.forbidden for each in found):
        keys.append(Key("plain", "forbidden", "not judged"))
    return Figure(
        title=f"Ratio {a} / {b}",
        drawings=[_drawing(frame, found, styles.style(a)) for frame in FRAMES],
        keys=keys,
        caption=(
            f"Above 1, {a} is faster. The ratio is of the levels of the passes, their 20 % trimmed mean on "
            "a logarithmic scale; an interval takes three passes (--kubelb-passes 3), a hollow marker is inconclusive. "
            "A dashed line tells how far the runs scatter, paired by their number: it says nothing about a new "
            f"provisioning. The grey band is ± {100 * ratio.LEAST:g} %, the smallest difference that counts."
            f"{_reasons(found)} An interval without an end goes on beyond the picture."
        ),
    )


def _reasons(found: Sequence[Compared]) -> str:
    reasons = dict.fromkeys(
        "a ceiling that is not the load balancer is compared with itself"
        if not (each.a.ranks and each.b.ranks)
        else each.judged.reason or ""
        for each in found
        if each.forbidden
    )
    return f" Crossed markers are not judged: {'; '.join(reasons)}." if reasons else ""


def _scatter(each: Compared) -> bool:
    """Tell whether only the scatter of the runs is known."""
    return each.judged.verdict == "inconclusive" and each.judged.low is None and each.of_runs.low is not None


def _drawing(frame: Frame, found: Sequence[Compared], style: str) -> Markup:
    pods = [each.a.pods for each in found]
    x = picture.pods_scale(frame, pods)
    y = _scale(frame, found)
    left, right = frame.x
    band = (y(1 + ratio.LEAST), y(1 / (1 + ratio.LEAST)))
    content = [
        svg.element("rect", x=left, y=band[0], width=right - left, height=band[1] - band[0], class_="least"),
        _axis(frame, y),
        svg.element("path", d=f"M{left} {svg.number(y(1))}H{right}", class_="reference"),
        picture.pods_axis(frame, x, pods),
    ]
    marks = [_mark(each, x(each.a.pods), y) for each in found]
    name = f"Ratio {found[0].a.backend} / {found[0].b.backend} against pods"
    return picture.drawing(frame, name, [*content, svg.element("g", *marks, class_=style)])


def _scale(frame: Frame, found: Sequence[Compared]) -> Scale:
    """Give a scale of the logarithm around 1; scatter, and an undecided interval beyond twofold, are cut off."""
    centres = picture.finite([each.judged.ratio or each.plain for each in found])
    far = max([abs(math.log(centre)) for centre in centres if centre > 0], default=0.0)
    ends = [
        abs(math.log(end)) if each.judged.verdict != "inconclusive" else min(abs(math.log(end)), _UNDECIDED)
        for each in found
        for end in (each.judged.low, each.judged.high)
        if end is not None and end > 0
    ]
    reach = min(max([far * 1.3, 0.06, *ends]) * 1.05, 12.0)
    return Scale(math.exp(-reach), math.exp(reach), *frame.y, log=True)


def _axis(frame: Frame, y: Scale) -> Markup:
    log = y.high > 2.5
    rough = [factor * 10.0**decade for decade in range(-6, 6) for factor in (1, 1.5, 2, 3, 5, 7)]
    marked = rough if log else ticks(round(y.low, 6), round(y.high, 6), 6)
    left, right = frame.x
    parts = [svg.element("text", "ratio of requests per second", x=0, y=13, class_="unit")]
    taken = [y(1)]  # the line of equality has its label before any other
    for value in sorted(
        (value for value in marked if y.low <= value <= y.high), key=lambda value: value != 1
    ):
        place = y(value)
        if value != 1 and min(abs(place - other) for other in taken) < 18:
            continue
        taken.append(place)
        label = f"{value:.3g}" if log else f"{value:.2f}"
        parts.append(svg.element("path", d=f"M{left} {svg.number(place)}H{right}", class_="grid"))
        parts.append(svg.element("text", label, x=left - 8, y=place + 4, class_="tick end"))
    return svg.element("g", *parts, aria_hidden="true")


def _mark(each: Compared, x: float, y: Scale) -> Markup:
    judged = each.judged
    centre = judged.ratio if judged.ratio is not None else each.plain
    place = y(centre) if centre else y(1)
    label = f"{each.a.backend} / {each.b.backend}, {each.a.pods} pods: {in_words(each)}"
    parts = [svg.element("title", label), svg.element("circle", cx=x, cy=place, r=11, class_="hit")]
    told = each.of_runs if _scatter(each) else judged
    if told.low is not None and told.high is not None:
        low, high = y(told.low), y(told.high)
        inside = [y(end) for end in (told.low, told.high) if y.low <= end <= y.high]
        d = f"M{svg.number(x)} {svg.number(low)}V{svg.number(high)}"
        d += "".join(f"M{svg.number(x - 4)} {svg.number(end)}h8" for end in inside if told is judged)
        parts.append(svg.element("path", d=d, class_="whisker" if told is judged else "whisker scatter"))
    if each.forbidden:
        d = svg.marker("square", x, place, 5)
        parts.append(svg.element("path", d=d, class_="mark hollow forbidden"))
        parts.append(svg.element("path", d=svg.crosses([(x, place)], 3), class_="mark-cross"))
    else:
        shape = "circle"
        parts.append(
            svg.element(
                "path",
                d=svg.marker(shape, x, place),
                class_="mark hollow" if judged.verdict == "inconclusive" else "mark",
            )
        )
    return svg.element(
        "g",
        *parts,
        class_="pt",
        role="button",
        tabindex=-1,
        aria_label=f"{label}; show its runs",
        data_p=f"{each.a.index} {each.b.index}",
    )


def in_words(each: Compared) -> str:
    """Give ratio, interval and verdict in words."""
    judged = each.judged
    if each.forbidden:
        plain = "" if each.plain is None else f", ratio of the medians {each.plain:.3f}"
        return f"not judged, {judged.reason}{plain}"
    if judged.ratio is None:
        return f"{each.word}, {judged.reason}"
    if judged.low is None or judged.high is None:
        return f"{judged.ratio:.3f}, {each.word}, {judged.reason}"
    return f"{judged.ratio:.3f} ({judged.low:.3f} to {judged.high:.3f}), {each.word}"
