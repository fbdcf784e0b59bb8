"""Append JSON objects to a file that only this process writes. Touches the one file it is given.

Each object is one line, one write, and fsync: what `append` has returned from is on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING, Final, Self

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.session import sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

LONGEST_LINE: Final = 2**20
"""Bytes in a line, its end included; readers refuse longer ones so that their memory is bounded."""


class JsonLines:
    """A new file, open for appending and locked, as a context manager; may be used from several threads.

    `what` names it in errors: "record". Raises KubelbError when the file cannot be made, also when it is there already.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._lock = threading.Lock()
        try:
            # O_APPEND with one write per line keeps lines whole, O_EXCL keeps a second writer out.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor: int | None = os.open(path, flags, 0o600)
        except FileExistsError as error:
            raise KubelbError(
                f"The {what} {path} is already there, and one session writes to it: start a new session."
            ) from error
        except OSError as error:
            raise KubelbError(
                f"The {what} {path} cannot be made: {error.strerror}; make its folder writable."
            ) from error
        try:
            # Some network file systems have no locks; there the age of the last line has to tell.
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            sync_folder(path.parent)
        except BaseException:
            self.close()
            raise

    def append(self, value: Mapping[str, object]) -> None:
        """Write one line and wait until it is on the disk.

        Raises KubelbError when the disk is full or fails: the file then ends with the line before.
        Raises ValueError for a value that JSON does not have (NaN), before anything is written.
        """
        text = json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
        if len(text) > LONGEST_LINE:
            raise ValueError(
                f"a line of the {self._what} has {len(text)} bytes, at most {LONGEST_LINE} are allowed"
            )
        with self._lock:
            if self._descriptor is None:
                raise ValueError(f"the {self._what} {self._path} is closed")
            self._write(self._descriptor, text)

    def _write(self, descriptor: int, text: bytes) -> None:
        size = os.fstat(descriptor).st_size
        try:
            written = os.write(descriptor, text)
            if written == len(text):
                os.fsync(descriptor)
                return
            cause = f"only {written} of the line's {len(text)} bytes fitted"
        except OSError as error:
            cause = f"{error.strerror}"
        try:
            os.ftruncate(descriptor, size)
            left = "it ends with the line before"
        except OSError as error:
            left = f"its last line may be torn ({error.strerror}), which readers ignore"
        raise KubelbError(
            f"The {self._what} {self._path} cannot take another line: {cause}; {left}; "
            "free space on that disk before going on, all earlier runs are safe."
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
