"""Text that others wrote, as one printable line. Pure.

Names, reasons and paths come out of files that anybody may have written. Here control characters, line ends, escapes of
the terminal, marks that turn the direction of writing and halves of characters become visible; what is special in a
format is escaped by its renderer.
"""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 1000


def plain(text: str, longest: int = _LONGEST) -> str:
    r"""Give `text` with everything that does not print as an escape (`\x1b`), its middle left out when it is longer."""
    if len(text) > longest:
        tail = (longest - 1) // 2
        text = f"{text[: longest - 1 - tail]}…{text[-tail:]}"
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )


def shortened(text: str, width: int) -> str:
    """Leave out the middle: backend and pods, which tell points apart, stand at the ends of an id."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2 + 1
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"
