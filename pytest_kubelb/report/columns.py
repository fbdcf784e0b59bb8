"""Lay out a table in the columns that a terminal has. Pure: values in, lines out.

What does not fit is left out by its rank, and the headings of what was left out are given back, so that the
reader can be told. Numbers stand to the right, words to the left, so that neither needs a colour to be found.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NARROWEST_NAME: Final = 12
_EXTRA: Final = 9


@dataclass(frozen=True)
class Column:
    """One column, the heading apart."""

    heading: str
    cells: Sequence[str]
    number: bool = True
    """To the right, else to the left."""
    rank: int = 0
    """The highest goes first where it is narrow; 0 is never left out, and `_EXTRA` never narrows another."""
    lean: Sequence[str] | None = None
    """Shorter cells that say the same with the help of the legend."""

    def text(self, *, lean: bool) -> list[str]:
        """Give heading and cells."""
        return [self.heading, *(self.lean if lean and self.lean is not None else self.cells)]


def extra(heading: str, cells: Sequence[str]) -> Column:
    """Give a column that is shown only where there is room to spare."""
    return Column(heading, cells, rank=_EXTRA)


def fitted(columns: Sequence[Column], width: int) -> tuple[list[str], list[str]]:
    """Give the lines, the headings first, and the headings that were left out.

    The first column names the rows; it loses the middle of its texts before anything but extras is left out, down to
    `NARROWEST_NAME`. A table that is still too wide with rank 0 alone is given as it is.
    """
    for kept, lean, gap, narrowest in _attempts(columns):
        texts = [column.text(lean=lean) for column in kept]
        widths = [max(map(len, text)) for text in texts]
        room = width - sum(widths[1:]) - len(gap) * (len(widths) - 1)
        if room >= min(widths[0], narrowest):
            break
    widths[0] = min(widths[0], max(room, NARROWEST_NAME))
    texts[0] = [shortened(text, widths[0]) for text in texts[0]]
    lines = [
        gap.join(
            text.rjust(size) if column.number else text.ljust(size)
            for column, text, size in zip(kept, row, widths, strict=True)
        ).rstrip()
        for row in zip(*texts, strict=True)
    ]
    return lines, [column.heading for column in columns if column not in kept and column.rank < _EXTRA]


def shortened(text: str, width: int) -> str:
    """Leave out the middle: backend and pods, which tell points apart, stand at the ends of an id."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2 + 1
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def wrapped(text: str, width: int) -> list[str]:
    """Give a text in lines of at most `width`; ids and options keep their hyphens together."""
    return textwrap.wrap(text, max(width, 20), break_on_hyphens=False)


def _attempts(columns: Sequence[Column]) -> Iterator[tuple[list[Column], bool, str, int]]:
    """Give what to show, leanly or not, the gap, and how narrow names may become: the best first."""
    whole = max(map(len, columns[0].text(lean=False)))
    kept = list(columns)
    while kept[-1].rank == _EXTRA or any(column.rank == _EXTRA for column in kept):
        yield kept, False, "  ", whole
        kept = list(kept)
        kept.remove(next(column for column in reversed(kept) if column.rank == _EXTRA))
    yield kept, False, "  ", whole
    yield kept, False, " ", whole
    yield kept, True, " ", whole
    yield kept, True, " ", NARROWEST_NAME
    for column in sorted((column for column in kept if column.rank), key=lambda column: -column.rank):
        kept = [each for each in kept if each is not column]
        yield kept, True, " ", NARROWEST_NAME
