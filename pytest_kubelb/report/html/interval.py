"""The interval of a median, without an assumption about how the runs scatter. Pure.

The k-th smallest and the k-th largest of n values enclose the median with probability 1 - 2 P(X < k), X binomial with
n trials of 1/2 (Thompson, Annals of Mathematical Statistics 7, 1936; David and Nagaraja, Order Statistics, 7.1).
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE: Final = 0.95
_MOST_EXACT: Final = 200
_NORMAL_QUANTILE: Final = 1.959964


@dataclass(frozen=True)
class Interval:
    """A median and what it lies between."""

    median: float
    low: float
    high: float
    coverage: float
    """Probability that the interval encloses the median: at least 0.95 from six values on, less with fewer."""


def of(values: Sequence[float]) -> Interval | None:
    """Give the interval of the median; None without a value. Fewer than six values give their range."""
    if not values:
        return None
    ordered = sorted(values)
    k, coverage = _rank(len(ordered))
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[-k], coverage)


@lru_cache(maxsize=1024)
def _rank(n: int) -> tuple[int, float]:
    """Give the largest k of at least 1 whose interval has the confidence, and the coverage it has."""
    if n > _MOST_EXACT:
        k = max(math.floor((n - _NORMAL_QUANTILE * math.sqrt(n)) / 2), 1)
        return k, CONFIDENCE
    tail, k = 2.0**-n, 1
    while k < n // 2 and 1 - 2 * (tail + math.comb(n, k) * 2.0**-n) >= CONFIDENCE:
        tail += math.comb(n, k) * 2.0**-n
        k += 1
    return k, max(1 - 2 * tail, 0.0)
