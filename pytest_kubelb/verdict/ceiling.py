"""Which points of a sweep sit at a ceiling, from the spread alone? Touches nothing.

Where something passes a fixed number of bytes per second, runs no longer vary: on the published runs
a full 1 Gbit/s link gives CVs of 0.00 to 0.03 %, and everything else 0.4 % and more. Such a point repeats
perfectly and says nothing about the load balancer. The spread cannot say what the ceiling is.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_kubelb.verdict.collapse import COLLAPSED_BELOW

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
    if wrong := [rps for runs in sweep.values() for rps in runs if not 0 <= rps < math.inf]:
        raise ValueError(f"a run of {wrong[0]!r} cannot be judged: requests/s are finite and not negative")
    medians = {key: statistics.median(runs) for key, runs in sweep.items() if runs}
    top = max(medians.values(), default=0.0)
    found: dict[Key, Ceiling] = {}
    for key, median in medians.items():
        if median == 0 or median < TOP * top:
            continue
        runs = sweep[key]
        collapsed = tuple(i for i, rps in enumerate(runs) if rps < COLLAPSED_BELOW * median)
        kept = [rps for i, rps in enumerate(runs) if not (despite_collapses and i in collapsed)]
        if len(kept) < FEWEST_RUNS:
            continue
        cv = statistics.stdev(kept) / statistics.fmean(kept)
        if cv <= largest_cv:
            found[key] = Ceiling(median, cv, collapsed)
    return found
