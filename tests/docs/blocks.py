"""The fenced code blocks of a Markdown page. Text in, text out."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"^```(?P<language>[^\n`{]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Give the code of each block in `language`, in the order of the page."""
    return [match["code"] for match in _BLOCK.finditer(page) if match["language"].strip() == language]
