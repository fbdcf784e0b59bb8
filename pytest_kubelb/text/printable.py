"""Make visible what does not print: text of others must not move a cursor, ring, or look like other text. Pure."""

from __future__ import annotations

from typing import Final

LONGEST_SENTENCE: Final = 8000
"""Characters of an error: room for a sentence about each of thirty hosts."""


def shortened(text: str, longest: int) -> str:
    """Give `text`, its middle left out beyond `longest` characters: what tells names apart stands at their ends."""
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2 + 1
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def printable(text: str) -> str:
    r"""Give `text` with control characters, line ends and the like as escapes (`\x1b`).

    So are marks that turn the direction of writing, and halves of characters, which no file can hold.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )
