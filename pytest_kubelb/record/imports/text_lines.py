"""Cut a file into numbered lines, in bounded memory. Touches the open file it is given.

A carriage return ends a piece of a line but not the line: curl writes its progress meter over itself, and
what it wrote over would otherwise hide what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.record.imports.dirt import Dirt

LONGEST_PIECE: Final = 4096
"""Bytes of a line that are read; wrk's longest line is far below."""
_CHUNK: Final = 65536


def numbered_lines(file: BinaryIO, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Give (line number from 1, text without its end) for each piece; what is longer is cut, and noted."""
    number, pending = 1, b""
    while chunk := file.readline(_CHUNK):
        ended = chunk.endswith(b"\n")
        first, *others = (chunk[:-1] if ended else chunk).split(b"\r")
        pieces = [pending + first, *others]
        pending = b"" if ended else pieces.pop()[: LONGEST_PIECE + 1]
        for piece in pieces:
            yield number, _text(piece, number, dirt)
        number += ended
    if pending:
        yield number, _text(pending, number, dirt)


def _text(piece: bytes, number: int, dirt: Dirt) -> str:
    if len(piece) > LONGEST_PIECE:
        dirt.note(
            number, "long line", f"the line is longer than {LONGEST_PIECE} bytes, and its end is left out"
        )
    if b"\0" in piece:
        dirt.note(number, "NUL bytes", "the line has NUL bytes, so this may be no text file")
    return piece[:LONGEST_PIECE].decode("utf-8", "replace").replace("\0", "")
