"""Read a JSON report, the file of `--kubelb-json`, as the lines of the record it was made from.

Touches the one file it is given, for reading. The format is the one that `report/json_report.py` writes, now or in an
earlier version. A report is one JSON value, so one report at a time is in memory as a whole; records are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb import bounded
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.load import json_fields
from pytest_kubelb.load.excerpt import excerpt
from pytest_kubelb.record.lines import Event, Line, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.reader import Note
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_REPORT: Final = 256 << 20
"""Bytes of a report that is read: one of 20,000 runs has about 30 MB."""
SCHEMA: Final = "pytest-kubelb-report"
SCHEMA_VERSION: Final = 2
"""Version of the reports that are written; this and every earlier one is read.

2 added `ceiling`, `findings` and `wire_bytes_per_request` to runs, and the axis `tuning` to points, as the record did.
"""


def read_report(path: Path) -> Iterator[Line | Note]:
    """Give the lines of the record behind a report: the session, then all events, runs and verdicts, then the end.

    Fields that are not known are ignored, since hooks may add some. Raises KubelbError that names the file when it
    cannot be read, is no JSON report of ours, or is one of a later version.
    """
    try:
        yield from _lines(_decoded(path), path)
    except ValueError as error:
        raise _not_ours(path, str(error)) from error


def is_report(path: Path) -> bool:
    """Tell whether a JSON file is a report of ours, whatever its version. Raises KubelbError."""
    try:
        return _decoded(path).get("schema") == SCHEMA
    except ValueError:
        return False


def _decoded(path: Path) -> dict[str, object]:
    try:
        return json_fields.decode_object(bounded.read_bytes(path, LARGEST_REPORT))
    except OSError as error:
        raise KubelbError(
            f"The JSON report {path} cannot be read: {error.strerror}; give a file that --kubelb-json wrote."
        ) from error


def _lines(report: json_fields.JsonObject, path: Path) -> Iterator[Line | Note]:
    if report.get("schema") != SCHEMA:
        raise ValueError(f"'schema' is {excerpt(report.get('schema'))}, not {SCHEMA!r}")
    version = json_fields.count(report, "schema_version")
    if not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(
            f"'schema_version' is {version}, and this version reads 1 to {SCHEMA_VERSION}: update it"
        )
    session = json_fields.optional_mapping(report, "session")
    if session is None:
        yield Note(f"{path}: the report is empty: its session ended before anything was recorded.")
        return
    yield SessionStart(
        session=json_fields.text(session, "id"),
        started=json_fields.text(session, "started"),
        facts=json_fields.mapping(session, "facts"),
        settings=json_fields.mapping(report, "settings"),
        schema_version=json_fields.count(session, "record_schema_version"),
    )
    yield from map(Event.from_json, json_fields.objects(report, "events"))
    for point in json_fields.objects(report, "points"):
        axes = {"point": json_fields.axes(point, "point")}
        for run in json_fields.objects(point, "runs"):
            yield Sample.from_json({**run, **axes})
        for verdict in json_fields.objects(point, "verdicts"):
            yield Verdict.from_json({**verdict, **axes})
    ended = json_fields.optional_text(session, "ended")
    if ended is not None:
        yield SessionEnd(ended, json_fields.count(session, "exit_code"))


def _not_ours(path: Path, what: str) -> KubelbError:
    return KubelbError(
        f"{path} is no JSON report of pytest-kubelb: {what}; give a file that --kubelb-json wrote, "
        "or the record.jsonl of a session."
    )
