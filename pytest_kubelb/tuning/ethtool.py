"""Queues, rings and coalescing of a NIC as ethtool(8) shows and sets them. Pure: touches nothing.

The text form is read: ethtool's JSON covers these commands only in recent versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOW: Final = {"channels": "-l", "rings": "-g", "coalesce": "-c"}
SET: Final = {"channels": "-L", "rings": "-G", "coalesce": "-C"}
"""Family -> option, in the order in which they are set: channels make the queues anew."""

_NOW = "Current hardware settings"
_NOT_THERE = re.compile(r"ethtool: (?:command )?not found")


@dataclass(frozen=True)
class Shown:
    """What ethtool showed of one family."""

    values: Mapping[str, str] = field(default_factory=dict)
    """Word, as ethtool is given it -> value; what the NIC does not have is left out."""
    most: Mapping[str, str] = field(default_factory=dict)
    """Word -> the largest value, of channels and rings."""
    refusal: str = ""
    """Why nothing was shown."""


def parse(text: str) -> Shown:
    """Read what `ethtool -l`, `-g` or `-c` printed, errors included."""
    values: dict[str, str] = {}
    most: dict[str, str] = {}
    into, said = values, []
    for line in text.splitlines():
        word, colon, value = line.partition(":")
        if line.startswith("Pre-set maximums"):
            into = most
        elif line.startswith(_NOW):
            into = values
        elif line.startswith("Adaptive RX:"):  # "Adaptive RX: off  TX: on"
            fields = line.replace(":", " ").split()
            if len(fields) == 5:
                values.update({"adaptive-rx": fields[2], "adaptive-tx": fields[4]})
        elif colon and _is_value(value.strip()):
            into[word.strip().lower().replace(" ", "-")] = value.strip()
        elif line.strip() and not line.endswith(":") and "n/a" not in value:
            said.append(line.strip())
    values = {word: value for word, value in values.items() if value != "n/a"}
    if _NOT_THERE.search(text):
        return Shown(refusal="ethtool is not installed")
    return Shown(values, most, "" if values else f"ethtool: {'; '.join(said)[:200] or 'it shows none'}")


def _is_value(text: str) -> bool:
    return (text.isascii() and text.isdecimal() and len(text) <= 18) or text in ("on", "off")
