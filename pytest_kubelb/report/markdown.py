"""Verdicts as GitHub's Markdown, of a session and of `kubelb gate` alike. Pure: values in, text out.

GitHub takes a summary of at most 1 MiB and throws a larger one away: of long tables the best points are left out, and
their number is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.gate import words
from pytest_kubelb.gate.outcome import FAILING
from pytest_kubelb.report import ceilings, findings, headline, side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kubelb.gate.outcome import Outcome, PointOutcome
    from pytest_kubelb.report.recorded import Recorded

LIMIT: Final = 2**20
"""Bytes that GitHub takes."""
_FEWER: Final = ((200, 50), (50, 20), (10, 5), (0, 1))
"""Rows and sentences that are shown, until it fits."""
_LONGEST_LINE: Final = 4000
_HEADINGS: Final = (
    "point",
    "runs",
    "rps",
    "CV",
    "verdict",
    "ceiling",
    "change",
    "MDE",
    "against the baseline",
)
_ALIGNED: Final = (":--", "--:", "--:", "--:", ":--", ":--", "--:", "--:", ":--")
_OF_CEILING, _OF_BASELINE = 5, (6, 7, 8)
_FULL: Final = {
    "link": "a link was full",
    "lb_cpu": "the load balancer's CPUs were busy",
    "client_cpu": "the benchmarker's CPUs were busy",
    "worker_cpu": "the workers' CPUs were busy",
}
_NO_RANK: Final = ", which says nothing about the load balancer and must not rank backends"
_SIGNS: Final = {
    "pass": "\N{WHITE HEAVY CHECK MARK}",
    "inconclusive": "\N{WHITE QUESTION MARK ORNAMENT}",
    "not judged": "\N{WHITE QUESTION MARK ORNAMENT}",
    "regression": "\N{CROSS MARK}",
    "unrepeatable": "\N{CROSS MARK}",
}
_SPECIAL: Final = {ord(each): f"&#{ord(each)};" for each in "&<>|`*_[]\\~$#@"}
"""As numbers, which have no meaning of their own anywhere: in a table's cell, a backslash before a pipe has."""


def render(outcome: Outcome, heading: str, sweeps: Sequence[str] = (), *, most_bytes: int = LIMIT) -> str:
    """Give the summary of one session, its last line ended: `heading` first, then failures, then all points.

    `sweeps` are the verdicts on whole sweeps that stand in the record. Rows and sentences are left out until it has at
    most `most_bytes` (as UTF-8).
    """
    return _fitting(
        (_summary(outcome, heading, sweeps, rows, sentences) for rows, sentences in _FEWER), most_bytes
    )


def of_sessions(sessions: Sequence[Recorded], *, most_bytes: int = LIMIT) -> str:
    """Give the summary of recorded sessions: several are compared side by side first, then each has its own."""
    if len(sessions) == 1:
        only = sessions[0]
        return render(only.outcome, headline.of(only), only.sweeps, most_bytes=most_bytes)
    return _fitting((_several(sessions, rows, sentences) for rows, sentences in _FEWER), most_bytes)


def escaped(text: str) -> str:
    """Give text that Markdown and HTML leave as it is, on one line."""
    if len(text) > _LONGEST_LINE:
        text = f"{text[:_LONGEST_LINE]}…"
    return text.translate(_SPECIAL).replace("://", "&#58;//").replace("www.", "www&#46;")


def _several(sessions: Sequence[Recorded], rows: int, sentences: int) -> str:
    compared = side_by_side.rows(sessions)
    lines = [_row(cells) for cells in compared[: rows + 1]]
    lines.insert(1, _row([":--", *["--:"] * len(sessions)], escape=False))
    left_out = len(compared) - 1 - rows
    tail = [f"\n… and {left_out} more points."] if left_out > 0 else []
    blocks = [
        f"### {len(sessions)} sessions side by side",
        _list([f"{side_by_side.letter(index)}: {headline.of(each)}" for index, each in enumerate(sessions)]),
        "\n".join([*lines, *tail, f"\n{escaped(side_by_side.LEGEND)}"]),
        *(_summary(each.outcome, headline.of(each), each.sweeps, rows, sentences) for each in sessions),
    ]
    return "\n\n".join(blocks)


def _summary(outcome: Outcome, heading: str, sweeps: Sequence[str], rows: int, most: int) -> str:
    failing = {finding.sentence for finding in outcome.findings if finding.kind in FAILING}
    said = words.sentences(outcome)
    blocks = [
        f"### {_SIGNS[outcome.word]} {escaped(heading)}",
        _some([sentence for sentence in said if sentence in failing], most),
        _list(words.head(outcome)),
        _table(outcome, rows),
        _some([sentence for sentence in said if sentence not in failing], most),
        _list([*(words.sweep_line(sweep) for sweep in outcome.sweeps), *sweeps, *words.notes(outcome)]),
        _some([*_ceilings(outcome.points), *findings.sentences(outcome.points)], most),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(outcome: Outcome, most: int) -> str:
    if not outcome.points or not most:
        return ""
    limited = {point.id: ceilings.of_point(point.series) for point in outcome.points}
    shown = [
        column
        for column in range(len(_HEADINGS))
        if (column not in _OF_BASELINE or outcome.compared)
        and (column != _OF_CEILING or any(limited.values()))
    ]
    points = words.worst_first(outcome.points)
    lines = [
        _row([_HEADINGS[each] for each in shown]),
        _row([_ALIGNED[each] for each in shown], escape=False),
    ]
    for point in points[:most]:
        cells = list(words.cells(point))
        cells.insert(_OF_CEILING, limited[point.id] or "-")
        lines.append(_row([cells[each] for each in shown]))
    left_out = len(points) - most
    tail = [f"\n… and {left_out} more points, none worse than those above."] if left_out > 0 else []
    return "\n".join([*lines, *tail, f"\n{escaped(words.legend(outcome))}"])


def _ceilings(points: Sequence[PointOutcome]) -> list[str]:
    """Say what the evidence found full, and where that forbids to rank backends."""
    limited: dict[str, list[str]] = {}
    for point in points:
        word = ceilings.of_point(point.series)
        if word in _FULL:
            limited.setdefault(word, []).append(point.id)
    return [
        f"Ceiling {word} ({_FULL[word]}{'' if ceilings.ranks(word) else _NO_RANK}): {', '.join(ids)}."
        for word, ids in limited.items()
    ]


def _row(cells: Iterable[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(escaped(cell) if escape else cell for cell in cells)} |"


def _some(sentences: Sequence[str], most: int) -> str:
    more = len(sentences) - most
    return _list([*sentences[:most], *([f"… and {more} more findings"] if more > 0 else [])])


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)


def _fitting(candidates: Iterable[str], most_bytes: int) -> str:
    text = ""
    for text in candidates:
        if len(text.encode("utf-8", "replace")) <= most_bytes:
            return text
    # Names without end: whole lines from the beginning, where the verdict stands.
    kept: list[str] = []
    left = most_bytes
    for line in text.splitlines(keepends=True):
        left -= len(line.encode("utf-8", "replace"))
        if left < 0:
            break
        kept.append(line)
    return "".join(kept)
