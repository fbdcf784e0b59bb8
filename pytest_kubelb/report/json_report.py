"""Write the file of `--kubelb-json` from a record; its JSON Schema is beside this module, see `json_schema`.

Touches the record, for reading, and the file asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.exported import SCHEMA, SCHEMA_VERSION
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.resumption import RESUMED
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.report.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_kubelb.record.lines import Line

_ENCODER: Final = json.JSONEncoder(allow_nan=False)
_PointKey: TypeAlias = tuple[tuple[str, str | int], ...]


def write(report: Mapping[str, object], destination: Path) -> None:
    """Write what `build` gave, for its owner alone (mode 0600), run by run: a line for each.

    The file appears whole or not at all. Raises KubelbError when it cannot be written, also for a value that JSON does
    not have, which only a hook can have put there.
    """
    with whole(destination, "The JSON report") as file:
        try:
            for piece in _pieces(report):
                file.write(piece.encode("ascii"))
        except (TypeError, ValueError) as error:
            raise KubelbError(
                f"The JSON report {destination} cannot be written: pytest_kubelb_update_json put something in it that "
                f"JSON does not have ({error}); leave that out."
            ) from error


def build(record: Path) -> dict[str, object]:
    """Give the report of the session of a record, as `build_of` does. Raises KubelbError."""
    return build_of(read_record(record))


def build_of(lines: Iterable[Line | Note]) -> dict[str, object]:
    """Give the report of one session: its facts and settings, and each point with every run and its verdicts.

    What is held in memory is the report alone, however the lines come. `session` is null when the session died before
    its first line, and its `ended` and `exit_code` are null when it died later. A point has one verdict for each pass.
    Raises what `lines` raises.
    """
    start: SessionStart | None = None
    end: SessionEnd | None = None
    points = _Points()
    events: list[object] = []
    notes: list[str] = []
    for line in lines:
        match line:
            case SessionStart():
                start = line
            case Sample():
                points.runs(line.point).append(_without_point(line))
            case Verdict():
                points.judged(line)
            case Event():
                events.append(line.to_json())
                end = None if line.name == RESUMED else end
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
        self._verdicts: dict[_PointKey, dict[object, object]] = {}

    def runs(self, point: Mapping[str, str | int]) -> list[object]:
        return self._runs.setdefault(tuple(point.items()), [])

    def judged(self, line: Verdict) -> None:
        """Take a verdict; of two on one provisioning, as a session gives that was resumed, the later one counts."""
        self.runs(line.point)
        number = line.figures.get("provisioning")
        known = self._verdicts.setdefault(tuple(line.point.items()), {})
        known[len(known) if number is None else f"provisioning {number}"] = _without_point(line)

    def to_json(self) -> list[object]:
        return [
            {"point": dict(key), "runs": runs, "verdicts": [*self._verdicts.get(key, {}).values()]}
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


def _pieces(report: Mapping[str, object]) -> Iterator[str]:
    """Give the text piece by piece: a line for each field, and below `points` one for each run."""
    # The encoder of the C library writes no indentation, and the one that does takes ten times as long.
    separator = "{\n"
    for name, value in report.items():
        yield f"{separator} {_text(str(name))}: "
        if name == "points" and isinstance(value, list):
            yield from _list((_point(point) for point in value), " ")
        else:
            yield _text(value)
        separator = ",\n"
    yield "\n}\n"


def _point(point: object) -> Iterator[str]:
    if not isinstance(point, dict):
        yield _text(point)
        return
    separator = "{"
    for name, value in point.items():
        yield f"{separator}{_text(str(name))}: "
        yield from (
            _list(([_text(each)] for each in value), "  ") if isinstance(value, list) else [_text(value)]
        )
        separator = ", "
    yield "}" if point else "{}"


def _list(items: Iterable[Iterable[str]], indent: str) -> Iterator[str]:
    separator = "["
    for item in items:
        yield f"{separator}\n{indent} "
        yield from item
        separator = ","
    yield "[]" if separator == "[" else f"\n{indent}]"


def _text(value: object) -> str:
    return _ENCODER.encode(value)
