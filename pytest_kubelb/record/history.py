"""Find the sessions of a root folder: by id, the start of one, tag, pin, or age. Touches `.kubelb/`, for reading.

A session is a folder in `.kubelb/`, and its name is its id. Links are passed over.
"""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.load import json_fields
from pytest_kubelb.record import marks
from pytest_kubelb.record.lines import SessionEnd, SessionStart
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.session import FOLDER, RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JUDGED: Final = (0, 1)
"""Exit codes of sessions that came to their end: every point passed, or some failed. pytest's others mean that it was
interrupted, broke, or measured nothing."""
AB_JUDGED: Final = (*JUDGED, 2)
"""The same of `kubelb ab`, whose 2 means inconclusive."""
QUIET: Final = timedelta(hours=1)
"""A record without an end that nobody has written to for this long is taken for dead where locks do not tell."""
_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}")
_LAST: Final = re.compile(r"last(?::([0-9]{1,6}))?")
_LONGEST_END: Final = 4096


@dataclass(frozen=True)
class Found:
    """A session's folder, and what was noted about it."""

    id: str
    folder: Path
    marks: marks.Marks

    @property
    def record(self) -> Path:
        """Path of the record, which may not exist: see `has_record`."""
        return self.folder / RECORD

    @property
    def has_record(self) -> bool:
        """False when the session died before its first line."""
        return self.record.is_file() and not self.record.is_symlink()

    @property
    def started(self) -> datetime | None:
        """When the session started, by its id; None for a folder that somebody renamed."""
        if not _ID.fullmatch(self.id):
            return None
        try:
            return datetime.strptime(self.id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None


def nearest_root(folder: Path) -> Path:
    """Give the folder itself or the nearest one above it that has a `.kubelb`; the folder itself when none has."""
    return next((each for each in (folder, *folder.parents) if (each / FOLDER).is_dir()), folder)


def store_of(root: Path) -> Path:
    """Give the folder of the sessions: the root's `.kubelb`, or `root` when it is itself that folder."""
    return root / FOLDER if (root / FOLDER).is_dir() else root


def sessions(root: Path) -> tuple[Found, ...]:
    """Give the sessions under `root`, or in it when it is itself a folder of sessions; sorted by id, oldest first.

    Raises KubelbError when the folder cannot be read.
    """
    store = store_of(root)
    try:
        with os.scandir(store) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KubelbError(
            f"The sessions in {store} cannot be read: {error.strerror}; make it readable."
        ) from error
    return tuple(
        Found(name, store / name, marks.read(store / name))
        for name in names
        if _ID.fullmatch(name) or (not name.startswith(".") and (store / name / RECORD).is_file())
    )


def resolve(root: Path, text: str) -> tuple[Found, ...]:
    """Give the sessions that one word means, oldest first: `lookup`, and an error where that gives None.

    Raises ConfigError, with the word nearest to it, for one that means no session.
    """
    found = lookup(root, text)
    if found is None:
        raise ConfigError(f"No session or tag is called {text!r} in {root}{hint(root, text)}.")
    return found


def lookup(root: Path, text: str) -> tuple[Found, ...] | None:
    """Give the sessions that one word means, oldest first; None when it is no word for sessions.

    A word is a tag, `pinned`, `last` or `last:N` (see `recent`; these three may mean none), an id, or the start of
    exactly one id. Raises ConfigError for the start of several ids, and for `last:0`.
    """
    known = sessions(root)
    if text == "pinned":
        return tuple(each for each in known if each.marks.pinned)
    if (count := last(text)) is not None:
        newest = [each for _, each in zip(range(count), recent(root), strict=False)]
        return tuple(reversed(newest))
    if tagged := tuple(each for each in known if text in each.marks.tags):
        return tagged
    matches = tuple(each for each in known if each.id == text) or tuple(
        each for each in known if text and each.id.startswith(text)
    )
    if len(matches) > 1:
        raise ConfigError(
            f"{len(matches)} sessions begin with {text!r} ({matches[0].id} … {matches[-1].id}): write more of the id."
        )
    return matches or None


def last(text: str) -> int | None:
    """Give the N of `last:N`, 1 for `last`, None for other words. Raises ConfigError for `last:0` and `last:x`."""
    match = _LAST.fullmatch(text)
    if match is None and not text.startswith("last:"):
        return None
    count = int(match[1] or 1) if match else 0
    if count < 1:
        raise ConfigError(f"{text!r} is not a number of sessions: write last:5 for the newest five.")
    return count


def hint(root: Path, text: str) -> str:
    """Give what was probably meant, as ` (did you mean …?)`, or what there is, or nothing."""
    known = sessions(root)
    tags = sorted({tag for each in known for tag in each.marks.tags})
    near = get_close_matches(text, [*tags, *(each.id for each in known), "pinned", "last:5"], n=1)
    if near:
        return f" (did you mean {near[0]}?)"
    if not known:
        return ": it has no sessions; give another --root"
    if tags:
        return f": its tags are {', '.join(tags)}" if len(tags) > 1 else f": its only tag is {tags[0]}"
    return f": it has {len(known)} {'session' if len(known) == 1 else 'sessions'} and no tags"


def recent(root: Path) -> Iterator[Found]:
    """Give the sessions that `last:N` counts, newest first: measured here, ended by themselves, not renamed.

    Left out are imported ones, those of `kubelb ab`, those that were killed or interrupted or still go on, and those
    that cannot be read.
    """
    for found in reversed(sessions(root)):
        if found.started and found.has_record:
            end = ending(found.record)
            if end is not None and end.exit_code in JUDGED and _is_sweep(found.record):
                yield found


def is_imported(start: SessionStart) -> bool:
    """Tell whether the session was made of other logs by `kubelb import`: its facts have `imported`."""
    return bool(start.facts.get("imported"))


def is_ab(start: SessionStart) -> bool:
    """Tell whether `kubelb ab` measured the session: its facts have `ab`, what the sides were."""
    return "ab" in start.facts


def came_to_its_end(end: SessionEnd, *, ab: bool) -> bool:
    """Tell whether a session with this end was neither interrupted nor broken off."""
    return end.exit_code in (AB_JUDGED if ab else JUDGED)


def ending(record: Path) -> SessionEnd | None:
    """Give the last line of a record when that is its end; None when it is not, also when nothing can be read."""
    try:
        with record.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LONGEST_END))
            tail = file.read(_LONGEST_END)
        line = tail[:-1].rpartition(b"\n")[2] if tail.endswith(b"\n") else b""
        fields = json_fields.decode_object(line)
        return SessionEnd.from_json(fields) if fields.get("kind") == "end" else None
    except (OSError, ValueError):
        return None


def is_locked(found: Found) -> bool:
    """Tell whether a writer on this machine has the record open."""
    try:
        descriptor = os.open(found.record, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no locks on this file system
    finally:
        os.close(descriptor)
    return False


def may_go_on(found: Found, now: datetime) -> str | None:
    """Give why a session may still be writing, in a few words; None when it has ended or is dead.

    What was written to lately counts as well, for writers on other machines and file systems without locks; and a young
    folder without a record, whose session may be about to begin.
    """
    if ending(found.record) is not None:
        return None
    if is_locked(found):
        return "still being written"
    quiet = _quiet_for(found.record if found.has_record else found.folder, now)
    return "without an end, and written to within the last hour" if quiet < QUIET else None


def _quiet_for(path: Path, now: datetime) -> timedelta:
    try:
        return now - datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except OSError:
        return timedelta.max


def _is_sweep(record: Path) -> bool:
    """Tell whether pytest measured the session: it is neither imported nor of `kubelb ab`, and can be read."""
    try:
        first = next(iter(read_record(record)), None)
    except KubelbError:
        return False
    return isinstance(first, SessionStart) and not is_imported(first) and not is_ab(first)
