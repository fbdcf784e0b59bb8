"""Build the report of `--kubelb-html` from records.

Touches the records and the evidence beside them, for reading, and the file asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb.report.html import page, reading
from pytest_kubelb.report.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def build(sessions: Sequence[Path], destination: Path, *, title: str | None = None) -> None:
    """Write one self-contained HTML file about the sessions, in the order given, for its owner alone (mode 0600).

    `sessions` are records (`record.jsonl`) or JSON reports; evidence is taken from the `evidence.jsonl` beside a record
    where there is one. `title` stands above the verdict; by default it names the testbed. The file appears whole or not
    at all. Raises KubelbError for a record that cannot be read and for a file that cannot be written.
    """
    text = page.render(reading.read(sessions), title)
    # Names out of a record may hold lone surrogates, which UTF-8 does not have.
    content = text.encode("utf-8", errors="replace")
    with whole(destination, "The HTML report") as file:
        file.write(content)
