"""Read a record line by line, in constant memory. Touches the one file it is given, for reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.load import json_fields
from pytest_kubelb.record.appending import LONGEST_LINE
from pytest_kubelb.record.lines import Line, SessionStart, line_from_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Note:
    """Something about the file itself that a report should pass on, in one sentence."""

    text: str


def read_record(path: Path) -> Iterator[Line | Note]:
    """Give the lines of a record as values, in their order.

    A last line without its end was torn by a crash: it is left out, and a Note says so, as the last value.
    Raises KubelbError that names file and line when the file cannot be read, does not begin with a `session`
    line, or has a line in its middle that is no line of a record.
    """
    try:
        with path.open("rb") as file:
            yield from _lines(file, path)
    except OSError as error:
        raise KubelbError(
            f"The record {path} cannot be read: {error.strerror}; give the path of a record.jsonl."
        ) from error


def _lines(file: BinaryIO, path: Path) -> Iterator[Line | Note]:
    number = 0
    while text := file.readline(LONGEST_LINE):
        number += 1
        if not text.endswith(b"\n"):
            if len(text) == LONGEST_LINE:
                raise _corrupt(path, number, f"it is longer than {LONGEST_LINE} bytes")
            yield Note(f"{path}:{number}: the last line was torn after {len(text)} bytes, so it is ignored.")
            return
        yield _line(text, path, number)
    if number == 0:
        yield Note(f"{path}: the record is empty: its session ended before the first line was written.")


def _line(text: bytes, path: Path, number: int) -> Line:
    try:
        line = line_from_json(json_fields.decode_object(text))
    except ValueError as error:
        raise _corrupt(path, number, str(error)) from error
    if isinstance(line, SessionStart) != (number == 1):
        raise _corrupt(path, number, "a record has one 'session' line, its first")
    return line


def _corrupt(path: Path, number: int, what: str) -> KubelbError:
    # Without its first line a record is none.
    without = ", or delete the line to go on without what it held" if number > 1 else ""
    return KubelbError(
        f"{path}:{number}: this is no line of a record: {what}; restore the file from a copy{without}."
    )
