"""Write the file of `--kubelb-json` from a record.

Touches the record, for reading, and the file asked for.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.exported import SCHEMA, SCHEMA_VERSION
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

_PointKey: TypeAlias = tuple[tuple[str, str | int], ...]


def write(report: Mapping[str, object], destination: Path) -> None:
    """Write what `build` gave, for its owner alone (mode 0600).

    The file appears whole or not at all: it is written beside its place and then renamed.
    Raises KubelbError when the file cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                json.dump(report, file, allow_nan=False, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(descriptor)
            unfinished.replace(destination)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KubelbError(
            f"The JSON report {destination} cannot be written: {error.strerror}; give --kubelb-json a path "
            "in a folder that takes it; `record.jsonl` has every run that was recorded."
        ) from error


def build(record: Path) -> dict[str, object]:
    """Give the report of one session: its facts and settings, and each point with every run and its verdicts.

    The record is read line by line; what is held in memory is the report alone.
    `session` is null when the session died before its first line, and its `ended` and `exit_code` are null
    when it died later. A point has one verdict for each pass. Raises KubelbError.
    """
    start: SessionStart | None = None
    end: SessionEnd | None = None
    points = _Points()
    events: list[object] = []
    notes: list[str] = []
    for line in read_record(record):
        match line:
            case SessionStart():
                start = line
            case Sample():
                points.runs(line.point).append(_without_point(line))
            case Verdict():
                points.judged(line.point, _without_point(line))
            case Event():
                events.append(line.to_json())
            case SessionEnd():
                end = line
            case Note():
                notes.append(line.text)
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "session": None if start is None else _session(start, end),
        "settings": {} if start is None else dict(start.settings),
        "points": points.to_json(),
        "events": events,
        "notes": notes,
    }


class _Points:
    """Runs and verdicts by point, in the order in which the points were first seen."""

    def __init__(self) -> None:
        self._runs: dict[_PointKey, list[object]] = {}
        self._verdicts: dict[_PointKey, list[object]] = {}

    def runs(self, point: Mapping[str, str | int]) -> list[object]:
        return self._runs.setdefault(tuple(point.items()), [])

    def judged(self, point: Mapping[str, str | int], verdict: object) -> None:
        self.runs(point)
        self._verdicts.setdefault(tuple(point.items()), []).append(verdict)

    def to_json(self) -> list[object]:
        return [
            {"point": dict(key), "runs": runs, "verdicts": self._verdicts.get(key, [])}
            for key, runs in self._runs.items()
        ]


def _session(start: SessionStart, end: SessionEnd | None) -> dict[str, object]:
    return {
        "id": start.session,
        "started": start.started,
        "ended": end and end.at,
        "exit_code": end and end.exit_code,
        "record_schema_version": start.schema_version,
        "facts": dict(start.facts),
    }


def _without_point(line: Sample | Verdict) -> dict[str, object]:
    return {name: value for name, value in line.to_json().items() if name != "point"}
