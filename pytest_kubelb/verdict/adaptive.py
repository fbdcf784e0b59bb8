"""Have enough runs been made at a point? Touches nothing.

A point may stop when the mean of ln(rps) is known to +-precision: Student's interval of a mean, whose s^2 is
moderated by what the baseline knows, (d0 s0^2 + (n - 1) s^2) / (d0 + n - 1) with d0 + n - 1 degrees of
freedom (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004, article 3). Without it,
three runs that happen to lie close together stop a point that is anything but steady. Nor may a point stop
away from the level it used to have: runs that collapsed alike lie close together as well.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.verdict import drift
from pytest_kubelb.verdict.collapse import COLLAPSED_BELOW
from pytest_kubelb.verdict.settling import first_steady

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_RUNS: Final = 3
"""Runs before which nothing is enough."""
PRIOR_DF: Final = 4
"""Runs, less one, that the baseline's s_r counts for beside those of the point itself."""
LEVEL_WITHIN: Final = 0.10
"""Distance from the baseline's level beyond which a point goes on: sessions differ less, collapses more."""


@dataclass(frozen=True)
class Prior:
    """What the baseline knows of the runs of a point."""

    s_r: float | None
    """Standard deviation of ln(rps) inside one provisioning, about the CV, a fraction; None when unknown."""
    df: float = PRIOR_DF
    """Degrees of freedom that it counts for."""
    level: float | None = None
    """Requests/s; None when unknown."""

    @classmethod
    def of(cls, sessions: Sequence[Sequence[float]]) -> Prior:
        """Give the prior from the valid rps of earlier sessions or provisionings, a sequence for each.

        The level is the median of their medians. s_r is pooled over them (ISO 5725-2, 7.4.5), without the runs that
        collapsed: they are not what a healthy run varies by. It never counts for more degrees of freedom than it has.
        Raises ValueError when a run is negative, infinite or not a number.
        """
        medians, squares, df = [], 0.0, 0
        for rps in sessions:
            _check(rps)
            if not rps or (median := statistics.median(rps)) == 0:
                continue
            medians.append(median)
            logs = [math.log(value) for value in rps if value >= COLLAPSED_BELOW * median]
            squares += statistics.pvariance(logs) * len(logs)
            df += len(logs) - 1
        level = statistics.median(medians) if medians else None
        return cls(math.sqrt(squares / df) if df else None, min(df, PRIOR_DF), level)


def enough(
    rps: Sequence[float],
    *,
    precision: float,
    prior: Prior | None = None,
    confidence: float = 0.95,
    level_within: float = LEVEL_WITHIN,
) -> bool:
    """Tell whether the valid runs of a point, in requests/s and any order, give its mean to +-`precision`.

    `precision` is a fraction (0.01 is 1 %), and half the width of the interval at `confidence`. Never with fewer than
    three runs, with a run of 0, or with a mean further than `level_within` from the prior's level. How
    many runs are made at most is for the caller to say. Raises ValueError when a run is negative, infinite or not a
    number, or when the precision is not above 0.
    """
    if not precision > 0:
        raise ValueError(f"a precision of {precision} cannot be reached: it has to be above 0")
    width = half_width(rps, prior=prior, confidence=confidence)
    if len(rps) < FEWEST_RUNS or width is None or width > precision:
        return False
    if prior is None or not prior.level:
        return True
    mean = math.fsum(math.log(value) for value in rps) / len(rps)
    return abs(math.expm1(mean - math.log(prior.level))) <= level_within


def half_width(rps: Sequence[float], *, prior: Prior | None = None, confidence: float = 0.95) -> float | None:
    """Give half the width of the interval of the mean of ln(rps): how well the mean is known, a fraction.

    None with fewer than two runs or a run of 0. Raises ValueError when a run is negative, infinite or not a number.
    """
    _check(rps)
    if len(rps) < 2 or min(rps) == 0:
        return None
    from scipy.special import stdtrit

    logs = [math.log(value) for value in rps]
    mean = math.fsum(logs) / len(logs)
    squares, df = math.fsum((value - mean) ** 2 for value in logs), float(len(logs) - 1)
    if prior is not None and prior.s_r is not None:
        squares, df = squares + prior.df * prior.s_r**2, df + prior.df
    return float(stdtrit(df, 0.5 + confidence / 2)) * math.sqrt(squares / df / len(logs))


def settling(rps: Sequence[float]) -> bool:
    """Tell whether the runs, in the order in which they ran, still rise: more warm-up is needed.

    True when they rise significantly (Kendall) after the leading low ones are taken away, or when those are as many as
    `settling.first_steady` may name, so that there could be more. On independent normal runs this is a false alarm in
    at most 5 % of the series. Raises ValueError when a run is negative, infinite or not a number.
    """
    _check(rps)
    low = first_steady(rps)
    later = rps[low:]
    rising = len(later) >= drift.FEWEST_RUNS and drift.judge(later).direction == "up"
    return rising or 0 < low == len(rps) // 2


def _check(rps: Sequence[float]) -> None:
    for value in rps:
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"a run of {value} cannot be judged: it has to be a finite number of at least 0")
