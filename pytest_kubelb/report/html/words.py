"""Figures and names as the report shows them: separators, units, plurals. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_KNOWN = "not known"
_GAP = "\u00a0"  # a number and its unit stay on one line


def share(value: float | None, digits: int = 2) -> str:
    """Give a fraction as `4.87 %`."""
    return "-" if value is None else f"{100 * value:,.{digits}f}{_GAP}%"


def change(value: float | None) -> str:
    """Give a fraction with its sign: `+3.1 %`."""
    return "-" if value is None else f"{100 * value:+,.1f}{_GAP}%"


def time_us(value: float | None) -> str:
    """Give a time in the unit that suits it: `840 µs`, `12.4 ms`, `2.00 s`."""
    if value is None:
        return "-"
    if value < 1000:
        return f"{value:.0f}{_GAP}µs"
    if value < 1e6:
        return f"{value / 1e3:.1f}{_GAP}ms" if value < 1e5 else f"{value / 1e3:.0f}{_GAP}ms"
    return f"{value / 1e6:.2f}{_GAP}s"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Give `1 run`, `1,204 runs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def pods(count: int) -> str:
    """Give `1 pod`, `4 pods`."""
    return counted(count, "pod")


@lru_cache(maxsize=65_536)  # each run is asked for several times
def epoch_s(started: str) -> float | None:
    """Give the seconds since 1970 of an ISO 8601 time; None for another text. Without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(started)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def day_and_time(started: str) -> str:
    """Give an ISO 8601 time as `2017-05-03 00:36 UTC`; another text as it is."""
    seconds = epoch_s(started)
    if seconds is None:
        return started or "at an unknown time"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def condition(axes: Mapping[str, str | int]) -> str:
    """Give what a point has besides backend and pods: `vxlan, tuning rps`; what is not known is left out."""
    found = []
    for name, value in sorted(axes.items()):
        if name in ("backend", "pods") or value in ("unknown", ""):
            continue
        if name == "tuning" and value == "none":
            continue
        found.append(str(value) if name == "overlay" else f"{name} {value}")
    return ", ".join(found)
