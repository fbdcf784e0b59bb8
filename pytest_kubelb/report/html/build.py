"""Build the report of `--kubelb-html` from records.

Touches the records and the evidence beside them, for reading, and the file asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_kubelb.report.html import page, reading
from pytest_kubelb.report.whole_file import whole

_ODD: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_RAW: Final = re.compile(f"[{_ODD}]")
_IN_JSON: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)\\(u(?:00[01][0-9a-f]|007f|00[89][0-9a-f]|061c|200[ef]|202[a-e]|206[6-9]))"
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def build(sessions: Sequence[Path], destination: Path, *, title: str | None = None) -> None:
    """Write one self-contained HTML file about the sessions, in the order given, for its owner alone (mode 0600).

    `sessions` are records (`record.jsonl`) or JSON reports; evidence is taken from the `evidence.jsonl` beside a record
    where there is one. `title` stands above the verdict; by default it names the testbed. The file appears whole or not
    at all. Raises KubelbError for a record that cannot be read and for a file that cannot be written.
    """
    content = visible(page.render(reading.read(sessions), title)).encode("utf-8")
    with whole(destination, "The HTML report") as file:
        file.write(content)


def visible(html: str) -> str:
    r"""Give a page in which what does not print, out of a name in a record, is an escape such as `\u202e`.

    Marks that turn the direction of writing would turn our words beside the name as well, and UTF-8 has no halves of
    characters. In JSON, which holds them as escapes, the backslash is doubled.
    """
    in_json = _IN_JSON.sub(r"\1\\\\\2", html)
    return _RAW.sub(lambda found: f"\\u{ord(found[0]):04x}", in_json)
