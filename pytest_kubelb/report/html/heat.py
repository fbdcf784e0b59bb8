"""The heat maps of a report: CPU time, interrupts and softirqs of each CPU of each host, by point. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.delta import CPU_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.report.html.model import Delta, Evidence, Sheet

MOST_CELLS: Final = 400_000
"""Of all heat maps of a report, about 2 MB; with more, evenly chosen points are shown."""
MOST_ROWS: Final = 24
"""Of one table, the largest first."""
_ALWAYS: Final = ("usr", "sys", "soft", "idle")
TABLES: Final = (
    ("cpu_percent", "CPU time", "%"),
    ("softirqs_per_s", "Softirqs", "per second"),
    ("interrupts_per_s", "Interrupts", "per second"),
)
"""Field of HostDelta, what it is called, its unit."""


def maps(sheet: Sheet) -> dict[str, object]:
    """Give what the script draws: the points that have evidence, each with its hosts and their tables.

    `first` is the place of the point with the most requests/s, `left_out` the number of points for whose tables there
    was no room.
    """
    found = [
        (point.index, point.name, evidence)
        for session in sheet.sessions
        for point in session.points
        if (evidence := session.evidence.get(point.index)) is not None
    ]
    cells = sum(_cells(evidence) for _, _, evidence in found)
    step = max(math.ceil(cells / MOST_CELLS), 1)
    shown = found[::step]
    several = len(sheet.sessions) > 1
    busiest = max(range(len(shown)), key=lambda place: sheet.points[shown[place][0]].median or 0.0, default=0)
    return {
        "first": busiest,
        "points": [
            {
                "p": index,
                "name": f"{name}, {sheet.points[index].session}" if several else name,
                "run": evidence.run + 1,
                "hosts": [
                    {"host": host, "during": _tables(delta), "before": _tables(evidence.before.get(host, {}))}
                    for host, delta in sorted(evidence.hosts.items(), key=_role)
                ],
            }
            for index, name, evidence in shown
        ],
        "left_out": len(found) - len(shown),
    }


def _role(item: tuple[str, Delta]) -> tuple[int, str]:
    """Order the hosts: the load balancer counts for endpoints, the benchmarker knows its routes, then the others."""
    host, delta = item
    routes = delta.get("routes")
    asked = isinstance(routes, list | tuple) and any(routes)
    return (0 if delta.get("endpoints") else 1 if asked else 2), host


def _cells(evidence: Evidence) -> int:
    return sum(
        len(rows) * len(next(iter(rows.values())))
        for deltas in (evidence.hosts, evidence.before)
        for delta in deltas.values()
        for field, _, _ in TABLES
        if (rows := _rows(delta, field))
    )


def _tables(delta: Delta) -> list[dict[str, object]]:
    cpus = delta.get("cpus")
    columns = [str(cpu) for cpu in cpus] if isinstance(cpus, list | tuple) else []
    tables: list[dict[str, object]] = []
    for field, title, unit in TABLES:
        if rows := _rows(delta, field):
            longest = max(len(values) for values in rows.values())
            named = columns if len(columns) == longest else [str(cpu) for cpu in range(longest)]
            tables.append(
                {
                    "title": title,
                    "unit": unit,
                    "cpus": named,
                    "rows": [[name, [_short(value) for value in values]] for name, values in rows.items()],
                }
            )
    return tables


def _rows(delta: Delta, field: str) -> Mapping[str, Sequence[float]]:
    told = delta.get(field)
    if not isinstance(told, dict):
        return {}
    rows = {
        str(name): values
        for name, values in told.items()
        if isinstance(values, list | tuple) and all(isinstance(value, int | float) for value in values)
    }
    if field == "cpu_percent" and rows:
        nothing = [0.0] * max(map(len, rows.values()))  # rows of zeros are left out of the file
        return {
            f"%{state}": rows.get(state, nothing)
            for state in CPU_STATES
            if state in _ALWAYS or max(rows.get(state, nothing), default=0) >= 0.05
        }
    largest = sorted((name for name in rows if sum(rows[name])), key=lambda name: -sum(rows[name]))
    return {name: rows[name] for name in largest[:MOST_ROWS]}


def _short(value: float) -> float | int:
    """Give three digits: what a cell shows, and no more bytes than that."""
    if not math.isfinite(value):
        return 0
    rounded = round(value, 1) if value < 100 else round(value)
    return int(rounded) if rounded == int(rounded) else rounded
