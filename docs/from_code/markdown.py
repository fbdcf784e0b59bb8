"""Pieces of Markdown: tables, definitions, code blocks. Text in, text out; touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Give `text` as one table cell: on one line, its pipes escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table; the cells may hold Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def plain(text: str) -> str:
    """Give a text that is no Markdown but for words in backticks, so that a page shows it as it is."""
    return "".join(f"\\{letter}" if letter in "\\*_[]<>$#" else letter for letter in text)


def block(code: str, language: str = "") -> str:
    """Give a code block."""
    return f"```{language}\n{code.rstrip()}\n```"
