"""The one table of what is fuzzed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.fuzz import answers, asked, commands, files, told

if TYPE_CHECKING:
    from tests.fuzz.target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (
        *files.targets(),
        *answers.targets(),
        *told.targets(),
        *asked.targets(),
        *commands.targets(),
    )
}
"""Name -> target."""
