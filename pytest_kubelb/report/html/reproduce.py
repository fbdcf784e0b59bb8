"""How to measure the same again: command, settings, versions, and the inventory without secrets. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.options import BY_KEY
from pytest_kubelb.report.formats import FORMATS
from pytest_kubelb.report.html import withheld, words
from pytest_kubelb.report.html.tables import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.report.html.model import Session

_SHOWN_ELSEWHERE = ("versions", "hosts", "specs", "imported", "process")
_WRITES_ONLY = (*FORMATS, "artifacts")
"""Settings that change nothing of what is measured."""
_NOT_TOLD = ("at_rest", "begun", "converged", "planned", "settings", "testbed", "tuned")
"""Events that every point has, or that are shown elsewhere."""
_MOST_COMMANDS = 3
_YES = ("true", "yes", "on", "1")


@dataclass(frozen=True)
class Recipe:
    """One session."""

    session: str
    command: str
    settings: Sequence[tuple[str, str, str]]
    """Option, value, origin."""
    versions: Sequence[tuple[str, str]]
    wrk: Sequence[str]
    """Command lines of runs, each once; of many, the first."""
    more_wrk: int
    inventory: str
    """TOML of what the record tells of the testbed."""
    events: Sequence[tuple[str, str, str]]
    """Time, name, details of what happened and is worth telling."""
    notes: Sequence[str]


def of(session: Session) -> Recipe:
    """Give the recipe of one session."""
    run = dict.fromkeys(
        sample.command for point in session.points for sample in point.samples if sample.command
    )
    commands = dict.fromkeys(map(withheld.text, run))
    versions = session.facts.get("versions")
    shown = {name: value for name, value in session.facts.items() if name not in _SHOWN_ELSEWHERE}
    told = [event for event in session.events if event.name not in _NOT_TOLD]
    return Recipe(
        session=session.id or "without an id",
        command=_command(session),
        settings=[(name, value, origin) for name, value, origin in _settings(session.start.settings)],
        versions=[(str(name), in_words(value)) for name, value in versions.items()]
        if isinstance(versions, dict)
        else [],
        wrk=list(commands)[:_MOST_COMMANDS],
        more_wrk=max(len(commands) - _MOST_COMMANDS, 0),
        inventory="\n".join(_toml(withheld.mapping(shown))),
        events=[
            (words.day_and_time(event.at), event.name, in_words(withheld.mapping(event.details))[:400])
            for event in told[:200]
        ],
        notes=[withheld.text(note) for note in session.notes],
    )


def _settings(settings: Mapping[str, object]) -> list[tuple[str, str, str]]:
    found = []
    for key, given in sorted(settings.items()):
        value, origin = (
            (given.get("value"), given.get("origin")) if isinstance(given, dict) else (given, None)
        )
        option = BY_KEY.get(key)
        found.append((option.flag if option else str(key), in_words(value), in_words(origin)))
    return found


def _command(session: Session) -> str:
    imported = session.facts.get("imported")
    if isinstance(imported, dict):
        return f"kubelb import {shlex.quote(str(imported.get('from', 'PATH')))}"
    given = []
    settings = {key: told for key, told in session.start.settings.items() if key not in _WRITES_ONLY}
    for key, told in sorted((settings | _selected(session)).items()):
        option, fields = BY_KEY.get(key), told if isinstance(told, dict) else {}
        value, origin = fields.get("value"), fields.get("origin")
        if (
            option is None
            or origin in (None, "default")
            or not isinstance(value, str)
            or value == "embedded lab"
        ):
            continue
        if option.metavar:
            given.append(f"{option.flag} {shlex.quote(withheld.text(value))}")
        elif value.lower() in _YES:
            given.append(option.flag)
    return " \\\n  ".join(["pytest benches/", *given])


def _selected(session: Session) -> dict[str, object]:
    """Give the backends that were measured as a setting, where -k or -m left others of the settings out."""
    given = session.start.settings.get("backend")
    value = given.get("value") if isinstance(given, dict) else None
    measured = dict.fromkeys(point.backend for point in session.points)
    # A session that did not come to its end may have been on its way to the others.
    if session.end is None or not isinstance(value, str) or measured.keys() == set(value.split(",")):
        return {}
    return {"backend": {"value": ",".join(measured), "origin": "what was measured"}}


def _toml(facts: Mapping[str, object], path: tuple[str, ...] = ()) -> list[str]:
    """Give nested fields as TOML: what the record knows of the inventory."""
    plain = {
        name: value for name, value in facts.items() if not isinstance(value, dict) and value is not None
    }
    nested = {name: value for name, value in facts.items() if isinstance(value, dict)}
    lines = [f"[{'.'.join(map(_key, path))}]"] if path and plain else []
    lines += [f"{_key(name)} = {json.dumps(value, ensure_ascii=False)}" for name, value in plain.items()]
    for name, value in nested.items():
        if value:
            lines += ([""] if lines else []) + _toml(value, (*path, name))
    return lines


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)
