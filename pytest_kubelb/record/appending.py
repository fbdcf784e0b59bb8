"""Append JSON objects to a file that only this process writes. Touches the one file it is given.

Each object is one line, one write, and fsync: what `append` has returned from is on the disk. The file is locked for as
long as it is open; where the file system has no locks, nothing keeps two processes from one file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.session import sync_folder
from pytest_kubelb.text.redaction import may_hold_secrets, redacted_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

LONGEST_LINE: Final = 2**20
"""Bytes in a line, its end included; readers refuse longer ones so that their memory is bounded."""


_LOCK_TRIES: Final = 20
_LOCK_PAUSE_S: Final = 0.05
"""Readers hold the lock for an instant, to see whether a writer has it."""


class JsonLines:
    """A file, open for appending and locked, as a context manager; may be used from several threads.

    It is a new one, or with `again` one that an earlier process wrote, of which a torn last line is cut off first.
    `what` names it in errors: "record". Raises KubelbError when the file cannot be made, or opened, also when a new one
    is there already, and when another process has the one that is opened again.
    """

    def __init__(self, path: Path, what: str, *, again: bool = False) -> None:
        self._path = path
        self._what = what
        self._lock = threading.Lock()
        self.cut_bytes = 0
        """Bytes of a torn last line that were cut off."""
        self._secrets: frozenset[str] = frozenset()
        self._descriptor: int | None = self._open_again() if again else self._make()

    def _make(self) -> int:
        path = self._path
        try:
            # O_APPEND with one write per line keeps lines whole, O_EXCL keeps a second writer out.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError as error:
            raise KubelbError(
                f"The {self._what} {path} is already there, and one session writes to it: start a new session."
            ) from error
        except OSError as error:
            raise KubelbError(
                f"The {self._what} {path} cannot be made: {error.strerror}; make its folder writable."
            ) from error
        try:
            # Some network file systems have no locks; there the age of the last line has to tell.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _open_again(self) -> int:
        try:
            # Reading as well, to find the end of the last whole line; a link may lead anywhere.
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise KubelbError(
                f"The {self._what} {self._path} cannot be opened to go on with it: {error.strerror}; make it a file "
                "that you may write to."
            ) from error
        try:
            self._take_lock(descriptor)
            size = os.fstat(descriptor).st_size
            whole = _end_of_last_line(descriptor, size)
            if whole < size:
                os.ftruncate(descriptor, whole)
                os.fsync(descriptor)
            self.cut_bytes = size - whole
        except OSError as error:
            os.close(descriptor)
            raise KubelbError(
                f"The {self._what} {self._path} cannot be mended where its last line was torn: {error.strerror}; make "
                "its disk writable."
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _take_lock(self, descriptor: int) -> None:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S)
            except OSError:  # no locks on this file system
                return
            else:
                return
        raise KubelbError(
            f"The {self._what} {self._path} is still being written, by {_holder(descriptor)}: wait until that ends, or "
            "end it."
        )

    def hide(self, secrets: Iterable[str]) -> None:
        """Write none of these texts from now on. What looks like a secret is never written: see `redaction`."""
        self._secrets |= frozenset(secrets)

    def append(self, value: Mapping[str, object]) -> None:
        """Write one line and wait until it is on the disk.

        Raises KubelbError when the disk is full or fails: the file then ends with the line before.
        Raises ValueError for a value that JSON does not have (NaN), before anything is written.
        """
        line = _encoded(value)
        if may_hold_secrets(line, self._secrets):
            line = _encoded(redacted_fields(value, self._secrets))
        text = line.encode("ascii") + b"\n"
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


def _end_of_last_line(descriptor: int, size: int) -> int:
    """Give the offset behind the last line end of a file; 0 when it has none."""
    end = size
    while end > 0:
        start = max(0, end - LONGEST_LINE)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _holder(descriptor: int) -> str:
    """Give who has the lock, as the kernel tells it."""
    mine = os.fstat(descriptor).st_ino
    try:
        with open("/proc/locks", encoding="ascii") as locks:  # noqa: PTH123 - no file of ours
            for line in locks:
                # `1: FLOCK  ADVISORY  WRITE 4711 fe:01:131 0 EOF`; see proc_locks(5).
                words = line.split()
                if "FLOCK" in words and words[-3].rpartition(":")[2] == str(mine):
                    return f"the process {words[-4]} on {os.uname().nodename}"
    except (OSError, IndexError):
        pass
    return "another process, maybe of another host"


def _encoded(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
