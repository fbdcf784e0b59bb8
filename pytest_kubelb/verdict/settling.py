"""How many of the first runs are still warm-up? Touches nothing.

The leading runs are those that lie, every one of them, below what a next run like the later ones would be:
below the one-sided prediction bound of a single normal value (Hahn and Meeker, Statistical Intervals, 1991,
section 4.8), m - t s sqrt(1 + 1/n), from mean m and s of the logarithms of the n runs after them. A bound on
ranks would need twenty runs before a single low one could stand out; this needs four.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_LATER: Final = 3
"""Runs that have to be left for a spread of the steady state."""
FALSE_ALARMS: Final = 0.02
"""Share of the steady series of normal runs in which the first run is taken for warm-up."""
_LEAST: Final = 0.01


def first_steady(rps: Sequence[float], *, least: float = _LEAST) -> int:
    """Give the number of leading runs to treat as warm-up: the index of the first steady run.

    Never more than half of the runs, and none of fewer than four. A leading run is also at least `least` (a
    fraction) below the later ones, since at a ceiling the last digit is already significant.
    False alarms on independent runs of one distribution: 2 to 2.5 % when it is normal, up to 4 % when it is
    heavy-tailed (simulated for 4 to 30 runs; Laplace and Student's t with 3 degrees), less where `least` decides.
    Where any run may collapse, the first one does as often as the others and is then taken for warm-up: numbers
    alone cannot tell them apart.
    Raises ValueError when a run is negative, infinite or not a number.
    """
    if not all(math.isfinite(value) and value >= 0 for value in rps):
        raise ValueError("a run that is negative, infinite or not a number cannot be judged: leave it out")
    highest_before = [0.0, *accumulate(rps, max)]
    lowest_later, mean, squares = math.inf, 0.0, 0.0
    for later, start in enumerate(range(len(rps) - 1, 0, -1), start=1):
        lowest_later = min(lowest_later, rps[start])
        if lowest_later == 0:
            return 0
        # Welford's update (Technometrics 4, 1962): mean and sum of squares of the later runs, one more each time.
        step = math.log(rps[start]) - mean
        mean += step / later
        squares += step * (math.log(rps[start]) - mean)
        if start > len(rps) // 2 or later < FEWEST_LATER or highest_before[start] >= lowest_later:
            continue
        if highest_before[start] < _bound(mean, squares, later, least):
            return start
    return 0


def _bound(mean: float, squares: float, later: int, least: float) -> float:
    from scipy.special import stdtrit

    quantile = -float(stdtrit(later - 1, FALSE_ALARMS))
    margin = quantile * math.sqrt(squares / (later - 1) * (1 + 1 / later))
    return math.exp(mean - max(margin, -math.log1p(-least)))
