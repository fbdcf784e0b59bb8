"""Print lines that may have words of others in them: of records, hosts and clusters. Touches the stream it is given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_kubelb.text.printable import printable

if TYPE_CHECKING:
    from typing import TextIO


def say(*lines: str, file: TextIO | None = None) -> None:
    """Print each line with what does not print made visible: a record must not move the cursor of who reads it."""
    stream = file or sys.stdout
    encoding = stream.encoding or "utf-8"
    for line in lines:
        # A character that the terminal's encoding lacks is no reason to end.
        print(printable(line).encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
