"""The picture of fairness: what each pod got of a run, as the load balancer counted it. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.option_values import MOST_PODS
from pytest_kubelb.report.html import picture, svg, words
from pytest_kubelb.report.html.picture import FRAMES, Figure, Frame, Styles
from pytest_kubelb.report.html.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from pytest_kubelb.report.html.model import Delta, Evidence, MeasuredPoint, Panel

MEASURES: Final = ("packets", "bytes", "connections")
"""The first that the tables of the load balancer count is drawn."""


@dataclass(frozen=True)
class Shares:
    """How one run was divided among the pods of its point."""

    point: MeasuredPoint
    host: str
    measure: str
    by_pod: Mapping[str, int]

    @property
    def relative(self) -> list[float]:
        """What each pod got, in means."""
        mean = statistics.fmean(self.by_pod.values())
        return [count / mean for count in self.by_pod.values()] if mean else []

    @property
    def unfairness(self) -> float | None:
        """Largest over mean: 1 is fair."""
        return max(self.relative, default=None)


def shares(panel: Panel) -> list[Shares]:
    """Give the shares of every point of a panel that has evidence of them."""
    found = (
        of_run(point, evidence)
        for point in panel.points
        if (evidence := panel.session.evidence.get(point.index)) is not None
    )
    return [each for each in found if each is not None]


def of_run(point: MeasuredPoint, evidence: Evidence) -> Shares | None:
    """Give how the pods shared one run; None when no host counted it."""
    for host, delta in evidence.hosts.items():
        endpoints = delta.get("endpoints")
        if not isinstance(endpoints, dict) or not endpoints:
            continue
        if _untold(delta, endpoints):
            continue
        for measure in MEASURES:
            counts = {
                str(pod): count
                for pod, told in endpoints.items()
                if isinstance(told, dict) and isinstance(count := told.get(measure), int)
            }
            if sum(counts.values()) > 0:
                # A pod that got nothing is not in the tables of the load balancer.
                idle = range(len(counts) + 1, min(point.pods, MOST_PODS) + 1)
                return Shares(point, host, measure, counts | {f"pod {number}": 0 for number in idle})
    return None


def _untold(delta: Delta, endpoints: Mapping[str, object]) -> bool:
    """Tell whether ipvs's tables, which are up to two seconds late, lack some of the run's connections."""
    counters = delta.get("counters")
    total = counters.get("ipvs.conns") if isinstance(counters, dict) else None
    told = [each.get("connections") for each in endpoints.values() if isinstance(each, dict)]
    return isinstance(total, int) and sum(each for each in told if isinstance(each, int)) < total


def figure(panel: Panel, styles: Styles) -> Figure | None:
    """Draw one panel; None without evidence."""
    found = shares(panel)
    if not found:
        return None
    counted = ", ".join(sorted({f"{each.measure} on {each.host}" for each in found}))
    return Figure(
        title="Share of each pod",
        drawings=[_drawing(frame, panel, found, styles) for frame in FRAMES],
        keys=[styles.key(backend) for backend in panel.backends],
        caption=(
            f"Each dot is a pod in the run nearest to the median of its point, by {counted}; 1 is an equal share. "
            "The marker is the largest share, and shows the runs of its point."
        ),
    )


def _drawing(frame: Frame, panel: Panel, found: Sequence[Shares], styles: Styles) -> Markup:
    told = [each for one in found for each in one.relative]
    y = Scale(max(min(0.8, *told) - 0.05, 0.0), max(1.2, *told) + 0.05, *frame.y)
    x = picture.pods_scale(frame, panel.pods)
    width, offsets = picture.slots(x, panel.pods, len(panel.backends))
    left, right = frame.x
    content = [
        picture.y_axis(frame, y, "share of a pod, in means", lambda value: f"{value:g}"),
        picture.pods_axis(frame, x, panel.pods),
        svg.element("path", d=f"M{left} {svg.number(y(1))}H{right}", class_="reference"),
    ]
    marks = []
    for backend, offset in zip(panel.backends, offsets, strict=True):
        own = [each for each in found if each.point.backend == backend]
        dots: list[tuple[float, float]] = []
        for each in own:
            spread = picture.spread_over(x(each.point.pods) + offset, width, len(each.by_pod))
            dots += [(place, y(share)) for place, share in zip(spread, each.relative, strict=True)]
        if dots:
            path = svg.element("path", d=svg.dots(dots), class_="dots")
            content.append(svg.element("g", path, class_=styles.style(backend), aria_hidden="true"))
        marks.append(
            svg.element(
                "g",
                *(
                    picture.choosable(
                        each.point,
                        styles.shape(backend),
                        (x(each.point.pods) + offset, y(each.unfairness or 0.0)),
                        f"largest share {each.unfairness or 0.0:.2f} of the mean over {words.pods(len(each.by_pod))}",
                        hollow=True,
                    )
                    for each in own
                ),
                class_=f"small {styles.style(backend)}",
            )
        )
    return picture.drawing(frame, "Share of each pod against pods", [*content, *marks])
