"""Do the runs of a point drift? Kendall's rank correlation of the runs with their order. Touches nothing.

Kendall, Rank Correlation Methods, 4th ed. 1970: S = concordant - discordant pairs, tau_b = S over the root
of the pairs not tied in either ranking. The order has no ties, so the null distribution of S with ties among
the runs is exact for any ties: the discordant pairs of a random arrangement are the inversions of a
permutation of a multiset, whose generating function is the Gaussian multinomial coefficient (MacMahon,
Combinatory Analysis, 1915; Stanley, Enumerative Combinatorics 1, prop. 1.7.1).
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, combinations
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_RUNS: Final = 2
SIGNIFICANT: Final = 0.05
"""A drift with a p below this is named."""
_MOST_EXACT: Final = 50


@dataclass(frozen=True)
class Drift:
    """A trend over the runs in the order in which they ran."""

    tau: float | None
    """Kendall's tau_b, -1 (falling) to 1 (rising); None when all runs are equal."""
    p: float
    """Two-sided probability of a tau at least as far from 0 without a trend."""
    change: float
    """How far it went, a fraction: median of the last third of the runs, less that of the first third, by the mean.

    The thirds are those of Cox and Stuart (Biometrika 42, 1955).
    """

    @property
    def direction(self) -> Literal["up", "down", "none"]:
        """`none` unless the trend is significant; fewer than five runs cannot show one."""
        if self.tau is None or self.p >= SIGNIFICANT:
            return "none"
        return "up" if self.tau > 0 else "down"


def judge(rps: Sequence[float]) -> Drift:
    """Judge the trend of at least two runs, in the order in which they ran.

    Exact up to 50 runs, with ties or without; beyond, the normal approximation. Raises ValueError with fewer
    than two runs, or when one is negative, infinite or not a number.
    """
    if len(rps) < FEWEST_RUNS or not all(math.isfinite(value) and value >= 0 for value in rps):
        raise ValueError(
            f"the trend of {len(rps)} runs cannot be judged: it takes {FEWEST_RUNS} finite numbers of at least 0"
        )
    if min(rps) == max(rps):
        return Drift(None, 1.0, 0.0)
    largest, third = max(rps), max(len(rps) // 3, 1)
    relative = [value / largest for value in rps]  # nothing overflows
    first, last = statistics.median(relative[:third]), statistics.median(relative[-third:])
    change = (last - first) / statistics.fmean(relative)
    tau, p = _exact(rps) if len(rps) <= _MOST_EXACT else _approximate(rps)
    return Drift(tau, p, change)


def _exact(rps: Sequence[float]) -> tuple[float, float]:
    ties = list(Counter(rps).values())
    pairs = math.comb(len(rps), 2)
    untied = pairs - sum(math.comb(count, 2) for count in ties)
    s = sum((later > earlier) - (later < earlier) for earlier, later in combinations(rps, 2))
    tau = s / math.sqrt(pairs * untied)
    if s == 0:
        return tau, 1.0
    # As many arrangements have few inversions as have many, so one tail is half of what is as extreme.
    tail = sum(_inversions(tuple(sorted(ties)))[: (untied - abs(s)) // 2 + 1])
    return tau, 2 * tail / _arrangements(ties)


def _approximate(rps: Sequence[float]) -> tuple[float, float]:
    # Half a second to import, and worth it only here: it counts a million runs in about a second.
    from scipy.stats import kendalltau

    found = kendalltau(range(len(rps)), rps, method="asymptotic")
    return float(found.statistic), float(found.pvalue)


def _arrangements(multiplicities: Sequence[int]) -> int:
    return math.factorial(sum(multiplicities)) // math.prod(map(math.factorial, multiplicities))


@lru_cache(maxsize=64)
def _inversions(multiplicities: tuple[int, ...]) -> list[int]:
    """Give in how many arrangements of a multiset 0, 1, 2 … pairs stand in the wrong order, up to half of the pairs.

    The coefficients of [n]!_q / product of [t]!_q, which are the same from either end: each factor 1 - q^k is
    multiplied in, or divided out. Points of a sweep have as many runs as each other, so it is asked for again.
    """
    total = sum(multiplicities)
    degree = math.comb(total, 2) - sum(math.comb(count, 2) for count in multiplicities)
    ways = [1] + [0] * (degree // 2)
    factors = Counter(range(1, total + 1))
    for count in multiplicities:
        factors.subtract(range(1, count + 1))
    for k, power in factors.items():
        for _ in range(power):
            ways = [*ways[:k], *(here - lower for here, lower in zip(ways[k:], ways, strict=False))]
        for _ in range(-power):
            for first in range(k):
                ways[first::k] = accumulate(ways[first::k])
    return ways
