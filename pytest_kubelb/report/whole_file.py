"""Write a file that appears whole or not at all. Touches the file asked for, and one beside it while it grows."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from pytest_kubelb.errors import KubelbError

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER_ALONE: Final = 0o600
"""Mode of what tells of hosts and settings."""
EVERYBODY_READS: Final = 0o644
"""Mode of what another user's process collects."""


@contextmanager
def whole(destination: Path, what: str, mode: int = OWNER_ALONE) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the place of `destination` when the block ends without an error.

    Missing folders are made. `what` begins the sentence of the KubelbError that is raised when it cannot be written:
    `The JSON report`. Until then an older file stays as it is. A link keeps pointing to what it points to, and what is
    no file, such as `/dev/stdout` or a pipe, is written to as it is.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        if destination.exists() and not (destination.is_file() or destination.is_dir()):
            with destination.open("wb") as file:
                yield file
            return
        place = Path(os.path.realpath(destination))
        # Beside its place: only there is the renaming one step.
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name[:100]}.")
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            unfinished.replace(place)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KubelbError(
            f"{what} {destination} cannot be written: {error.strerror or error}; name a file in a folder that takes "
            "it, the record has every run all the same."
        ) from error
