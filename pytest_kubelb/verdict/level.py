"""From the runs of a session to its level, the one number the regression gate reckons with. Touches nothing.

A new deployment moves the level of a point two to four times more than its runs scatter, so the runs of one
session are one observation, not n. The level is the median of ln(rps): a unit is then a shift that cancels, and
one wild run in ten moves it by less than the runs' own scatter.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

MAD_TO_SD: Final = 1.4826
"""Median absolute deviation -> standard deviation of a normal distribution (1 / 0.6745)."""
DEAD_BELOW_LOWEST: Final = math.log(1000.0)
"""A session whose level is 0 req/s counts as this far (ln) below the lowest live session: 0 has no logarithm."""
_OF_TWO: Final = math.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class Level:
    """One session of one point."""

    log_rps: float
    """Median of ln(requests/s) over the runs; -inf when half of the runs or more gave 0 req/s."""
    deviations: Array = field(default_factory=lambda: np.empty(0))
    """|ln(rps) - level| of every run; none of a dead session."""

    @property
    def dead(self) -> bool:
        """Whether the session answered nothing."""
        return self.log_rps == -math.inf


def levels(sessions: Sequence[Sequence[float]], what: str) -> list[Level]:
    """Give the level of each session, in the order given. `what` names the sessions in an error.

    Raises ValueError for a session without runs, and for a run that is negative, infinite or not a number.
    """
    of_length: dict[int, list[int]] = {}
    for place, runs in enumerate(sessions):
        if not len(runs):
            raise ValueError(
                f"{what} session {place + 1} has no runs: give at least one, or leave the session out"
            )
        of_length.setdefault(len(runs), []).append(place)
    found: dict[int, Level] = {}
    for places in of_length.values():
        rps = np.asarray([sessions[place] for place in places], dtype=np.float64)
        good = np.isfinite(rps) & (rps >= 0)
        if not good.all():
            row, run = (int(index) for index in np.argwhere(~good)[0])
            raise ValueError(
                f"{what} session {places[row] + 1}, run {run + 1}: {rps[row, run]} requests/s cannot be judged: "
                "it has to be a finite number of at least 0"
            )
        found.update(zip(places, _levels(rps), strict=True))
    return [found[place] for place in range(len(sessions))]


def run_sd(sessions: Iterable[Level]) -> float | None:
    """Give the pooled run-to-run standard deviation of ln(rps) by the MAD; None when no session has two runs.

    Each session spends one degree of freedom on its own level, which takes its smallest deviation (that of the median
    run itself, for an odd number). Without it normal runs give their SD to 2 % (6 % for four runs); with it three runs
    gave 0.57 of it, and five 0.81. Two runs are as far from their middle as each other, 1 / sqrt(2) of the SD.
    """
    scattered = [
        np.sort(session.deviations)[1:] * (_OF_TWO if len(session.deviations) == 2 else 1.0)
        for session in sessions
        if len(session.deviations) > 1
    ]
    if not scattered:
        return None
    spread = MAD_TO_SD * float(np.median(np.concatenate(scattered)))
    return spread if math.isfinite(spread) else None


def alive(baseline: Sequence[Level], candidates: Sequence[Level]) -> tuple[list[float], list[float]] | None:
    """Give the levels of both sides with dead sessions far below the rest; None when most of the baseline is dead.

    Shifted so that the baseline's median is 0: the arithmetic that follows does not see the unit.
    """
    dead = sum(level.dead for level in baseline)
    if 2 * dead >= len(baseline):
        return None
    floor = min(level.log_rps for level in (*baseline, *candidates) if not level.dead) - DEAD_BELOW_LOWEST
    old, new = ([max(level.log_rps, floor) for level in side] for side in (baseline, candidates))
    centre = statistics.median(old)
    return [value - centre for value in old], [value - centre for value in new]


def _levels(rps: Array) -> list[Level]:
    """Give the level of each row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(rps)
        middles = np.median(logs, axis=1)
        deviations = np.abs(logs - middles[:, None])
    return [
        Level(middle) if middle == -math.inf else Level(middle, row)
        for middle, row in zip(middles.tolist(), deviations, strict=True)
    ]
