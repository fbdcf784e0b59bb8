"""How to go on with a session that did not measure all its points, as a line of text. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OPTION: Final = "--kubelb-resume"


def how_to_resume(left: int, words: Sequence[str], session: str) -> str:
    """Give the line; `words` are those that pytest was started with."""
    command = shlex.join(["pytest", *_without_resume(words), f"{_OPTION}={session}"])
    return f"kubelb: {left} {'point is' if left == 1 else 'points are'} left; resume with: {command}"


def _without_resume(words: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in words:
        named = word == _OPTION or word.startswith(f"{_OPTION}=")
        if not named and not (before == _OPTION and not word.startswith("-")):
            yield word
        before = word
