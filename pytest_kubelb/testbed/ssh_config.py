"""Read an ssh_config and the files that it includes, as one text. Touches these files.

paramiko drops `Include` without a word. Here each one is replaced by the files it names, as ssh_config(5) has it. One
in a Host or Match block depends on the host that is asked for, which a text cannot say: it is refused.
"""

from __future__ import annotations

import dataclasses
import glob
import re
import shlex
from pathlib import Path
from typing import Final

from pytest_kubelb.errors import ConfigError

LARGEST: Final = 1 << 20
"""Characters of an ssh_config and all that it includes, each file as often as it is included."""
MOST_FILES: Final = 1000
MOST_LEVELS: Final = 16
"""OpenSSH's READCONF_MAX_DEPTH."""

_LINE: Final = re.compile(r"(\w+)(?:\s*=\s*|\s+)(.+)")  # as paramiko takes a line apart


def read(path: Path) -> str:
    """Give the text of `path`, every Include replaced by what it names. Raises ConfigError, with file and line."""
    return "".join(f"{line}\n" for line in _Reader().lines(path, 0))


@dataclasses.dataclass
class _Reader:
    files: int = 0
    size: int = 0

    def lines(self, path: Path, level: int) -> list[str]:
        found: list[str] = []
        block = ""
        for number, line in enumerate(self._text(path).split("\n"), start=1):
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                continue
            setting = _LINE.match(stripped)
            if setting is None:
                raise _unreadable(path, f"line {number} is no setting: {stripped[:80]!r}")
            key = setting[1].lower()
            if key != "include":
                block = stripped if key in ("host", "match") else block
                found.append(stripped)
                continue
            if block:
                raise ConfigError(
                    f"ssh_config {path}, line {number}: an Include inside a block ({block[:80]!r}) is not supported;"
                    " move it to the top of the file, before the first Host and Match"
                )
            if level == MOST_LEVELS:
                raise _unreadable(path, f"line {number}: Includes are more than {MOST_LEVELS} levels deep")
            for each in _named(path, number, setting[2]):
                found += self.lines(each, level + 1)
            found.append("Host *")  # a block of an included file ends with it
        return found

    def _text(self, path: Path) -> str:
        self.files += 1
        if self.files > MOST_FILES:
            raise _unreadable(
                path, f"it is the {self.files}th file that is included, {MOST_FILES} are the limit"
            )
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(LARGEST - self.size + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, str(error)) from error
        self.size += len(text)
        if self.size > LARGEST:
            raise _unreadable(path, f"with what is included it is longer than {LARGEST} characters")
        return text


def _named(path: Path, number: int, value: str) -> list[Path]:
    """Give the files that are there of an Include's patterns, in its order; relative ones are of ~/.ssh."""
    try:
        patterns = shlex.split(value, comments=True)
    except ValueError as error:
        raise _unreadable(path, f"line {number}: {error}") from error
    if not patterns:
        raise _unreadable(path, f"line {number}: Include names no file")
    found: list[Path] = []
    for pattern in patterns:
        if any(each in pattern for each in ("%", "${", "\0")):
            raise _unreadable(
                path, f"line {number}: tokens and variables in an Include are not expanded: {pattern!r}"
            )
        try:
            absolute = Path("~/.ssh").expanduser() / Path(pattern).expanduser()
        except RuntimeError as error:  # no such home
            raise _unreadable(path, f"line {number}: {error}") from error
        found += map(Path, sorted(glob.glob(str(absolute))))  # noqa: PTH207 - Path.glob takes no absolute pattern
    return found


def _unreadable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"ssh_config {path} cannot be read ({why}); give a readable OpenSSH client configuration"
    )
