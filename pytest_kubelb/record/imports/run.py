"""One run as an imported file tells it, and which pass of a sweep it belongs to. Values; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.record.imports.dirt import Dirt

MOST_PODS: Final = 9999
"""A larger number at the place of a pod count is something else."""
Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Further axes: name and value."""


@dataclass(frozen=True)
class ImportedRun:
    """One run. What the file does not say is None."""

    line: int
    """Where in the file it begins."""
    pods: int | None
    labels: Labels
    started_s: float | None
    """Epoch."""
    ended_s: float | None
    """Epoch; None also when several runs share it."""
    command: str
    """The command line; empty when the file does not say it."""
    asked_s: float | None
    """How long wrk was to run."""
    result: WrkResult | None
    problem: str | None
    """Why there is no result, without a full stop."""

    @property
    def wall_s(self) -> float | None:
        """Seconds from start to end, where the file has both and they make sense."""
        if self.started_s is None or self.ended_s is None or self.ended_s < self.started_s:
            return None
        return self.ended_s - self.started_s


@dataclass
class Passes:
    """Numbers the sweeps within one file.

    Ten blocks of one pod count in a row are ten runs of one provisioning. A pod count that comes back after
    another one is a sweep that was appended, which is a further provisioning.
    """

    dirt: Dirt
    _last: tuple[int, Labels] | None = None
    _seen: dict[tuple[int, Labels], int] = field(default_factory=dict)

    def of(self, line: int, pods: int, labels: Labels) -> int:
        """Give the pass, from 1, of the run that begins in `line`; to be asked in the file's order."""
        key = (pods, labels)
        if key != self._last:
            self._seen[key] = self._seen.get(key, 0) + 1
            self._last = key
            if self._seen[key] > 1:
                self.dirt.note(
                    line,
                    "appended sweep",
                    f"{pods} pods again, after another pod count: taken as a further provisioning",
                )
        return self._seen[key]


def rate_only(rps: float, duration_s: float) -> WrkResult:
    """Give a result of which only the rate is known; everything that is not known is 0."""
    return WrkResult(
        rps=rps,
        requests=round(rps * duration_s),
        bytes=0,
        duration_s=duration_s,
        latency=Latency(0.0, 0.0, 0.0, {}),
        errors=SocketErrors(0, 0, 0, 0, 0),
    )


def axes(backend: str, pods: int, overlay: str, labels: Labels) -> Mapping[str, str | int]:
    """Give the axes of a point."""
    return {"backend": backend, "pods": pods, "overlay": overlay, **dict(labels)}
