"""Which points of a sweep sit at a ceiling, from the spread alone? Touches nothing.

Where something passes a fixed number of bytes per second, runs no longer vary: on the published runs
a full 1 Gbit/s link gives CVs of 0.00 to 0.03 %, and everything else 0.4 % and more. Such a point repeats
perfectly and says nothing about the load balancer. The spread cannot say what the ceiling is.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_kubelb.verdict import repeatability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Key = TypeVar("Key")

BY_SPREAD: Final = "unnamed"
"""Its name where one is asked for; `verdict.ratio` takes it for a ceiling that is not the load balancer."""
LARGEST_CV: Final = 0.0005
TOP: Final = 0.97
"""Share of the sweep's highest level from which on a point is at its top."""
FEWEST_RUNS: Final = 3


@dataclass(frozen=True)
class Ceiling:
    """A point at a ceiling."""

    level: float
    """Median of its runs, requests/s."""
    cv: float
    """Of the runs that did not collapse, a fraction."""
    collapsed: tuple[int, ...]
    """Indices of the runs that did, from 0."""


def at_ceiling(
    sweep: Mapping[Key, Sequence[float]], *, largest_cv: float = LARGEST_CV, despite_collapses: bool = False
) -> dict[Key, Ceiling]:
    """Give the points of one sweep that sit at a ceiling, in the order given.

    `sweep` has the valid rps of each point of one testbed and overlay, of all its backends: those share the link.
    A point is at a ceiling when it has three runs or more, their CV is at most `largest_cv` (a fraction), and their
    median is within 3 % of the highest median of the sweep. A collapsed run takes the CV far above; with
    `despite_collapses` such runs are left out of it, and named. Raises ValueError when a run is
    negative, infinite or not a number.
    """
    judged = {key: repeatability.judge(rps, tolerance=largest_cv) for key, rps in sweep.items()}
    top = max((point.median for point in judged.values() if point.median is not None), default=0.0)
    found: dict[Key, Ceiling] = {}
    for key, point in judged.items():
        if point.median is None or point.median == 0 or point.median < TOP * top:
            continue
        steady = [rps for index, rps in enumerate(sweep[key]) if index not in point.collapsed]
        kept = steady if despite_collapses else sweep[key]
        if len(kept) < FEWEST_RUNS:
            continue
        cv = statistics.stdev(kept) / statistics.fmean(kept)
        if cv <= largest_cv:
            found[key] = Ceiling(point.median, cv, point.collapsed)
    return found
