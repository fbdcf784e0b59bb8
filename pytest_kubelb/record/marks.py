"""The tags and the pin of a session: `marks.json` in the session's folder. Touches that file alone.

They are kept beside the record, and not in one file for all sessions, so that they travel with a folder that is copied,
go when it is removed, and two writers meet only at the same session. There they take turns by a lock on the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb import bounded
from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.load import json_fields
from pytest_kubelb.record.session import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKS: Final = "marks.json"
"""The file's name in its session's folder."""
_SCHEMA_VERSION: Final = 1
_LARGEST: Final = 1 << 20  # bytes: some ten thousand tags
_TAG: Final = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
_START_OF_AN_ID: Final = r"[0-9]{1,8}|[0-9]{8}T[0-9]{0,6}|[0-9]{8}T[0-9]{6}Z(-[0-9a-f]{0,4})?"
_RESERVED: Final = ("pinned", "last")


@dataclass(frozen=True)
class Marks:
    """What users noted about a session."""

    tags: frozenset[str] = frozenset()
    pinned: bool = False

    def __bool__(self) -> bool:
        return self.pinned or bool(self.tags)


def check_tag(text: str) -> str:
    """Give a tag back. Raises ConfigError with the rule for one that could not be told from other words."""
    if not re.fullmatch(_TAG, text) or text.endswith((".json", ".jsonl")):
        raise ConfigError(
            f"{text!r} is no tag: write 1 to 64 letters, digits, dots, dashes, underscores and plus signs, "
            "a letter or digit first, and not the ending of a file (.json)."
        )
    if text in _RESERVED or re.fullmatch(_START_OF_AN_ID, text):
        raise ConfigError(
            f"{text!r} cannot be a tag: it would be read as a session; write v{text} or another word."
        )
    return text


def read(folder: Path) -> Marks:
    """Give the marks of a session; none when there is no file. Raises KubelbError when it is damaged."""
    path = folder / MARKS
    try:
        fields = json_fields.decode_object(bounded.read_bytes(path, _LARGEST))
        version = json_fields.count(fields, "schema_version")
        tags, pinned = fields.get("tags"), fields.get("pinned")
        if version != _SCHEMA_VERSION:
            raise ValueError(f"'schema_version' is {version}, and this version reads {_SCHEMA_VERSION}")
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise ValueError("'tags' is no list of strings")
        if not isinstance(pinned, bool):
            raise ValueError("'pinned' is neither true nor false")
    except (FileNotFoundError, NotADirectoryError):
        return Marks()
    except OSError as error:
        raise KubelbError(
            f"The tags in {path} cannot be read: {error.strerror}; make it readable."
        ) from error
    except ValueError as error:
        raise KubelbError(
            f"The tags in {path} cannot be read: {error}; delete the file to forget that session's tags and pin."
        ) from error
    return Marks(frozenset(tags), pinned)


def change(folder: Path, edit: Callable[[Marks], Marks]) -> Marks:
    """Replace the marks of a session by what `edit` makes of them; two writers take turns, readers see either whole.

    Raises KubelbError when the folder is gone or cannot be written.
    """
    try:
        with locked(folder):
            before = read(folder)
            after = edit(before)
            if after != before:
                _write(folder, after)
            return after
    except OSError as error:
        raise KubelbError(
            f"The tags of the session {folder.name} cannot be written to {folder}: {error.strerror}; "
            "see whether the folder is there and make it writable."
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the session's folder for one change at a time. Raises OSError, also when the folder is a link."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(folder: Path, marks: Marks) -> None:
    text = {"schema_version": _SCHEMA_VERSION, "tags": sorted(marks.tags), "pinned": marks.pinned}
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{MARKS}.")  # made with mode 0600
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(text, file)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(folder / MARKS)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(folder)
