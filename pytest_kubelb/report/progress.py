"""Where a session is: what the run loop tells, and the line that is shown of it. Touches nothing but what it is given.

The line changes when a run or a point ends, and never in between: nothing may use the machine while wrk runs.
It is ASCII, since it does not go through pytest's writer, which mends what a terminal cannot encode.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from pytest_kubelb.report.eta import Timings
from pytest_kubelb.text.spelling import rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_kubelb.matrix import Step
    from pytest_kubelb.record.sample import Sample

log = logging.getLogger(__name__)

_CLOCK_FROM_S: Final = 600
"""Seconds left from which on the time of day of the end is shown as well."""


class Line(Protocol):
    """A line of the terminal that can be shown again and again, and taken away."""

    def show(self, compose: Callable[[int], str]) -> None:
        """Show what `compose` gives for the columns there are, instead of what was shown."""

    def erase(self) -> None:
        """Take it away, and the cursor back to where it was."""


class Progress:
    """What the run loop of one session tells: points and runs that begin and end."""

    def __init__(
        self, steps: Sequence[Step], line: Line | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`line` None shows nothing; runs are logged all the same."""
        self._steps = steps
        self._line = line
        self._clock = clock
        self._timings = Timings(steps)
        self._done = 0
        self._id = ""
        self._runs = 0
        self._provisioning = 1
        self._valid = _Spread()

    def point_started(self, index: int) -> None:
        """Begin the step of this index in the plan: the testbed is brought to its point."""
        step = self._steps[index]
        self._id, self._runs = step.measurement.id, step.measurement.runs
        self._provisioning, self._valid = step.measurement.point.provisioning, _Spread()
        self._timings.point_started(index, self._clock())
        self._show(["being provisioned"])

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Show the line while the runs of the point are made, and take it away before anything else is printed."""
        self._timings.runs_started(self._clock())
        self._show(["measuring"])
        try:
            yield
        finally:
            self.stop()

    def run_finished(self, sample: Sample) -> None:
        """Show and log a run, which is in the record already."""
        self._timings.run_finished(self._clock())
        if sample.provisioning != self._provisioning:
            self._provisioning, self._valid = sample.provisioning, _Spread()
        if sample.validity == "valid" and sample.result is not None:
            self._valid.add(sample.result.rps)
        run = _run(sample, self._runs)
        rps = rate(sample.result.rps) if sample.result else "-"
        log.info("%s %s: %s req/s, %s%s", self._id, run, rps, sample.validity, _because(sample))
        word = [] if sample.validity == "warmup" else [sample.validity]
        self._show([run, f"{rps} req/s", *word, *self._valid.words()])

    def point_finished(self) -> None:
        """End the step: whatever follows is not about it."""
        self._timings.point_finished(self._clock())
        self._done += 1
        self.stop()

    def waiting(self, why: str) -> None:
        """Show why the point is not being provisioned yet."""
        self._show([why])

    def putting_back(self) -> None:
        """Show that the testbed is being put back, which follows the last point."""
        if self._line is not None:
            self._line.show(lambda width: "putting the testbed back"[: max(width - 1, 0)])

    def stop(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.erase()

    def _show(self, parts: Sequence[str]) -> None:
        if self._line is not None:
            left_s, now = self._timings.left_s(self._clock()), datetime.now().astimezone()
            done = f"{self._done}/{len(self._steps)}"
            self._line.show(lambda width: live_line(self._id, parts, done, left_s, width, now))


@dataclass
class _Spread:
    """The CV of the runs so far, which costs the same after each: a point may have ten thousand."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of the squared distances from the mean, after Welford (Technometrics 4, 1962)."""

    def add(self, rps: float) -> None:
        self.count += 1
        before = rps - self.mean
        self.mean += before / self.count
        self.squares += before * (rps - self.mean)

    def words(self) -> list[str]:
        if self.count < 2 or not self.mean:
            return []
        return [f"CV {math.sqrt(self.squares / (self.count - 1)) / self.mean:.2%}"]


def live_line(
    point_id: str, parts: Sequence[str], done: str, left_s: float | None, width: int, now: datetime
) -> str:
    """Give the line: the id, `parts` (run, rps, validity, spread), points done of all, and what is left.

    It is shorter than `width`. What goes first where that is narrow: the time of day, the words around the
    numbers, the spread, the validity of a valid run; and only then the end of the line.
    """
    left = [] if left_s is None else [f"{_short(left_s)} left"]
    until = (
        [] if left_s is None or left_s < _CLOCK_FROM_S else [f"until {now + timedelta(seconds=left_s):%H:%M}"]
    )
    lean = [part.removeprefix("run ").removesuffix(" req/s") for part in parts]
    bare = [part for part in lean[:3] if part != "valid"]
    brief = [] if left_s is None else [_short(left_s)]
    attempts = (
        "  ".join([point_id, *parts, f"{done} points done", *left, *until]),
        "  ".join([point_id, *parts, f"{done} points", *left]),
        " ".join([point_id, *parts, f"{done} points", *left]),
        " ".join([point_id, *lean, done, *left]),
        " ".join([point_id, *bare, done, *left]),
        " ".join([point_id, *bare, done, *brief]),
    )
    return next((text for text in attempts if len(text) < width), attempts[-1][: max(width - 1, 0)])


def _run(sample: Sample, runs: int) -> str:
    number = sample.run + 1
    if sample.validity == "warmup":
        return f"warm-up {number}"
    # --kubelb-max-runs and --kubelb-precision decide run by run how many there will be.
    return f"run {number}/{runs}" if number <= runs else f"run {number}/{runs}+"


def _because(sample: Sample) -> str:
    return f": {sample.reason}" if sample.reason else ""


def _short(seconds: float) -> str:
    """Give a time in at most six characters for less than a hundred hours: `9s`, `16m04s`, `7h42m`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
