"""How much faster is one condition than another, from runs made in pairs? Touches nothing.

A pair is measured side by side (adjacent runs, or the same pass), so what drifts moves both and leaves their
ratio alone. The centre of the pairs' log ratios is their 20 % trimmed mean, with Student's interval from
the winsorised variance (Tukey and McLaughlin, Sankhya A 25, 1963; Yuen, Biometrika 61, 1974): from five pairs on, one
wild run neither moves the ratio nor widens its interval without bound, as it does for a mean.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Pairs: TypeAlias = Sequence[tuple[float, float]]

LEAST: Final = 0.025
"""Smallest difference that counts, a fraction: that of the regression gate."""
FEWEST_PAIRS: Final = 3
_TRIMMED: Final = 0.20
_POWER: Final = 0.80
_OF_THE_LOAD_BALANCER: Final = frozenset({None, "none", "unknown", "lb_cpu"})


@dataclass(frozen=True)
class Ratio:
    """The ratio a/b of the requests/s of two conditions. What cannot be computed is None."""

    ratio: float | None
    low: float | None
    """Lower end of the interval of the ratio."""
    high: float | None
    p: float | None
    """Two-sided probability of a ratio at least as far from 1 when neither is faster."""
    pairs: int
    """Pairs judged."""
    verdict: Literal["a_faster", "b_faster", "no_difference", "inconclusive", "not_judged"]
    mde: float | None
    """Smallest difference that four such comparisons in five would have found, a fraction."""
    least: float
    """Smallest difference that counts, a fraction."""
    reason: str | None = None
    """Why it is not judged, or not conclusive, in half a sentence."""


def judge(
    pairs: Pairs,
    *,
    least: float = LEAST,
    confidence: float = 0.95,
    ceilings: tuple[str | None, str | None] = (None, None),
) -> Ratio:
    """Judge the ratio a/b of pairs (a, b) of requests/s, in any order.

    - `a_faster` when the interval is above 1 and the ratio at least 1 + `least`; `b_faster` the other way round;
    - `no_difference` when the whole interval is nearer to 1 than `least`;
    - `not_judged` when `ceilings`, what limited a and b, has one that is not the load balancer (`link`, `client_cpu`,
      `worker_cpu` or any other word but `none`, `unknown` and `lb_cpu`): it would compare the ceiling with itself;
    - `inconclusive` else, as with fewer than three pairs.

    The ratio is on a logarithmic scale: b/a gives the mirrored verdict. A pair of zeros says nothing and is left
    out; one zero is a wild run like any other. Raises ValueError when a run is negative, infinite or not a
    number, or when `least` is not above 0.
    """
    if not (math.isfinite(least) and least > 0):
        raise ValueError(f"a smallest difference of {least} cannot be judged: it has to be above 0")
    for value in (value for pair in pairs for value in pair):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"a run of {value} cannot be judged: it has to be a finite number of at least 0")
    for name, ceiling in zip("ab", ceilings, strict=True):
        if ceiling not in _OF_THE_LOAD_BALANCER:
            reason = f"{name} is at a ceiling that is not the load balancer ({ceiling})"
            return Ratio(None, None, None, None, len(pairs), "not_judged", None, least, reason)
    logs = sorted(_log_ratio(a, b) for a, b in pairs if a > 0 or b > 0)
    cut = math.floor(_TRIMMED * len(logs))
    kept = logs[cut : len(logs) - cut]
    if not kept or math.isinf(kept[0]) or math.isinf(kept[-1]):
        reason = (
            "runs of 0 req/s are among more than a fifth of the pairs" if logs else "no pair has a response"
        )
        return Ratio(None, None, None, None, len(logs), "inconclusive", None, least, reason)
    if len(logs) < FEWEST_PAIRS:
        reason = f"{len(logs)} of the {FEWEST_PAIRS} pairs that an interval takes"
        centre = _exp(math.fsum(kept) / len(kept))
        return Ratio(centre, None, None, None, len(logs), "inconclusive", None, least, reason)
    return _judged(logs, kept, cut, least, confidence)


def by_pass(a: Mapping[int, Sequence[float]], b: Mapping[int, Sequence[float]]) -> list[tuple[float, float]]:
    """Pair two conditions by pass, given the valid rps of each of their passes: a pair of medians for each common pass.

    The runs of one pass share its provisioning and are one observation of its level; passes without a run are left out.
    """
    return [
        (statistics.median(a[each]), statistics.median(b[each]))
        for each in sorted(a)
        if a[each] and b.get(each)
    ]


def adjacent(runs: Sequence[tuple[str, float]]) -> list[tuple[float, float]]:
    """Pair runs named `a` or `b`, in the order in which they ran, each with its neighbour of the other name.

    A run belongs to one pair at most. Raises ValueError for another name.
    """
    if unknown := sorted({name for name, _ in runs} - {"a", "b"}):
        raise ValueError(f"a run named {unknown[0]!r} cannot be paired: its name has to be a or b")
    found, taken = [], False
    for (name, rps), (next_name, next_rps) in pairwise(runs):
        taken = not taken and name != next_name
        if taken:
            found.append((rps, next_rps) if name == "a" else (next_rps, rps))
    return found


def _log_ratio(a: float, b: float) -> float:
    if a == 0 or b == 0:
        return math.inf if a > 0 else -math.inf
    return math.log(a) - math.log(b)


def _judged(logs: Sequence[float], kept: Sequence[float], cut: int, least: float, confidence: float) -> Ratio:
    from scipy.special import stdtr, stdtrit

    df, centre = len(kept) - 1, math.fsum(kept) / len(kept)
    winsorised = [kept[0]] * cut + list(kept) + [kept[-1]] * cut
    middle = math.fsum(winsorised) / len(winsorised)
    squares = math.fsum((value - middle) ** 2 for value in winsorised)
    error = math.sqrt(
        squares / (len(kept) * df)
    )  # Yuen's: at five pairs it covers better than the one of 1963
    quantile = float(stdtrit(df, 0.5 + confidence / 2))
    p = 2 * float(stdtr(df, -abs(centre) / error)) if error > 0 else float(centre == 0)
    low, high, threshold = centre - quantile * error, centre + quantile * error, math.log1p(least)
    verdict = _verdict(low, centre, high, threshold)
    seen = max(quantile * error, threshold) + float(stdtrit(df, _POWER)) * error
    return Ratio(
        ratio=_exp(centre),
        low=_exp(low),
        high=_exp(high),
        p=p,
        pairs=len(logs),
        verdict=verdict,
        mde=_exp(seen) - 1,
        least=least,
        reason="its interval is too wide" if verdict == "inconclusive" else None,
    )


def _verdict(
    low: float, centre: float, high: float, threshold: float
) -> Literal["a_faster", "b_faster", "no_difference", "inconclusive"]:
    if low > 0 and centre >= threshold:
        return "a_faster"
    if high < 0 and centre <= -threshold:
        return "b_faster"
    return "no_difference" if -threshold < low and high < threshold else "inconclusive"


def _exp(value: float) -> float:
    return math.exp(min(max(value, -700.0), 700.0))  # what a float can hold
