"""How the scripts of tuning answer: sections that begin with a line `@@name`. Pure: touches nothing."""

from __future__ import annotations

from typing import Final

PATH_LINE: Final = "PATH=$PATH:/usr/sbin:/sbin; export PATH; LC_ALL=C; export LC_ALL"
"""Script line: an ordinary user's PATH may lack the folders of ethtool, ip and irqbalance; messages are read."""


def sections(text: str) -> dict[str, list[str]]:
    """Give the lines of each section; what stands before the first one is under the empty name."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in text.splitlines():
        if line.startswith("@@"):
            name = line[2:]
            found.setdefault(name, [])
        else:
            found[name].append(line)
    return found
