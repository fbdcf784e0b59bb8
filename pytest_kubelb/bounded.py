"""Read a file that is to be in memory as a whole, up to a size. Touches the one file it is given, for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_bytes(path: Path, most: int) -> bytes:
    """Give what is in a file. Raises OSError, and ValueError when it is larger than `most` bytes."""
    with path.open("rb") as file:
        if file.seekable() and path.stat().st_size > most:
            raise ValueError(f"it is larger than {most} bytes")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most} bytes")
    return data
