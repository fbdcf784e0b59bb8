"""Does the number repeat? The spread of the runs of one point, judged against a tolerance. Touches nothing.

Terms as in ISO 5725-1: the repeatability standard deviation s_r is that of runs under one provisioning, and
the repeatability limit r = 2.8 s_r (ISO 5725-6) is the difference that two such runs exceed in 5 % of cases.
The verdict is three-way, because a handful of runs leaves the CV itself uncertain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_kubelb.verdict import drift as drifts
from pytest_kubelb.verdict.collapse import COLLAPSED_BELOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Word: TypeAlias = Literal["repeatable", "unrepeatable", "inconclusive"]

FEWEST_RUNS: Final = 2
"""Valid runs that a spread needs."""
SESSION_SHARE: Final = 0.10
"""Share of unrepeatable points above which a whole session is."""
_REPEATABILITY_FACTOR: Final = 2.8
_MAD_OF_NORMAL: Final = 1.4826
_COLLAPSE_TOLERANCES: Final = 2
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
    verdict: Word
    cv_low: float | None = None
    """Lower one-sided bound of the CV at `confidence`, a fraction."""
    cv_high: float | None = None
    """Upper one-sided bound, likewise."""
    confidence: float = 0.90
    mad_raw: float | None = None
    """Median of the distances from the median."""
    mad_scaled: float | None = None
    """1.4826 times that: estimates s_r for normal runs, and does not see a few wild ones."""
    collapse_limit: float | None = None
    """Requests/s below which a run counts as collapsed."""
    collapsed: tuple[int, ...] = ()
    """Indices of those runs in the order given, from 0."""
    drift: drifts.Drift | None = None
    """Trend over the runs in the order given; None with fewer than two."""


def judge(
    rps: Sequence[float], *, tolerance: float, max_runs: int | None = None, confidence: float = 0.90
) -> Repeatability:
    """Judge the requests/s of a point's valid runs, in the order in which they ran.

    With the bounds of the CV at `confidence`, each one-sided:

    - `unrepeatable` when the lower bound is above `tolerance` (a fraction: 0.05 is 5 %), or when a run
      collapsed, which is to lie below 0.8 of the median (with a tolerance above 10 %: more than two tolerances
      below the median, since a run at 0.8 of it is then within the spread that was asked for);
    - `repeatable` when the upper bound is not above it, or when there are `max_runs` runs and the CV is not;
    - `inconclusive` else, and without a CV: fewer than two runs, or a mean of 0.

    `max_runs` None says that no more runs will come, however many there are. Only `collapsed` and `drift`
    depend on the order. Raises ValueError when a run, or the tolerance, is negative, infinite or not a
    number, or when the confidence is not above 0.5 and below 1.
    """
    _check(rps, tolerance, confidence)
    if not rps:
        return Repeatability(
            0,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            tolerance,
            "inconclusive",
            confidence=confidence,
        )
    minimum, maximum = float(min(rps)), float(max(rps))
    mean, s_r = _mean_and_s_r(rps, maximum)
    median = _median(rps)
    cv = None if s_r is None or mean == 0 else s_r / mean
    cv_low, cv_high = (None, None) if cv is None else cv_bounds(cv, len(rps), confidence)
    limit = min(COLLAPSED_BELOW, max(1 - _COLLAPSE_TOLERANCES * tolerance, 0.0)) * median
    collapsed = tuple(index for index, value in enumerate(rps) if value < limit)
    finished = max_runs is None or len(rps) >= max_runs
    mad = _median([abs(value - median) for value in rps])
    return Repeatability(
        runs=len(rps),
        mean=mean,
        median=median,
        s_r=s_r,
        cv=cv,
        minimum=minimum,
        maximum=maximum,
        range=maximum - minimum,
        repeatability_limit=None if s_r is None else _REPEATABILITY_FACTOR * s_r,
        tolerance=tolerance,
        verdict=_verdict(cv, (cv_low, cv_high), tolerance, bool(collapsed), finished),
        cv_low=cv_low,
        cv_high=cv_high,
        confidence=confidence,
        mad_raw=mad,
        mad_scaled=_MAD_OF_NORMAL * mad,
        collapse_limit=limit,
        collapsed=collapsed,
        drift=drifts.judge(rps) if len(rps) >= drifts.FEWEST_RUNS else None,
    )


def cv_bounds(cv: float, runs: int, confidence: float) -> tuple[float, float]:
    """Give the lower and the upper one-sided bound of a CV from `runs` runs, each at `confidence`.

    CV sqrt((n - 1) / chi2_c(n - 1)) and the same with chi2_{1 - c}: the interval of a standard deviation of
    normal values (Sheskin, Handbook of Parametric and Nonparametric Statistical Procedures, test 3; ISO
    2854), with the mean taken as known. A CV of a tenth moves by less than 1 % of itself through that
    (Vangel, The American Statistician 50, 1996).
    """
    from scipy.special import chdtri  # the quantile from the upper tail

    df = runs - 1
    low, high = (cv * math.sqrt(df / float(chdtri(df, tail))) for tail in (1 - confidence, confidence))
    return low, high


def session_verdict(verdicts: Iterable[Word], *, share: float = SESSION_SHARE) -> Word:
    """Give the verdict on a session from those on its points.

    `unrepeatable` when more than `share` of the points are; `inconclusive` when the inconclusive ones could
    still make it so, or when there is no point; `repeatable` else.
    """
    words = list(verdicts)
    sick, unsure = words.count("unrepeatable"), words.count("inconclusive")
    if sick > share * len(words):
        return "unrepeatable"
    return "inconclusive" if not words or sick + unsure > share * len(words) else "repeatable"


def sentence(point_id: str, rps: Sequence[float], repeatability: Repeatability) -> str:
    """Give the verdict on a point in words: runs, spread, limit, the runs themselves, what to do.

    `rps` are the valid runs in the order in which they ran.
    """
    judged = repeatability
    runs = f"{judged.runs} valid {'run' if judged.runs == 1 else 'runs'}"
    if judged.cv is None or judged.s_r is None or judged.mean is None:
        cause = (
            "none of them got a response"
            if judged.runs >= FEWEST_RUNS
            else f"a spread needs at least {FEWEST_RUNS}"
        )
        shown = f" ({_listed(rps)} req/s)" if rps else ""
        return (
            f"{point_id} is inconclusive: {runs}{shown}, and {cause}; "
            "look at why the other runs are not valid, or raise --kubelb-runs."
        )
    compared = "above" if judged.cv > judged.tolerance else "within"
    findings = [
        f"the CV of {runs} is {judged.cv:.2%}, {compared} the tolerance of {judged.tolerance:.2%}",
        *_uncertain(judged),
        *_collapses(rps, judged),
        *_drifting(judged),
    ]
    return (
        f"{point_id} is {judged.verdict}: {', '.join(findings)} (s_r {judged.s_r:.1f} req/s, "
        f"mean {judged.mean:.1f} req/s, runs {_listed(rps)} req/s){_remedy(judged)}."
    )


def _check(rps: Sequence[float], tolerance: float, confidence: float) -> None:
    for name, value in (("tolerance", tolerance), *(("run", value) for value in rps)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(
                f"a {name} of {value} cannot be judged: it has to be a finite number of at least 0"
            )
    if not 0.5 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} cannot be used: it has to be above 0.5 and below 1")


def _verdict(
    cv: float | None,
    bounds: tuple[float | None, float | None],
    tolerance: float,
    collapsed: bool,
    finished: bool,
) -> Word:
    low, high = bounds
    if cv is None or low is None or high is None:
        return "inconclusive"
    if collapsed or low > tolerance:
        return "unrepeatable"
    return "repeatable" if high <= tolerance or (finished and cv <= tolerance) else "inconclusive"


def _uncertain(judged: Repeatability) -> list[str]:
    if judged.verdict != "inconclusive":
        return []
    return [f"but so few runs leave it between {judged.cv_low:.2%} and {judged.cv_high:.2%}"]


def _collapses(rps: Sequence[float], judged: Repeatability) -> list[str]:
    if not judged.collapsed or not judged.median or judged.collapse_limit is None:
        return []
    first, *others = judged.collapsed
    more = f" and {len(others)} more" if others else ""
    depth, limit = rps[first] / judged.median, judged.collapse_limit / judged.median
    return [f"run {first + 1}{more} collapsed, to {depth:.0%} of the median, below {limit:.0%}"]


def _drifting(judged: Repeatability) -> list[str]:
    trend = judged.drift
    if trend is None or trend.direction == "none" or trend.tau is None:
        return []
    return [f"the runs drift {trend.direction} (Kendall's tau {trend.tau:.2f}, p {trend.p:.3f})"]


def _remedy(judged: Repeatability) -> str:
    if judged.verdict == "repeatable":
        return ""
    if judged.verdict == "inconclusive":
        return "; let it make more runs with --kubelb-max-runs, or lengthen --kubelb-duration"
    first = (
        "see what the evidence says of the collapse"
        if judged.collapsed
        else "see whether one run stands out or something else used the hosts"
    )
    return f"; {first}, lengthen --kubelb-duration, or raise --kubelb-tolerance if that spread is acceptable"


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


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(low + (high - low) / 2)  # their sum may overflow


def _listed(rps: Sequence[float]) -> str:
    runs = " ".join(f"{value:.0f}" if value >= 100 else f"{value:.1f}" for value in rps[:_MOST_RUNS_SHOWN])
    return runs if len(rps) <= _MOST_RUNS_SHOWN else f"{runs} … {len(rps) - _MOST_RUNS_SHOWN} more"
