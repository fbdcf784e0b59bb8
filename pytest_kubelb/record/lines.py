"""The kinds of line that a record holds, and their JSON. Values only; touches nothing.

A line is one JSON object with `kind` first. The first line of a record is of kind `session` and carries
the version of the schema; `sample`, `event` and `verdict` follow in any order; `end` is there unless the
session died. A session that was resumed goes on behind its end, with an event `resumed`: the last end is
the one that counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_kubelb.load import json_fields
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA_VERSION: Final = 2
"""Version of the lines below. A reader refuses records of a later version.

2 added `ceiling`, `findings` and `wire_bytes_per_request` to samples, and the axis `tuning` to points.
"""


@dataclass(frozen=True)
class SessionStart:
    """Who measures what, with which settings."""

    session: str
    """The session's id, which is also its folder's name."""
    started: str
    """ISO 8601, UTC."""
    facts: Mapping[str, object]
    """What is known of the testbed, the machine and the versions; JSON values."""
    settings: Mapping[str, object]
    """The effective settings with the origin of each; JSON values."""
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, object]:
        """Give the line without its kind, the version of the schema first."""
        return {
            "schema_version": self.schema_version,
            "session": self.session,
            "started": self.started,
            "facts": dict(self.facts),
            "settings": dict(self.settings),
        }

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> SessionStart:
        """Read what `to_json` gave. Raises ValueError, also for a schema that is newer than this reader."""
        version = json_fields.count(fields, "schema_version")
        if not 1 <= version <= SCHEMA_VERSION:
            raise ValueError(
                f"'schema_version' is {version}, and this version reads 1 to {SCHEMA_VERSION}: update it"
            )
        return cls(
            session=json_fields.text(fields, "session"),
            started=json_fields.text(fields, "started"),
            facts=json_fields.mapping(fields, "facts"),
            settings=json_fields.mapping(fields, "settings"),
            schema_version=version,
        )


@dataclass(frozen=True)
class Event:
    """Something that happened and is neither a run nor a verdict: a retry, a convergence, a warning."""

    at: str
    """ISO 8601, UTC."""
    name: str
    """What kind of event, in one word."""
    details: Mapping[str, object]
    """JSON values."""

    def to_json(self) -> dict[str, object]:
        """Give the line without its kind."""
        return {**vars(self), "details": dict(self.details)}

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> Event:
        """Read what `to_json` gave. Raises ValueError."""
        return cls(
            at=json_fields.text(fields, "at"),
            name=json_fields.text(fields, "name"),
            details=json_fields.mapping(fields, "details"),
        )


@dataclass(frozen=True)
class Verdict:
    """What was concluded about a point."""

    point: Mapping[str, str | int]
    """The point's axes by name."""
    verdict: str
    """The word."""
    figures: Mapping[str, object]
    """The numbers it rests on, by name; JSON values."""
    sentence: str | None
    """The failure in words; None when the point did not fail."""

    def to_json(self) -> dict[str, object]:
        """Give the line without its kind."""
        return {**vars(self), "point": dict(self.point), "figures": dict(self.figures)}

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> Verdict:
        """Read what `to_json` gave. Raises ValueError."""
        return cls(
            point=json_fields.axes(fields, "point"),
            verdict=json_fields.text(fields, "verdict"),
            figures=json_fields.mapping(fields, "figures"),
            sentence=json_fields.optional_text(fields, "sentence"),
        )


@dataclass(frozen=True)
class SessionEnd:
    """The session ended by itself; without this line it was killed, or still goes on."""

    at: str
    """ISO 8601, UTC."""
    exit_code: int
    """pytest's."""

    def to_json(self) -> dict[str, object]:
        """Give the line without its kind."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, fields: json_fields.JsonObject) -> SessionEnd:
        """Read what `to_json` gave. Raises ValueError."""
        return cls(at=json_fields.text(fields, "at"), exit_code=json_fields.count(fields, "exit_code"))


Line: TypeAlias = SessionStart | Sample | Event | Verdict | SessionEnd
"""What a record consists of."""

_KINDS: Final[dict[type[Line], str]] = {
    SessionStart: "session",
    Sample: "sample",
    Event: "event",
    Verdict: "verdict",
    SessionEnd: "end",
}
_READERS: Final[dict[str, Callable[[json_fields.JsonObject], Line]]] = {
    name: kind.from_json for kind, name in _KINDS.items()
}


def line_to_json(line: Line) -> dict[str, object]:
    """Give the JSON object of a line, `kind` first."""
    return {"kind": _KINDS[type(line)], **line.to_json()}


def line_from_json(fields: json_fields.JsonObject) -> Line:
    """Read what `line_to_json` gave; fields that it does not know are ignored. Raises ValueError."""
    kind = json_fields.text(fields, "kind")
    if kind not in _READERS:
        raise ValueError(f"'kind' is {kind!r}, not one of {', '.join(_READERS)}")
    return _READERS[kind](fields)
