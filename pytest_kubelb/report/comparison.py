"""The terminal's second table: each point against the baseline. Pure: values in, lines out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from pytest_kubelb.verdict.regression import Regression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.comparing import Comparison
    from pytest_kubelb.judging import Outcome

_HEADINGS: Final = ("point", "baseline", "rps", "change", "interval", "MDE", "verdict")
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
    cells = [_HEADINGS, *(_cells(outcome.id, judgement) for outcome, judgement in judged)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    shown = textwrap.wrap(comparison.title, width) if judged else []
    if judged:
        shown += [_aligned(row, widths) for row in cells]
        limits = ", ".join(
            f"{limit:.1%}" for limit in sorted({judgement.max_drop for _, judgement in judged})
        )
        shown += textwrap.wrap(_LEGEND.format(limits=limits), width)
        faster = [outcome.id for outcome, judgement in judged if judgement.faster]
        if faster:
            shown += textwrap.wrap(
                f"faster than the baseline, which is stale there: {', '.join(faster)}", width
            )
    for reason, ids in _not_judged(outcomes).items():
        shown += textwrap.wrap(f"not judged, {reason}: {', '.join(ids)}", width)
    missing = comparison.missing(outcome.series.point for outcome in outcomes)
    if missing:
        shown += textwrap.wrap(f"in the baseline and not measured here: {'; '.join(missing)}", width)
    for note in comparison.notes:
        shown += textwrap.wrap(note, width)
    return shown


def _not_judged(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.judgement is not None and not isinstance(outcome.judgement, Regression):
            found.setdefault(outcome.judgement.reason, []).append(outcome.id)
    return found


def _cells(point_id: str, judged: Regression) -> tuple[str, ...]:
    return (
        point_id,
        f"{judged.baseline_rps:,.0f}",
        f"{judged.candidate_rps:,.0f}",
        f"{judged.change:+.1%}",
        f"{judged.low:+.1%} {judged.high:+.1%}",
        f"{judged.mde:.1%}",
        judged.verdict,
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers, last = cells
    middle = "  ".join(number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True))
    return f"{first.ljust(widths[0])}  {middle}  {last}".rstrip()
