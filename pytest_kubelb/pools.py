"""Threads for work that a signal may break off, but not lose. Touches nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def pool(threads: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Give a pool; whatever was submitted to it has ended when the block has, also when a signal ends the block.

    An executor starts its threads as work comes, and one that a KeyboardInterrupt catches at that forgets the thread,
    which then works on while nobody waits for it. So all threads run before the first work can be submitted.
    """
    ready = Barrier(threads)
    with ThreadPoolExecutor(threads, thread_name_prefix=name) as executor:
        try:
            wait([executor.submit(ready.wait) for _ in range(threads)])
        except BaseException:  # those that run already would wait for the others
            ready.abort()
            raise
        yield executor
