"""Read records without the search for cycles of references. Touches the interpreter's garbage collector."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector rest while a record becomes a million values, none of which is part of a cycle.

    To go through them again and again takes a third of the time of a report of 18,000 runs.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
