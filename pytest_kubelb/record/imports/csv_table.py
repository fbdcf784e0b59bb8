"""Read the runs of a CSV table: one row per run. Pure: numbered lines in, runs out, dirt noted.

A table has a column of requests/s and, as a rule, one of pods; columns of CPUs, sizes, connections or threads
become axes, one of epochs the start. Without a header the first two columns are pods and requests/s.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.load.excerpt import excerpt
from pytest_kubelb.record.imports.clock import date_s, epoch_s
from pytest_kubelb.record.imports.run import MOST_PODS, ImportedRun, Labels, rate_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_kubelb.record.imports.dirt import Dirt

_RATE: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,9})?)([kM]?)")
_SCALE: Final = {"": 1.0, "k": 1e3, "M": 1e6}
_WHOLE: Final = re.compile(r"([0-9]{1,6})(?:\.0{1,6})?")
_RATE_HEADING: Final = re.compile(r"req\w*\s*(?:/|per)\s*s|^rps$|req\w*_per_s")
_AXIS_HEADING: Final = re.compile(r"cpu|core|size|payload|conn|thread|node")
_MOST_COLUMNS: Final = 64


@dataclass(frozen=True)
class Columns:
    """What stands where: indices of columns."""

    rps: int
    pods: int | None
    started: int | None
    axes: tuple[tuple[str, int], ...]


def read_rows(
    lines: Iterable[tuple[int, str]], dirt: Dirt, *, duration_s: float | None = None
) -> Iterator[ImportedRun]:
    """Give the runs of a table from (line number, text); `duration_s` is how long each run was, if known."""
    columns: Columns | None = None
    delimiter = ","
    for number, text in lines:
        line = text.lstrip("\ufeff").strip()
        if not line:
            continue
        if columns is None:
            delimiter = max(",;\t", key=line.count)
            cells = _cells(line, delimiter)
            if not _RATE.fullmatch(cells[-1]):
                columns = _columns(cells, number, dirt)
                if columns is None:
                    return
                continue
            columns = Columns(rps=1, pods=0, started=None, axes=())
            dirt.note(
                number, "no header", "a table without a header: its columns are taken for pods, requests/s"
            )
        run = _run(_cells(line, delimiter), columns, number, dirt, duration_s)
        if run is not None:
            yield run


def _cells(line: str, delimiter: str) -> list[str]:
    """Give the fields of one line; a quote that is not closed must not swallow the lines below."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [""])
    except csv.Error:
        cells = line.split(delimiter)
    return [cell.strip() for cell in cells[:_MOST_COLUMNS]] or [""]


def _columns(headings: list[str], number: int, dirt: Dirt) -> Columns | None:
    lowered = [heading.lower() for heading in headings]
    rps = next((i for i, heading in enumerate(lowered) if _RATE_HEADING.search(heading)), None)
    if rps is None:
        dirt.note(
            number, "no rate", f"no column is requests/s, so nothing is read: {excerpt(', '.join(headings))}"
        )
        return None
    pods = next((i for i, heading in enumerate(lowered) if "pod" in heading and i != rps), None)
    started = next((i for i, heading in enumerate(lowered) if re.search("epoch|start", heading)), None)
    others = [i for i in range(len(headings)) if i not in (rps, pods, started)]
    axes = tuple((_axis(lowered[i]), i) for i in others if _AXIS_HEADING.search(lowered[i]))
    named = [f"{headings[i]} as the axis {name!r}" for name, i in axes]
    if named:
        dirt.note(number, "other columns", f"columns beside pods and requests/s: {excerpt(', '.join(named))}")
    left = [headings[i] for i in others if not _AXIS_HEADING.search(lowered[i])]
    if left:
        dirt.note(number, "columns left out", f"columns that are not read: {excerpt(', '.join(left))}")
    if pods is None:
        dirt.note(number, "no pod column", f"no column is the pod count: {excerpt(', '.join(headings))}")
    return Columns(rps, pods, started, axes)


def _axis(heading: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", heading.replace("# of", "")).strip("_")
    return words[:32]


def _run(
    cells: list[str], columns: Columns, number: int, dirt: Dirt, duration_s: float | None
) -> ImportedRun | None:
    needed = [i for i in (columns.rps, columns.pods) if i is not None]
    if len(cells) <= max(needed):
        dirt.note(number, "short row", f"a row with {len(cells)} fields is passed over: {excerpt(cells)}")
        return None
    pods = None if columns.pods is None else _pods(cells[columns.pods])
    if columns.pods is not None and pods is None:
        dirt.note(
            number, "no pod count", f"{excerpt(cells[columns.pods])} is no pod count: the row is passed over"
        )
        return None
    rate = _RATE.fullmatch(cells[columns.rps])
    labels: Labels = tuple(sorted((name, cells[i][:64]) for name, i in columns.axes if i < len(cells)))
    started_s = _started(cells, columns, number, dirt)
    result = None if rate is None else rate_only(float(rate[1]) * _SCALE[rate[2]], duration_s or 0.0)
    problem = None if rate is not None else f"the table says {excerpt(cells[columns.rps])} requests/s"
    return ImportedRun(number, pods, labels, started_s, None, "", duration_s, result, problem)


def _pods(cell: str) -> int | None:
    match = _WHOLE.fullmatch(cell)
    return int(match[1]) if match is not None and 1 <= int(match[1]) <= MOST_PODS else None


def _started(cells: list[str], columns: Columns, number: int, dirt: Dirt) -> float | None:
    if columns.started is None or columns.started >= len(cells):
        return None
    text = cells[columns.started]
    words = None if epoch_s(text) is not None else date_s(text)
    started_s = epoch_s(text) if words is None else words[0]
    if started_s is None:
        dirt.note(number, "odd time", f"{excerpt(text)} is no time that can be read")
    return started_s
