"""Several sessions in one table: a row for each point, a column for each session. Pure: values in, cells out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.gate.session import labels
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.text.spelling import rate
from pytest_kubelb.verdict import repeatability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.report.recorded import Recorded

LEGEND: Final = (
    "Median of the valid runs of a point, in requests/s, all its provisionings together, and their CV; a dash where "
    "a session has none. The sessions are not judged against each other here: kubelb gate --baseline does that."
)


def letter(index: int) -> str:
    """Give the name of a session's column: A to Z, then A1."""
    round_, place = divmod(index, 26)
    return f"{chr(ord('A') + place)}{round_ or ''}"


def rows(sessions: Sequence[Recorded]) -> list[list[str]]:
    """Give the headings, and below them the points that any of the sessions has, in the order of the first."""
    table: dict[PointKey, list[list[Series]]] = {}
    for index, session in enumerate(sessions):
        for point in session.outcome.points:
            cells = table.setdefault(point_key(point.series.point), [[] for _ in sessions])
            cells[index].append(point.series)
    names = labels([(key, 1) for key in table])
    return [
        ["point", *(letter(index) for index in range(len(sessions)))],
        *([name, *map(_cell, cells)] for name, cells in zip(names, table.values(), strict=True)),
    ]


def _cell(series: Sequence[Series]) -> str:
    rps = [value for each in series for group in each.provisionings for value in group]
    judged = repeatability.judge(rps, tolerance=series[0].tolerance) if rps else None
    if judged is None:
        return "-"
    return rate(judged.median) if judged.cv is None else f"{rate(judged.median)} ({judged.cv:.1%})"
