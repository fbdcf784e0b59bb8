"""Append lines to a record. Touches the one file it is given.

The file is locked while it is open, which tells others, such as `kubelb history prune`, that the session goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pytest_kubelb.record.appending import JsonLines
from pytest_kubelb.record.lines import SessionStart, line_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from pytest_kubelb.record.lines import Event, Line


class RecordWriter:
    """A record, open for appending, as a context manager; may be used from several threads.

    `first` is its first line, of a new record, or what is said when one that was left is gone on with. Raises
    KubelbError when the file cannot be made, also when it is already there, or cannot be opened again.
    """

    def __init__(self, path: Path, first: SessionStart | Callable[[int], Event]) -> None:
        """`first` of a record that is opened again is made of the bytes that were cut off its torn last line."""
        is_new = isinstance(first, SessionStart)
        self._file = JsonLines(path, "record", again=not is_new)
        try:
            self.append(first if isinstance(first, SessionStart) else first(self._file.cut_bytes))
        except BaseException:
            self.close()
            raise

    def hide(self, secrets: Iterable[str]) -> None:
        """Write none of these texts from now on."""
        self._file.hide(secrets)

    def append(self, line: Line) -> None:
        """Write one line and wait until it is on the disk; raises what `JsonLines.append` raises."""
        self._file.append(line_to_json(line))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
