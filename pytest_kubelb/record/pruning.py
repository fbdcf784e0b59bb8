"""Remove old sessions, and say first which. Touches the sessions' folders under the root it is given.

Never removed: what is tagged or pinned, a session that still goes on, a folder that somebody renamed, and anything that
a link leads to. A folder is renamed before it is emptied, so that no reader finds half of a session.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record import history, marks

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_kubelb.record.history import Found

_HALF_REMOVED: Final = ".removing-"
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True)
class Plan:
    """What a pruning would do."""

    remove: tuple[Found, ...]
    """Oldest first."""
    keep: tuple[tuple[Found, str], ...]
    """With the reason, in a few words."""


def parse_age(text: str) -> timedelta:
    """Read `90d`, `12h`, `4w`. Raises ValueError with the rule in its message."""
    match = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
    if match is None:
        raise ValueError(
            f"{text!r} is not an age: write whole hours, days or weeks with the unit: 12h, 90d, 4w"
        )
    return int(match[1]) * _UNITS[match[2]]


def plan(root: Path, now: datetime, *, keep: int | None = None, older_than: timedelta | None = None) -> Plan:
    """Give what may go: what is not among the `keep` newest sessions and is older than `older_than`.

    With both, both have to hold, and one has to be given; tagged and pinned ones count among the newest. `now` is
    aware. Raises KubelbError when the sessions cannot be read.
    """
    if keep is None and older_than is None:
        raise ValueError("without a number or an age every session would go")
    remove: list[Found] = []
    kept: list[tuple[Found, str]] = []
    newest_first = sorted(history.sessions(root), key=lambda found: found.id, reverse=True)
    counted = 0
    for found in newest_first:
        reason = _protected(found, now)
        if found.started is not None:
            counted += 1
            if reason is None and keep is not None and counted <= keep:
                reason = f"among the {keep} newest"
            elif reason is None and older_than is not None and now - found.started <= older_than:
                reason = "not old enough"
        if reason is None:
            remove.append(found)
        else:
            kept.append((found, reason))
    return Plan(tuple(reversed(remove)), tuple(reversed(kept)))


def remove(found: Found, now: datetime) -> str | None:
    """Remove one session's folder; give why it was kept instead when that has changed since the plan was made.

    Raises KubelbError when it cannot be removed.
    """
    doomed = found.folder.with_name(_HALF_REMOVED + found.id)
    try:
        with marks.locked(found.folder):
            current = history.Found(found.id, found.folder, marks.read(found.folder))
            if reason := _protected(current, now):
                return reason
            found.folder.rename(doomed)
        shutil.rmtree(doomed)
    except FileNotFoundError:
        return "it is gone already"
    except OSError as error:
        raise KubelbError(
            f"The session {found.id} cannot be removed from {found.folder.parent}: {error.strerror}; "
            "make the folder writable, or remove it by hand."
        ) from error
    return None


def finish(root: Path) -> None:
    """Remove what an earlier pruning that was killed had begun to remove. Raises KubelbError."""
    for folder in _half_removed(root):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise KubelbError(
                f"{folder}, left by an earlier pruning, cannot be removed: {error.strerror}; remove it by hand."
            ) from error


def size(found: Found) -> int:
    """Give the bytes of the files in a session's folder; links count as themselves."""
    return sum(
        (Path(folder) / name).lstat().st_size for folder, _, names in os.walk(found.folder) for name in names
    )


def _protected(found: Found, now: datetime) -> str | None:
    """Give why a session must not be removed, whatever its age."""
    if found.started is None:
        return "renamed"
    if found.marks.pinned:
        return "pinned"
    if found.marks.tags:
        return f"tagged {', '.join(sorted(found.marks.tags))}"
    return history.may_go_on(found, now)


def _half_removed(root: Path) -> list[Path]:
    store = history.store_of(root)
    try:
        with os.scandir(store) as entries:
            return [
                store / entry.name
                for entry in entries
                if entry.name.startswith(_HALF_REMOVED) and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KubelbError(
            f"The sessions in {store} cannot be read: {error.strerror}; make it readable."
        ) from error
