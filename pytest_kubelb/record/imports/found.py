"""Find the files to import. Touches the folders and files it is given, for reading.

Each file is read once here, for its hash, so that copies are not counted twice.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.imports.dirt import Dirt, shown
from pytest_kubelb.record.imports.names import FileName, read_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CHUNK: Final = 2**20
# Without a suffix, with that of a log or a table, or with that of a copy of one.
_LOOKS_READABLE: Final = re.compile(
    r"(?i:[^.]+|.*\.(?:log|txt|out|csv|bak|bk|old|orig|save|copy|[0-9]{1,3})|.*~)"
)
_HIDDEN: Final = "."


@dataclass(frozen=True)
class Found:
    """One file to import."""

    path: Path
    shown: str
    """The path as it may be printed."""
    folder: Path
    """What holds it: a try."""
    name: FileName
    modified_s: float
    """Epoch: the time of runs that have none."""
    sha256: str
    dirt: Dirt = field(compare=False)


def find(
    paths: Sequence[Path], words: Mapping[str, str], notes: list[Dirt], seen: dict[str, str]
) -> Iterator[Found]:
    """Give the files under `paths`, each content once; originals come before what is called a copy.

    `seen` maps the hash of a content that is known to what holds it, and grows. What is passed over is added
    to `notes`. Raises KubelbError when one of `paths` does not exist.
    """
    candidates = [candidate for path in paths for candidate in _candidates(path, notes)]
    named = [(path, read_name(path.name, _folders(path, top), words)) for path, top in candidates]
    for path, name in sorted(named, key=lambda one: (one[1].copy, _natural(one[0]))):
        dirt = Dirt(shown(path))
        notes.append(dirt)
        try:
            status, digest = _read(path)
        except OSError as error:
            dirt.note(1, "unreadable", f"the file cannot be read and is left out: {error.strerror}")
            continue
        if status.st_size == 0:
            dirt.note(1, "empty file", "the file is empty")
        elif digest in seen:
            dirt.note(1, "same content", f"the same content as {seen[digest]}, so it is not counted again")
        else:
            seen[digest] = dirt.file
            if "." not in path.name:
                dirt.note(1, "no suffix", "a name without a suffix, taken for a log")
            if name.copy:
                dirt.note(
                    1, "backup copy", "a backup copy by its name: only what its original does not hold counts"
                )
            yield Found(path, dirt.file, path.parent, name, status.st_mtime, digest, dirt)


def _candidates(path: Path, notes: list[Dirt]) -> Iterator[tuple[Path, Path]]:
    """Give each file under `path` with the folder that was given; a file that is named is always read."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise KubelbError(
            f"{shown(path)} cannot be imported: {cause}; name a log, a CSV table, or a folder of them."
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        yield path, path.parent
        return
    passed_over = Dirt(shown(path))
    notes.append(passed_over)
    for folder, names, files in os.walk(path, onerror=lambda error: _unreadable(error, notes)):
        names[:] = sorted(name for name in names if not name.startswith(_HIDDEN))
        for name in sorted(files):
            file = Path(folder, name)
            if file.is_symlink():
                passed_over.note(1, "link", f"{shown(file)} is a symbolic link and is left out")
            elif name.startswith(_HIDDEN) or not _LOOKS_READABLE.fullmatch(name):
                passed_over.note(
                    1, "other files", f"{shown(file)} is neither a log nor a table by its name: left out"
                )
            else:
                yield file, path


def _unreadable(error: OSError, notes: list[Dirt]) -> None:
    dirt = Dirt(shown(Path(error.filename)))
    dirt.note(1, "unreadable", f"the folder cannot be read and is left out: {error.strerror}")
    notes.append(dirt)


def _read(path: Path) -> tuple[os.stat_result, str]:
    """Give the state and the hash of a regular file. Raises OSError, also for what is no regular file."""
    # Without O_NONBLOCK a named pipe would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no regular file")
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return status, digest.hexdigest()


def _folders(path: Path, top: Path) -> list[str]:
    """Give the names of the folders from the file up to the one that was given, the nearest first."""
    absolute, highest = path.parent.absolute(), top.absolute()
    between = [absolute, *absolute.parents]
    return [folder.name for folder in between[: between.index(highest) + 1]] if highest in between else []


def _natural(path: Path) -> list[tuple[int, str]]:
    """Give a key by which lvs_2 comes before lvs_10."""
    pieces = re.split(r"([0-9]{1,18})", str(path))
    return [(int(piece), "") if piece.isascii() and piece.isdigit() else (-1, piece) for piece in pieces]
