"""From a path to the sessions it holds: a record, a session's folder, a root, a JSON report, or a folder of those.

Touches what it is given, for reading. No path inside a record matters, so copies on another machine read the same.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record import history
from pytest_kubelb.record.appending import LONGEST_LINE
from pytest_kubelb.record.exported import is_report, read_report
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.session import RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.record.lines import Line


_HEAD: Final = re.compile(rb'\{\s*"kind"\s*:\s*"session"\s*,')
_TORN: Final = b'{"kind":"session",'


@dataclass(frozen=True)
class Source:
    """One session's file: its record, or the report that was made of it."""

    path: Path
    named: bool
    """True when the session itself was named, False when it was found in a folder of many."""

    def lines(self) -> Iterator[Line | Note]:
        """Give the session line by line. Raises KubelbError as the readers of the two formats do."""
        return read_report(self.path) if self.path.suffix == ".json" else read_record(self.path)


def path_of(word: str) -> Path:
    """Give the path that a word is, its `~` expanded where it is somebody's home folder that is known."""
    try:
        return Path(word).expanduser()
    except (RuntimeError, ValueError):
        return Path(word)


def exists(path: Path) -> bool:
    """Tell whether there is something at a path. Raises ConfigError where that cannot be looked up."""
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(f"{path} cannot be looked up: {error.strerror}; name another file.") from error


def check(source: Source) -> None:
    """Raise ConfigError for a file that cannot be read, or whose head is neither that of a record nor of a report.

    What is further on in a record is not read; a report is one JSON value, of which the head alone says nothing. An
    empty file, and a first line that was torn, are those of a session that died at its beginning.
    """
    path = source.path
    try:
        if path.suffix != ".json":
            with path.open("rb") as file:
                head = file.readline(LONGEST_LINE)
            if head and not _begins_a_record(head):
                raise ConfigError(
                    f"{path} is neither a record nor a JSON report of --kubelb-json, whose name ends in .json: "
                    "name one of those, or a folder of them."
                )
        next(source.lines(), None)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; make it readable.") from error
    except ConfigError:
        raise
    except KubelbError as error:
        raise ConfigError(str(error)) from error


def _begins_a_record(head: bytes) -> bool:
    # Of a session that died while it wrote its first line there may be only the first few bytes.
    return _HEAD.match(head) is not None or _TORN.startswith(head)


def find(path: Path) -> tuple[Source, ...]:
    """Give the sessions that a path holds, oldest first where the names of their folders tell.

    A folder of many gives its sessions (`.kubelb`, the folder it is in, any folder of session folders) and, when it
    has none, the JSON reports in it; other JSON files there are passed over. Raises ConfigError for a path that does
    not exist, and for a folder without a session.
    """
    try:
        if path.is_file():
            return (Source(path, named=True),)
        if not path.is_dir():
            raise ConfigError(
                f"{path} does not exist: name a session's folder, a record.jsonl, a JSON report, or a folder of those."
            )
        if os.path.lexists(path / RECORD):
            return (Source(path / RECORD, named=True),)
        sessions = [found for found in history.sessions(path) if found.has_record]
        found = [Source(each.record, named=False) for each in sessions]
        found = found or [
            Source(file, named=False) for file in sorted(path.glob("*.json")) if is_report(file)
        ]
    except OSError as error:
        raise KubelbError(f"{path} cannot be read: {error.strerror}; make it readable.") from error
    if not found:
        raise ConfigError(
            f"The folder {path} has no records: no {RECORD}, no session's folder with one, and no JSON report; "
            "name the rootdir of a session, or a file."
        )
    return tuple(found)
