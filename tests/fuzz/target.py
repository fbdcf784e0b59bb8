"""What one entry of the table of targets is, and what counts as an answer. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.text.printable import LONGEST_SENTENCE

if TYPE_CHECKING:
    from collections.abc import Callable


class NoSentenceError(AssertionError):
    """An input was refused, but not in a sentence that may be printed as it is."""


@dataclass(frozen=True)
class Target:
    """One reader of what others wrote."""

    name: str
    feed: Callable[[bytes], object]
    """Reads an input to its end."""
    seeds: tuple[bytes, ...]
    """Inputs that are right, from which wrong ones are made."""
    refusals: tuple[type[Exception], ...] = (KubelbError,)
    """What it says to raise."""
    slow: bool = False
    """An input takes a tenth of a second and more."""

    def __str__(self) -> str:
        return self.name


def check(target: Target, data: bytes) -> bool:
    """Feed one input; give whether it was accepted.

    Raises what the target raised beside its refusals, and NoSentenceError for a refusal that is empty, endless, or
    would move the cursor of a terminal.
    """
    try:
        target.feed(data)
    except target.refusals as error:
        said = str(error)
        # A ValueError is never shown alone: who catches it makes the sentence, and that is looked at.
        shown = isinstance(error, KubelbError)
        if shown and not said.isprintable():
            raise NoSentenceError(f"{target.name}: not printable: {said!r}") from error
        if not said or (shown and len(said) > LONGEST_SENTENCE):
            raise NoSentenceError(f"{target.name}: {len(said)} characters: {said[:200]!r}") from error
        return False
    return True
