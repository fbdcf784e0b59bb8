"""The ratio between two backends at each pod count of a panel, with its interval and what forbids it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_kubelb.verdict import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.report.html.model import MeasuredPoint, Panel

_PAIRED: Final = "paired"
_DRIFT: Final = "a drift of the testbed would pass for a difference (--kubelb-order paired)"


@dataclass(frozen=True)
class Compared:
    """Two backends at one pod count."""

    a: MeasuredPoint
    b: MeasuredPoint
    judged: ratio.Ratio
    """Of the levels of the passes: the runs of one pass share its provisioning, and are one observation of it."""
    of_runs: ratio.Ratio
    """Of the runs of the same number: how far they scatter, which is no verdict."""
    plain: float | None
    """Ratio of the medians, whatever forbids the verdict."""

    @property
    def forbidden(self) -> bool:
        """A ceiling would be compared with itself, or a drift would pass for a difference."""
        return self.judged.verdict == "not_judged"

    @property
    def word(self) -> str:
        """The verdict in words."""
        return {
            "a_faster": f"{self.a.backend} faster",
            "b_faster": f"{self.b.backend} faster",
            "no_difference": "no difference",
            "inconclusive": "inconclusive",
            "not_judged": "not judged",
        }[self.judged.verdict]


def pairs_of(panel: Panel) -> list[tuple[str, str]]:
    """Give which backends are compared: each with the first, which is the numerator."""
    first, *others = panel.backends or [""]
    return [(first, other) for other in others]


def compared(panel: Panel, a: str, b: str) -> list[Compared]:
    """Compare two backends at every pod count that both have."""
    ours = {point.pods: point for point in panel.of(a)}
    theirs = {point.pods: point for point in panel.of(b)}
    order = _order(panel)
    return [
        _compare(ours[pods], theirs[pods], order) for pods in panel.pods if pods in ours and pods in theirs
    ]


def _order(panel: Panel) -> str:
    given = panel.session.start.settings.get("order")
    order = given.get("value") if isinstance(given, dict) else None
    return order if isinstance(order, str) else _PAIRED


def _compare(a: MeasuredPoint, b: MeasuredPoint, order: str) -> Compared:
    ceilings = (a.ceiling, b.ceiling)
    judged = ratio.judge(ratio.by_pass(_by_pass(a), _by_pass(b)), ceilings=ceilings)
    if order != _PAIRED and judged.verdict != "not_judged":
        judged = replace(
            judged, low=None, high=None, verdict="not_judged", reason=f"in the order {order} {_DRIFT}"
        )
    plain = a.median / b.median if a.median and b.median else None
    return Compared(a, b, judged, ratio.judge(_by_number(a, b)), plain)


def _by_pass(point: MeasuredPoint) -> dict[int, Sequence[float]]:
    found: dict[int, list[float]] = {}
    for sample in point.valid:
        if sample.result is not None:
            found.setdefault(sample.provisioning, []).append(sample.result.rps)
    return dict(found)


def _by_number(a: MeasuredPoint, b: MeasuredPoint) -> list[tuple[float, float]]:
    ours, theirs = (
        {(run.provisioning, run.run): run.result.rps for run in point.valid if run.result is not None}
        for point in (a, b)
    )
    return [(ours[run], theirs[run]) for run in sorted(ours.keys() & theirs.keys())]
