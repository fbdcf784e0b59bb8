"""Text that others wrote, as one printable line. Pure.

Names, reasons and paths come out of files that anybody may have written. Here control characters, line ends, escapes of
the terminal, marks that turn the direction of writing and halves of characters become visible; what is special in a
format is escaped by its renderer.
"""

from __future__ import annotations

from typing import Final

from pytest_kubelb.text.printable import printable, shortened

_LONGEST: Final = 1000


def plain(text: str, longest: int = _LONGEST) -> str:
    r"""Give `text` with everything that does not print as an escape (`\x1b`), its middle left out when it is longer."""
    return printable(shortened(text, longest))
