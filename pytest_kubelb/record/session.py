"""The id and the folder of a session. Touches `.kubelb/` under the folder it is given."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import KubelbError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

FOLDER: Final = ".kubelb"
"""Where the sessions of a rootdir are kept."""
RECORD: Final = "record.jsonl"
"""The record's name in its session's folder."""
EVIDENCE: Final = "evidence.jsonl"
"""The evidence file's name beside it."""


@dataclass(frozen=True)
class Session:
    """A session's id and the folder that holds all it writes."""

    id: str
    """Like 20261123T072210Z-3f9c: sorts by time, and differs between two sessions of one second."""
    folder: Path

    @property
    def evidence(self) -> Path:
        """Path of what was read on the hosts around each run, a line of JSON for each."""
        return self.folder / EVIDENCE

    @property
    def record(self) -> Path:
        """Path of the record."""
        return self.folder / RECORD


def session_id(now: datetime, suffix: str) -> str:
    """Give the id of a session that starts at `now` (aware), with four hexadecimal digits as `suffix`."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{suffix}"


def new_session(rootdir: Path, now: datetime) -> Session:
    """Make the folder of a new session, `<rootdir>/.kubelb/<id>`, for its owner alone (mode 0700).

    Raises KubelbError when the folder cannot be made.
    """
    parent = rootdir / FOLDER
    try:
        parent.mkdir(mode=0o700, exist_ok=True)
        while True:
            session = session_id(now, secrets.token_hex(2))
            try:
                (parent / session).mkdir(mode=0o700)
            except FileExistsError:
                continue
            sync_folder(parent)
            return Session(session, parent / session)
    except OSError as error:
        raise KubelbError(
            f"The session's folder cannot be made under {parent}: {error.strerror}; "
            "every run is written there, so make it writable or run pytest with another --rootdir."
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a new entry of `folder` survive a loss of power, as the lines of the record do."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
