"""Does the number repeat? The spread of the runs of one point, judged against a tolerance. Touches nothing.

Terms as in ISO 5725-1: the repeatability standard deviation s_r is that of runs under one provisioning, and
the repeatability limit r = 2.8 s_r (ISO 5725-6) is the difference that two such runs exceed in 5 % of cases.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_RUNS: Final = 2
"""Valid runs that a spread needs."""
_REPEATABILITY_FACTOR: Final = 2.8
_MOST_RUNS_SHOWN: Final = 40


@dataclass(frozen=True)
class Repeatability:
    """The spread of the valid runs of one point, in requests/s where nothing else is said.

    What cannot be computed is None: every figure without a run, s_r, r and CV with fewer than two, the CV at
    mean 0.
    """

    runs: int
    """Valid runs."""
    mean: float | None
    median: float | None
    s_r: float | None
    """Standard deviation with n - 1."""
    cv: float | None
    """s_r / mean, a fraction."""
    minimum: float | None
    maximum: float | None
    range: float | None
    """maximum - minimum."""
    repeatability_limit: float | None
    """2.8 s_r."""
    tolerance: float
    """Largest CV that counts as repeatable, a fraction."""
    verdict: Literal["repeatable", "unrepeatable", "inconclusive"]


def judge(rps: Sequence[float], *, tolerance: float) -> Repeatability:
    """Judge the requests/s of a point's valid runs, in any order.

    `unrepeatable` when the CV is above `tolerance` (a fraction: 0.05 is 5 %), `repeatable` when it is not,
    and `inconclusive` when there is no CV: fewer than two runs, or a mean of 0.
    Raises ValueError when a run, or the tolerance, is negative, infinite or not a number.
    """
    for name, value in (("tolerance", tolerance), *(("run", value) for value in rps)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(
                f"a {name} of {value} cannot be judged: it has to be a finite number of at least 0"
            )
    if not rps:
        return Repeatability(0, None, None, None, None, None, None, None, None, tolerance, "inconclusive")
    minimum, maximum = float(min(rps)), float(max(rps))
    mean, s_r = _mean_and_s_r(rps, maximum)
    cv = None if s_r is None or mean == 0 else s_r / mean
    return Repeatability(
        runs=len(rps),
        mean=mean,
        median=float(statistics.median(rps)),
        s_r=s_r,
        cv=cv,
        minimum=minimum,
        maximum=maximum,
        range=maximum - minimum,
        repeatability_limit=None if s_r is None else _REPEATABILITY_FACTOR * s_r,
        tolerance=tolerance,
        verdict="inconclusive" if cv is None else "unrepeatable" if cv > tolerance else "repeatable",
    )


def sentence(point_id: str, rps: Sequence[float], repeatability: Repeatability) -> str:
    """Give the verdict on a point in words: runs, spread, limit, the runs themselves, what to do.

    `rps` are the valid runs in the order in which they ran.
    """
    runs = f"{repeatability.runs} valid {'run' if repeatability.runs == 1 else 'runs'}"
    if repeatability.cv is None or repeatability.s_r is None or repeatability.mean is None:
        cause = (
            "none of them got a response"
            if repeatability.runs >= FEWEST_RUNS
            else f"a spread needs at least {FEWEST_RUNS}"
        )
        shown = f" ({_listed(rps)} req/s)" if rps else ""
        return (
            f"{point_id} is inconclusive: {runs}{shown}, and {cause}; "
            "look at why the other runs are not valid, or raise --kubelb-runs."
        )
    compared = "above" if repeatability.verdict == "unrepeatable" else "within"
    remedy = (
        "; see whether one run stands out or something else used the hosts, lengthen --kubelb-duration, "
        "or raise --kubelb-tolerance if that spread is acceptable"
    )
    return (
        f"{point_id} is {repeatability.verdict}: the CV of {runs} is {repeatability.cv:.2%}, {compared} "
        f"the tolerance of {repeatability.tolerance:.2%} (s_r {repeatability.s_r:.1f} req/s, "
        f"mean {repeatability.mean:.1f} req/s, runs {_listed(rps)} req/s)"
        f"{remedy if repeatability.verdict == 'unrepeatable' else ''}."
    )


def _mean_and_s_r(rps: Sequence[float], maximum: float) -> tuple[float, float | None]:
    """Give mean and standard deviation; fsum makes them independent of the order of the runs."""
    if maximum == 0:
        return 0.0, (0.0 if len(rps) >= FEWEST_RUNS else None)
    # Relative to the largest run nothing overflows, and identical runs are exactly 1, with a spread of 0.
    relative = [value / maximum for value in rps]
    mean = math.fsum(relative) / len(relative)
    if len(rps) < FEWEST_RUNS:
        return mean * maximum, None
    squares = math.fsum((value - mean) ** 2 for value in relative)
    return mean * maximum, math.sqrt(squares / (len(relative) - 1)) * maximum


def _listed(rps: Sequence[float]) -> str:
    runs = " ".join(f"{value:.0f}" if value >= 100 else f"{value:.1f}" for value in rps[:_MOST_RUNS_SHOWN])
    return runs if len(rps) <= _MOST_RUNS_SHOWN else f"{runs} … {len(rps) - _MOST_RUNS_SHOWN} more"
