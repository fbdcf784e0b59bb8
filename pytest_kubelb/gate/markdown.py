"""The outcome as GitHub's Markdown, for $GITHUB_STEP_SUMMARY. Pure: values in, text out.

GitHub takes a summary of at most 1 MiB, and throws a larger one away: of long tables the best points are left out,
and their number is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.gate import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.gate.outcome import Outcome

_MOST_ROWS: Final = 200
_MOST_SENTENCES: Final = 50
_LONGEST_LINE: Final = 4000
_HEADINGS: Final = ("point", "runs", "rps", "CV", "verdict", "change", "MDE", "against the baseline")
_ALIGNED: Final = (":--", "--:", "--:", "--:", ":--", "--:", "--:", ":--")
_WITHOUT_BASELINE: Final = 5
_SIGNS: Final = {
    "pass": "\N{WHITE HEAVY CHECK MARK}",
    "inconclusive": "\N{WHITE QUESTION MARK ORNAMENT}",
    "not judged": "\N{WHITE QUESTION MARK ORNAMENT}",
    "regression": "\N{CROSS MARK}",
    "unrepeatable": "\N{CROSS MARK}",
}
_SPECIAL: Final = {ord(each): f"&#{ord(each)};" for each in "&<>|`*_[]\\~$#@"}
"""As numbers, which have no meaning of their own anywhere: in a table's cell, a backslash before a pipe has."""


def render(outcome: Outcome) -> str:
    """Give the whole summary, its last line ended."""
    sentences = words.sentences(outcome)
    more = len(sentences) - _MOST_SENTENCES
    items = [
        *(words.sweep_line(sweep) for sweep in outcome.sweeps),
        *sentences[:_MOST_SENTENCES],
        *([f"… and {more} more findings"] if more > 0 else []),
        *words.notes(outcome),
    ]
    blocks = [
        f"### {_SIGNS[outcome.word]} kubelb gate: {escaped(words.summary(outcome))}",
        _list(words.head(outcome)),
        _table(outcome),
        _list(items),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escaped(text: str) -> str:
    """Give text that Markdown and HTML leave as it is, on one line."""
    if len(text) > _LONGEST_LINE:
        text = f"{text[:_LONGEST_LINE]}…"
    return text.translate(_SPECIAL).replace("://", "&#58;//").replace("www.", "www&#46;")


def _table(outcome: Outcome) -> str:
    if not outcome.points:
        return ""
    columns = len(_HEADINGS) if outcome.compared else _WITHOUT_BASELINE
    points = words.worst_first(outcome.points)
    rows: list[tuple[str, ...]] = [_HEADINGS, _ALIGNED]
    rows += [tuple(escaped(cell) for cell in words.cells(point)) for point in points[:_MOST_ROWS]]
    lines = [f"| {' | '.join(row[:columns])} |" for row in rows]
    left_out = len(points) - _MOST_ROWS
    tail = [f"\n… and {left_out} more points, none worse than those above."] if left_out > 0 else []
    return "\n".join([*lines, *tail, f"\n{escaped(words.legend(outcome))}"])


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)
