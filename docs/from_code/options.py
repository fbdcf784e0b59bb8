"""The reference of options, from the one table they are all read from. Touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.from_code.markdown import plain
from pytest_kubelb.options import OPTIONS

if TYPE_CHECKING:
    from pytest_kubelb.options import Option


def all_options() -> str:
    """Give a section for each option: its help, and its names on the four ways to give it."""
    return "\n\n".join(map(_section, OPTIONS))


def _section(option: Option) -> str:
    form = option.flag if option.metavar is None else f"{option.flag} {option.metavar}"
    names = [f"ini `{option.ini}`", f"environment `{option.env}`"]
    if option.in_inventory:
        names.append(f"inventory `defaults.{option.key}`")
    return f"({option.ini})=\n## `{form}`\n\n{plain(option.help)}\n\nAlso: {', '.join(names)}."
