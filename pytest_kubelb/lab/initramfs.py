"""An initramfs archive: entries to bytes. Pure: touches nothing.

Source of the format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel ("newc" cpio; archives
may follow one another).
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

MAGIC = "070701"
TRAILER = "TRAILER!!!"
ALIGNMENT = 4


@dataclass(frozen=True)
class Entry:
    """One file, folder or link of an archive; `path` has no leading slash."""

    path: str
    mode: int
    """Type and permissions, as st_mode has them."""
    content: bytes = b""
    """Of a link: its target."""


def folder(path: str, permissions: int = 0o755) -> Entry:
    """Give the entry of a folder."""
    return Entry(path.lstrip("/"), stat.S_IFDIR | permissions)


def file(path: str, content: bytes, permissions: int = 0o644) -> Entry:
    """Give the entry of a file."""
    return Entry(path.lstrip("/"), stat.S_IFREG | permissions, content)


def link(path: str, target: str) -> Entry:
    """Give the entry of a symbolic link."""
    return Entry(path.lstrip("/"), stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry]) -> bytes:
    """Give the archive of `entries`: of several with one path the first, and every folder before what is in it."""
    parts: list[bytes] = []
    known: set[str] = set()
    for entry in entries:
        parents = [folder(str(parent)) for parent in reversed(PurePosixPath(entry.path).parents)][1:]
        for each in [*parents, entry]:
            if each.path not in known:
                known.add(each.path)
                parts.append(_record(each, len(known)))
    parts.append(_record(Entry(TRAILER, 0), 0))
    return b"".join(parts)


def _record(entry: Entry, inode: int) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # inode, mode, uid, gid, links, time, size, major and minor of the device, the same of a special file, name, check
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    head = (MAGIC + "".join(f"{number:08x}" for number in fields)).encode() + name
    return _padded(head) + _padded(entry.content)


def _padded(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % ALIGNMENT)
