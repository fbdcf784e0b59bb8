"""How long the rest of a session will take, from what its points and runs really took. Pure: it is told the times.

Three things are learned: what a run costs beyond its own duration, what a point costs beyond its runs (by what was
changed to get there), and how many runs a point gets for each that was planned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.matrix import RUN_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.matrix import Step


@dataclass
class _Mean:
    """A mean that costs the same to ask for however much went into it: a sweep has thousands of runs."""

    sum: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.sum += value
        self.count += 1

    def of(self, default: float) -> float:
        """Give the mean, or `default` of nothing."""
        return self.sum / self.count if self.count else default


class Timings:
    """The times of one session so far. Times are seconds of any one clock that does not go back."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._waiting = dict(enumerate(steps))
        self._step: Step | None = None
        self._started_s = self._mark_s = 0.0
        self._runs = _Mean()
        self._costs = _Mean()
        self._apart: dict[tuple[str, ...], _Mean] = {}
        self._shares = _Mean()

    def point_started(self, index: int, now_s: float) -> None:
        """Begin the step of this index in the plan."""
        self._step = self._waiting.pop(index, None)
        self._started_s = self._mark_s = now_s
        self._runs = _Mean()

    def runs_started(self, now_s: float) -> None:
        """Begin its runs: the point is ready."""
        self._mark_s = now_s

    def run_finished(self, now_s: float) -> None:
        """One more run of the point is over, a warm-up run included."""
        if self._step is not None:
            self._runs.add(now_s - self._mark_s)
            self._costs.add(now_s - self._mark_s - self._step.measurement.duration_s)
        self._mark_s = now_s

    def point_finished(self, now_s: float) -> None:
        """Learn from the point; one without a run (it was skipped, it could not be provisioned) teaches nothing."""
        step, self._step = self._step, None
        if step is None or not self._runs.count:
            return
        self._shares.add(self._runs.count / max(step.runs, 1))
        self._apart.setdefault(_kind(step), _Mean()).add(max(now_s - self._started_s - self._runs.sum, 0.0))

    def left_s(self, now_s: float) -> float | None:
        """Give the seconds from now to the end of the last point; None before the first run is over."""
        if not self._costs.count:
            return None
        share = self._shares.of(1.0)
        left_s = sum(
            self._apart_s(step) + step.runs * share * self._run_s(step) for step in self._waiting.values()
        )
        if self._step is not None:
            runs = max(self._step.runs * share - self._runs.count, 0.0)
            since_s = min(now_s - self._mark_s, self._run_s(self._step)) if runs else 0.0
            left_s += runs * self._run_s(self._step) - since_s
        return max(left_s, 0.0)

    def _run_s(self, step: Step) -> float:
        return max(step.measurement.duration_s + self._costs.of(RUN_S), 0.0)

    def _apart_s(self, step: Step) -> float:
        """Give what such a step cost, else what any did, else the plan's estimate."""
        if known := self._apart.get(_kind(step)):
            return known.of(0.0)
        # The first point opened the testbed, which no other will do.
        others = [mean for kind, mean in self._apart.items() if kind != _FIRST]
        count = sum(mean.count for mean in others)
        return sum(mean.sum for mean in others) / count if count else step.converge_s


_FIRST = ("first",)


def _kind(step: Step) -> tuple[str, ...]:
    if step.before is None:
        return _FIRST
    return ("pass",) if step.anew else tuple(sorted(step.changes))
