"""What a fault of the matrix is. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.faults.bed import Bed

    Provoke = Callable[[Bed], AbstractContextManager[object]]


@dataclass(frozen=True)
class Fault:
    """One row of the matrix, and what is expected of it."""

    name: str
    provoke: Provoke
    said: str
    """A pattern of what the record or the screen must say of it."""
    ended: Literal["healed", "stopped"]
    loses: bool = True
    """Whether a run cannot be valid."""
    in_hand: bool = True
    """Whether that is the run during which it is provoked, and not the next one at the latest."""
    event: str = "doubted"
    """The event in the record by which a session that heals goes on; empty where there is nothing to heal."""
    may_differ: str = ""
    """A pattern of the lines that may be others afterwards; empty for none."""
    early: bool = False
    """Whether it is there before the session begins, which then may have no runs."""
    waits: bool = True
    """Whether the second run waits for the fault; not for one that passes by itself while the session goes on."""
    last_pods: int = 3
    """The pods of the session's second and last point; the first has 2."""
    options: tuple[str, ...] = ()
    """What the session is given beside the usual."""
    restore: bool = False
    """Whether the session cannot put everything back itself, so that `kubelb restore` has to."""
