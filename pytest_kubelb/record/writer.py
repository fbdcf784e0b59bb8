"""Append lines to a record. Touches the one file it is given.

The file is locked while it is open, which tells others, such as `kubelb history prune`, that the session goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pytest_kubelb.record.appending import JsonLines
from pytest_kubelb.record.lines import line_to_json

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from pytest_kubelb.record.lines import Line, SessionStart


class RecordWriter:
    """A new record, open for appending, as a context manager; may be used from several threads.

    Raises KubelbError when the file cannot be made, also when it is already there.
    """

    def __init__(self, path: Path, start: SessionStart) -> None:
        self._file = JsonLines(path, "record")
        try:
            self.append(start)
        except BaseException:
            self.close()
            raise

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
