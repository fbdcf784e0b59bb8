"""Recorded sessions as text, as the terminal shows one at its end. Pure: values in, text out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from pytest_kubelb.gate import words
from pytest_kubelb.report import columns, findings, headline, side_by_side, terminal
from pytest_kubelb.report.columns import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.report.recorded import Recorded

_LAST_TO_STAY: Final = 8


def render(sessions: Sequence[Recorded], width: int) -> str:
    """Give the table of each session with its failures first; of several, first all of them side by side."""
    blocks = [_session(session, width) for session in sessions]
    if len(sessions) > 1:
        blocks.insert(0, _together(sessions, width))
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def _session(session: Recorded, width: int) -> list[str]:
    outcome = session.outcome
    said = [headline.of(session), *words.head(outcome)[1:3]]
    lines = _wrapped(said, width)
    if outcome.points:
        lines += ["", *terminal.table(outcome.points, width)]
    told = [
        *words.sentences(outcome),
        *session.sweeps,
        *findings.sentences(outcome.points, "--html says why"),
        *outcome.notes,
    ]
    return [*lines, *([""] if told else []), *_wrapped(told, width)]


def _together(sessions: Sequence[Recorded], width: int) -> list[str]:
    headings, *rows = side_by_side.rows(sessions)
    names = [f"{side_by_side.letter(index)}: {each.id}" for index, each in enumerate(sessions)]
    table = [
        Column(heading, [row[index] for row in rows], number=index > 0, rank=min(index, _LAST_TO_STAY))
        for index, heading in enumerate(headings)
    ]
    lines, left_out = columns.fitted(table, width)
    narrow = [f"Too narrow here for: {', '.join(left_out)}."] if left_out else []
    return [*lines, *_wrapped([*names, *narrow, side_by_side.LEGEND], width)]


def _wrapped(paragraphs: Sequence[str], width: int) -> list[str]:
    return [line for each in paragraphs for line in textwrap.wrap(each, width, break_on_hyphens=False)]
