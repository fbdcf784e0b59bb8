"""The picture of the spread: CV of each provisioning of each point, against the tolerance. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.report.html import picture, svg, words
from pytest_kubelb.report.html.picture import FRAMES, Figure, Frame, Key, Styles
from pytest_kubelb.report.html.scale import Scale, log_ticks, spaced

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_kubelb.report.html.model import MeasuredPoint, Panel, Spread

LOWEST: Final = 1e-5
"""CVs below stand at the lower edge: 0.001 %."""


def figure(panel: Panel, styles: Styles) -> Figure:
    """Draw one panel."""
    tolerances = sorted({spread.judged.tolerance for point in panel.points for spread in point.spreads})
    told = ", ".join(words.share(value, 1) for value in tolerances)
    return Figure(
        title="Coefficient of variation of each point",
        drawings=[_drawing(frame, panel, styles, tolerances) for frame in FRAMES],
        keys=[
            *(styles.key(backend) for backend in panel.backends),
            Key("plain", "rule", f"tolerance {told}"),
        ],
        caption=(
            "CV of the valid runs inside one provisioning, a marker for each; the line is its interval, each end with "
            "90 % confidence. The scale is logarithmic and ends at 0.001 %. A hollow marker is a point at a ceiling."
        ),
    )


def _drawing(frame: Frame, panel: Panel, styles: Styles, tolerances: list[float]) -> Markup:
    spreads = [(point, spread) for point in panel.points for spread in point.spreads]
    known = picture.finite(spread.judged.cv for _, spread in spreads)
    ends = picture.finite(spread.judged.cv_high for _, spread in spreads)
    high = max([*known, *ends, *tolerances, LOWEST * 10]) * 1.3
    low = max(min([*(cv for cv in known if cv > 0), *tolerances]) / 1.6, LOWEST)
    y = Scale(low, high, *frame.y, log=True)
    x = picture.pods_scale(frame, panel.pods)
    _, offsets = picture.slots(x, panel.pods, len(panel.backends))
    left, right = frame.x
    content = [_axis(frame, y), picture.pods_axis(frame, x, panel.pods)]
    for tolerance in tolerances:
        line = svg.element("path", d=f"M{left} {svg.number(y(tolerance))}H{right}", class_="limit")
        content.append(line)
    for backend, offset in zip(panel.backends, offsets, strict=True):
        marks = [
            _mark(point, spread, (x(point.pods) + offset, y(max(spread.judged.cv, LOWEST))), y, styles)
            for point in panel.of(backend)
            for spread in point.spreads
            if spread.judged.cv is not None
        ]
        content.append(svg.element("g", *marks, class_=styles.style(backend)))
    return picture.drawing(frame, "Coefficient of variation against pods", content)


def _axis(frame: Frame, y: Scale) -> Markup:
    left, right = frame.x
    marked = log_ticks(y.low, y.high, 5)
    parts = [svg.element("text", "CV of the runs", x=0, y=13, class_="unit")]
    for index in spaced([-y(value) for value in marked], 18):
        place = y(marked[index])
        parts.append(svg.element("path", d=f"M{left} {svg.number(place)}H{right}", class_="grid"))
        label = f"{100 * marked[index]:.4g} %"
        parts.append(svg.element("text", label, x=left - 8, y=place + 4, class_="tick end"))
    return svg.element("g", *parts, aria_hidden="true")


def _mark(
    point: MeasuredPoint, spread: Spread, place: tuple[float, float], y: Scale, styles: Styles
) -> Markup:
    judged = spread.judged
    said = f"CV {words.share(judged.cv)} against {words.share(judged.tolerance)}, {spread.word}"
    if len(point.spreads) > 1:
        said = f"pass {spread.provisioning}, {said}"
    mark = picture.choosable(
        point, styles.shape(point.backend), place, said + picture.ceiling_words(point), hollow=not point.ranks
    )
    if not judged.cv_low or not judged.cv_high:
        return mark
    d = f"M{svg.number(place[0])} {svg.number(y(judged.cv_low))}V{svg.number(y(judged.cv_high))}"
    return svg.joined([svg.element("path", d=d, class_="whisker"), mark])
