"""What is odd in a file that is imported, as warnings that name file and line. Touches nothing.

A kind of dirt is told once per file, with the lines it was met in: a log of a thousand runs without an end
time is one warning, and memory does not grow with the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MOST_LINES_SHOWN: Final = 6


@dataclass(frozen=True)
class Warned:
    """One kind of dirt in one file."""

    file: str
    """The file, as it may be shown."""
    lines: tuple[int, ...]
    """The first lines it was met in, from 1; a file as a whole is line 1."""
    times: int
    """How often it was met."""
    kind: str
    """The kind, in a few words."""
    text: str
    """What it was in the first of the lines, and what was made of it."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.lines[0]}: {self.text}"
        if self.times == 1:
            return f"{where}."
        others = ", ".join(str(line) for line in self.lines[1:])
        left = self.times - len(self.lines)
        more = f" and {left} more" if left else ""
        also = f"also line {others}{more}" if others else f"{self.times} times"
        return f"{where} ({also})."


@dataclass
class Dirt:
    """Collects the dirt of one file."""

    file: str
    """The file, as it may be shown."""
    _lines: dict[str, list[int]] = field(default_factory=dict)
    _times: dict[str, int] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    def note(self, line: int, kind: str, text: str) -> None:
        """Remember that `kind` was met in `line`; `text`, without a full stop, is kept of the first time."""
        self._texts.setdefault(kind, text)
        self._times[kind] = self._times.get(kind, 0) + 1
        lines = self._lines.setdefault(kind, [])
        if len(lines) < _MOST_LINES_SHOWN and line not in lines:
            lines.append(line)

    def warned(self) -> list[Warned]:
        """Give one warning for each kind, in the order of the lines."""
        found = [
            Warned(self.file, tuple(lines), self._times[kind], kind, self._texts[kind])
            for kind, lines in self._lines.items()
        ]
        return sorted(found, key=lambda warned: warned.lines[0])


def shown(path: Path) -> str:
    """Give a path so that it can be printed and recorded whatever bytes it is made of."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
