"""The terminal's second table: each point against the baseline. Pure: values in, lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.report import ceilings, columns
from pytest_kubelb.report.columns import Column
from pytest_kubelb.verdict.regression import Regression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.comparing import Comparison
    from pytest_kubelb.outcomes import Outcome

_ORDER: Final = ("regression", "retest", "inconclusive", "not judged", "pass")
_LEGEND: Final = (
    "baseline, rps: requests/s of the sessions' medians; interval: its bounds, 95 % each; MDE: the smallest drop that "
    "would have been seen. A pass says that the drop is below {limits}, and nothing about smaller ones."
)


def lines(outcomes: Sequence[Outcome], comparison: Comparison, width: int) -> list[str]:
    """Give the lines of the table, failures first, and then what was not judged and why."""
    judged = [
        (outcome, outcome.judgement) for outcome in outcomes if isinstance(outcome.judgement, Regression)
    ]
    judged.sort(key=lambda pair: _ORDER.index(pair[1].verdict))
    width = max(width, 20)
    shown = columns.wrapped(comparison.title, width) if judged else []
    if judged:
        table, left_out = columns.fitted(
            _columns([(outcome.id, judgement) for outcome, judgement in judged]), width
        )
        shown += table
        limits = ", ".join(
            f"{limit:.1%}" for limit in sorted({judgement.max_drop for _, judgement in judged})
        )
        narrow = f" Too narrow here for: {', '.join(left_out)}." if left_out else ""
        shown += columns.wrapped(_LEGEND.format(limits=limits) + narrow, width)
        faster = [outcome.id for outcome, judgement in judged if judgement.faster]
        if faster:
            shown += columns.wrapped(
                f"faster than the baseline, which is stale there: {', '.join(faster)}", width
            )
    limits_of = zip(outcomes, ceilings.of_points(outcomes), strict=True)
    if limited := [
        f"{outcome.id} ({word})"
        for outcome, word in limits_of
        if not ceilings.ranks(word) and isinstance(outcome.judgement, Regression)
    ]:
        text = "at a ceiling that is not the load balancer, so a slower one would not show there"
        shown += columns.wrapped(f"{text}: {', '.join(limited)}", width)
    for reason, ids in _not_judged(outcomes).items():
        shown += columns.wrapped(f"not judged, {reason}: {', '.join(ids)}", width)
    missing = comparison.missing(outcome.digest.point for outcome in outcomes)
    if missing:
        shown += columns.wrapped(f"in the baseline and not measured here: {'; '.join(missing)}", width)
    for note in comparison.notes:
        shown += columns.wrapped(note, width)
    return shown


def _not_judged(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.judgement is not None and not isinstance(outcome.judgement, Regression):
            found.setdefault(outcome.judgement.reason, []).append(outcome.id)
    return found


def _columns(rows: Sequence[tuple[str, Regression]]) -> list[Column]:
    judged = [judgement for _, judgement in rows]
    return [
        Column("point", [point_id for point_id, _ in rows], number=False),
        Column("baseline", [f"{each.baseline_rps:,.0f}" for each in judged], rank=3),
        Column("rps", [f"{each.candidate_rps:,.0f}" for each in judged], rank=2),
        Column("change", [f"{each.change:+.1%}" for each in judged]),
        Column("interval", [f"{each.low:+.1%} {each.high:+.1%}" for each in judged], rank=1),
        Column("MDE", [f"{each.mde:.1%}" for each in judged], rank=4),
        Column("verdict", [each.verdict for each in judged], number=False),
    ]
