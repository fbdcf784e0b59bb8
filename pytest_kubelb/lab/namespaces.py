"""Named network namespaces: create, enter with one thread, delete. Touches the caller's mount and network namespaces.

Meant for the lab's holder, whose mount namespace is private: a name under /run/netns is seen by nobody else, and all of
it goes when the holder goes.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMED = Path("/run/netns")
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def create(name: str) -> Path:
    """Make the network namespace `name` and give its path; raises FileExistsError when the name is taken.

    Only the calling thread passes through the new namespace; it is back where it was on return.
    """
    path = NAMED / name
    NAMED.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.touch(exist_ok=False)
    try:
        with _returning():
            _check(_libc.unshare(CLONE_NEWNET), "unshare")
            mounted = _libc.mount(b"/proc/thread-self/ns/net", os.fsencode(path), b"none", MS_BIND, None)
            _check(mounted, "mount")
    except OSError:
        path.unlink()  # or the name would stay taken by nothing
        raise
    return path


def delete(name: str) -> None:
    """Take the name away; the kernel ends the namespace when the last process and socket in it is gone."""
    path = NAMED / name
    _check(_libc.umount2(os.fsencode(path), MNT_DETACH), "umount")
    path.unlink()


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the block with the calling thread, and the processes it starts, in the network namespace `name`."""
    with (NAMED / name).open("rb") as target, _returning():
        _check(_libc.setns(target.fileno(), CLONE_NEWNET), "setns")
        yield


@contextmanager
def _returning() -> Iterator[None]:
    with Path("/proc/thread-self/ns/net").open("rb") as home:
        try:
            yield
        finally:
            _check(_libc.setns(home.fileno(), CLONE_NEWNET), "setns")


def mount(source: str, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    """Do what the system call of this name does; raises OSError."""
    result = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode() or None)
    _check(result, f"mount {source} on {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
