"""The parts of the reference that are read from the code, as Markdown. Reads the package; touches nothing else.

A page says `<!-- from the code: options -->` where the part belongs. Nothing that is made here is committed, so the
reference cannot fall behind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docs.from_code import commands, options, schemas, surface, values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARTS: Mapping[str, Callable[[], str]] = {
    "options": options.all_options,
    "marker": surface.marker,
    "fixtures": surface.fixtures,
    "hooks": surface.hooks,
    "values": values.all_values,
    "commands": commands.all_commands,
    "exit codes of pytest": surface.exit_codes,
    "schemas": schemas.all_schemas,
}
_MARK = re.compile(r"^<!-- from the code: (.+) -->$", re.MULTILINE)


def fill(page: str) -> str:
    """Give the Markdown of a page with every mark replaced by its part. Raises KeyError for an unknown part."""
    return _MARK.sub(lambda mark: PARTS[mark[1]](), page)
