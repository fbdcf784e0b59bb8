"""Show checks as a table for people or as JSON for programs. Pure: gives text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pytest_kubelb.preflight.check import ORDER, Check, in_order, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SCHEMA_VERSION: Final = 1


def text(checks: Sequence[Check], testbed: str, seconds: float) -> str:
    """Give the table, failures first, each with what to do below it, and a line that sums up.

    Checks that went well on several hosts with the same words share a row.
    """
    rows = _shared(in_order(checks))
    shown = [(row.check, row.where, row.verdict, row.found) for row in rows]
    head = ("check", "where", "verdict", "found")
    widths = [max(len(row[column]) for row in (head, *shown)) for column in range(3)]
    lines = [_line(head, widths)]
    for row, cells in zip(rows, shown, strict=True):
        lines.append(_line(cells, widths))
        if row.remedy:
            lines.append(f"{' ' * (sum(widths) + 6)}-> {row.remedy}")
    counts = {verdict: sum(check.verdict == verdict for check in checks) for verdict in ORDER}
    told = f"{counts['fail']} failed, {counts['warning']} warnings, {counts['ok']} ok"
    ready = "not ready" if counts["fail"] else "ready"
    lines.append(f"\n{testbed} is {ready} for a session: {told}, in {seconds:.1f} s")
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, *cells[len(widths) :]]).rstrip()


def _shared(checks: Iterable[Check]) -> list[Check]:
    """Put together what went well in the same words: `k04, k05, k06` in place of three rows."""
    places: dict[Check, list[str]] = {}
    for check in checks:
        key = check if check.verdict != "ok" else Check(check.check, "", check.found, check.verdict)
        places.setdefault(key, []).append(check.where)
    return [
        Check(key.check, _names(where), key.found, key.verdict, key.remedy) for key, where in places.items()
    ]


def _names(where: Sequence[str]) -> str:
    names = list(dict.fromkeys(where))
    return ", ".join(names) if len(names) < 4 else f"{len(names)} places"


def as_json(checks: Sequence[Check], testbed: str, inventory: str, seconds: float) -> str:
    """Give one JSON object: `verdict` (the worst), and `checks` in the order of the table."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "testbed": testbed,
        "inventory": inventory,
        "verdict": worst(checks),
        "duration_s": round(seconds, 3),
        "checks": [vars(check) for check in in_order(checks)],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
