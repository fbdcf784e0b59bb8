"""The evidence of a session: of each point, the run nearest to its median. Touches `evidence.jsonl`, for reading.

A line holds the counters of every host and there is one for each run, so the file may have hundreds of megabytes: only
the head of each line is decoded (`point`, `provisioning`, `run`, `warmup`), and the whole of those that are shown.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from pytest_kubelb.load import json_fields
from pytest_kubelb.record.appending import LONGEST_LINE
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.report.html.model import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_kubelb.report.html.model import MeasuredPoint, Session

NAME = "evidence.jsonl"
"""Beside the record."""
_HOSTS = b',"hosts":'
_Run: TypeAlias = tuple[PointKey, int, int]


def added(session: Session, path: Path) -> Session:
    """Give the session with its evidence; as it is when there is none. What cannot be read becomes a note."""
    if not path.is_file():
        return session
    notes = list(session.notes)
    at_rest = _at_rest(session)
    try:
        with path.open("rb") as file:
            places = _places(file, notes)
            found = {point.index: _nearest(point, places, file, at_rest) for point in session.points}
    except OSError as error:
        notes.append(f"{path} cannot be read: {error.strerror}; the report is made without the evidence.")
        return replace(session, notes=tuple(notes))
    kept = {index: each for index, each in found.items() if each is not None}
    return replace(session, notes=tuple(notes), evidence=kept, evidence_runs=len(places))


def _places(file: BinaryIO, notes: list[str]) -> dict[_Run, int]:
    """Give where the line of each run begins; lines that cannot be read are counted in a note."""
    places: dict[_Run, int] = {}
    odd: list[int] = []
    for number, (place, line) in enumerate(_lines(file), 1):
        try:
            head = _head(line)
            if head.get("warmup") is not True:
                key = point_key(json_fields.axes(head, "point"))
                places[(key, json_fields.count(head, "provisioning"), json_fields.count(head, "run"))] = place
        except ValueError:
            odd.append(number)
    if odd:
        notes.append(
            f"{NAME}: {len(odd)} {'line' if len(odd) == 1 else 'lines'} cannot be read as evidence and "
            f"{'is' if len(odd) == 1 else 'are'} left out, the first is line {odd[0]}."
        )
    return places


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give where each line begins, and the line; of one that is too long a piece, which is none of evidence."""
    place = 0
    while line := file.readline(LONGEST_LINE):
        yield place, line
        place += len(line)
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
            place += len(line)


def _head(line: bytes) -> dict[str, object]:
    """Give what stands before the hosts. Inside a string the quotes of the mark would be escaped."""
    if not line.endswith(b"}\n"):
        raise ValueError("the line is torn")
    cut = line.find(_HOSTS)
    if cut >= 0:
        try:
            return json_fields.decode_object(line[:cut] + b"}")
        except ValueError:
            pass  # the mark stood deeper in the line
    return json_fields.decode_object(line)


def _at_rest(session: Session) -> dict[str, dict[str, dict[str, object]]]:
    """Give what the hosts counted before any load: tuning -> host -> delta."""
    return {
        str(event.details.get("tuning", "none")): _deltas(event.details.get("hosts"))
        for event in session.events
        if event.name == "at_rest"
    }


def _nearest(
    point: MeasuredPoint,
    places: Mapping[_Run, int],
    file: BinaryIO,
    at_rest: Mapping[str, Mapping[str, dict[str, object]]],
) -> Evidence | None:
    """Give the evidence of the valid run nearest to the median, of any run when no valid one has evidence."""
    key, median = point_key(point.axes), point.median
    candidates: Sequence[tuple[float, int, int, int]] = sorted(
        (
            math.inf
            if sample.result is None or median is None or sample.validity != "valid"
            else abs(sample.result.rps - median),
            sample.provisioning,
            sample.run,
            places[(key, sample.provisioning, sample.run)],
        )
        for sample in point.runs
        if (key, sample.provisioning, sample.run) in places
    )
    for _, provisioning, run, place in candidates:
        file.seek(place)
        try:
            line = json_fields.decode_object(file.readline(LONGEST_LINE))
        except ValueError:
            continue
        hosts = _deltas(line.get("hosts"))
        if hosts:
            tuning = str(point.axes.get("tuning", "none"))
            return Evidence(run, provisioning, hosts, at_rest.get(tuning, {}))
    return None


def _deltas(value: object) -> dict[str, dict[str, object]]:
    if not isinstance(value, dict):
        return {}
    return {str(host): delta for host, delta in value.items() if isinstance(delta, dict)}
