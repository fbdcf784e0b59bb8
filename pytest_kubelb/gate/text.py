"""The outcome as text of at most 80 columns. Pure: values in, text out; a verdict is a word, not a colour."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from pytest_kubelb.gate import words
from pytest_kubelb.text.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kubelb.gate.outcome import Outcome

WIDTH: Final = 80
_HEADINGS: Final = ("point", "runs", "rps", "CV", "verdict", "change", "MDE", "against")
_WITHOUT_BASELINE: Final = 5
"""Columns that are shown when there is no baseline."""
_WORDS: Final = (0, 4, 7)
"""Columns of words, which stand to the left; numbers stand to the right."""
_NARROWEST_POINT: Final = 12
_MOST_SENTENCES: Final = 50


def render(outcome: Outcome) -> str:
    """Give the whole text: what was judged, the points with the worst first, every finding, and what else to know."""
    sentences = words.sentences(outcome)
    more = len(sentences) - _MOST_SENTENCES
    blocks = [
        _wrapped(words.head(outcome)),
        _table(outcome),
        _wrapped(words.sweep_line(sweep) for sweep in outcome.sweeps),
        *(_wrapped([sentence]) for sentence in sentences[:_MOST_SENTENCES]),
        [f"... and {more} more findings; --format json has all of them"] if more > 0 else [],
        _wrapped(words.notes(outcome)),
        _wrapped([f"kubelb gate: {words.summary(outcome)}"]),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _table(outcome: Outcome) -> list[str]:
    if not outcome.points:
        return []
    columns = len(_HEADINGS) if outcome.compared else _WITHOUT_BASELINE
    rows = [_HEADINGS, *(words.cells(point) for point in words.worst_first(outcome.points))]
    widths = [max(len(row[column]) for row in rows) for column in range(columns)]
    for gap in ("  ", " "):
        room = WIDTH - sum(widths[1:]) - len(gap) * (columns - 1)
        if room >= widths[0]:
            break
    widths[0] = min(widths[0], max(room, _NARROWEST_POINT))
    lines = [gap.join(_aligned(row[:columns], widths)).rstrip() for row in rows]
    return [*lines, *_wrapped([words.legend(outcome)])]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        shortened(cell, width).ljust(width) if column in _WORDS else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _wrapped(paragraphs: Iterable[str]) -> list[str]:
    return [line for each in paragraphs for line in textwrap.wrap(each, WIDTH, break_on_hyphens=False)]
