"""Pearson's chi-square test of an even spread. Pure; touches nothing.

scipy gives the same and takes 0.3 s to import, which every pytest run would pay.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRECISION: Final = 1e-15
_MOST_TERMS: Final = 10_000
_TINY: Final = 1e-300


def even_spread(counts: Sequence[int]) -> tuple[float, float]:
    """Give chi-square of the counts against equal ones, and the probability of at least that much by chance.

    Without counts, or with one, there is nothing to compare: (0, 1). Raises ValueError when a count is negative.
    """
    if any(count < 0 for count in counts):
        raise ValueError(f"a count is at least 0, and one of {list(counts)} is not")
    total = sum(counts)
    if len(counts) < 2 or total == 0:
        return 0.0, 1.0
    mean = total / len(counts)
    chi_square = sum((count - mean) ** 2 for count in counts) / mean
    return chi_square, survival(chi_square, len(counts) - 1)


def survival(chi_square: float, degrees: int) -> float:
    """Give P(X > chi_square) of a chi-square distribution: Q(degrees / 2, chi_square / 2).

    The regularized incomplete gamma function, by its series (DLMF 8.11.4) below a + 1 and by its continued fraction
    (DLMF 8.9.2, Lentz's method) above. Raises ValueError for less than one degree of freedom, or a value that is not a
    number.
    """
    if degrees < 1 or math.isnan(chi_square):
        raise ValueError(
            f"chi-square {chi_square} with {degrees} degrees of freedom has no probability: take at least one"
        )
    a, x = degrees / 2, chi_square / 2
    if x <= 0:
        return 1.0
    if math.isinf(x):
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    return max(0.0, 1.0 - front * _series(a, x)) if x < a + 1 else min(1.0, front * _fraction(a, x))


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for n in range(1, _MOST_TERMS):
        term *= x / (a + n)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _fraction(a: float, x: float) -> float:
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    result = d
    for n in range(1, _MOST_TERMS):
        step = n * (a - n)
        b += 2
        d = 1 / (step * d + b or _TINY)
        c = b + step / c or _TINY
        result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result
