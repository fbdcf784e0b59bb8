"""Did a whole sweep get slower? Many points at once, and one aggregate over them. Touches nothing.

Thirty points at 2 % false alarms each are a false alarm in every second sweep, so a point is a regression only when
Holm's step-down test (Scand. J. Statist. 6 (1979) 65) holds over the sweep as well. A small drop everywhere is seen
first by the aggregate: one winsorised weighted mean over the points for each session, judged like a point. It is built
on first measurements, since only low points are measured again, and has to hold on what was measured later.
Points that lie beside each other in the mapping (the ladder of pod counts) tell about each other's scatter.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pytest_kubelb.verdict import evidence, level, regression, shift

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from pytest_kubelb.verdict.evidence import Evidence, Verdict
    from pytest_kubelb.verdict.regression import Regression

    Sessions = Sequence[Sequence[float]]

Key = TypeVar("Key", bound="Hashable")
"""What the caller names a point by."""

POINTS_LEVEL: Final = 0.02
"""Family-wise error of the points: half of 4 %, the other half is the aggregate's."""
SUSPECT_ODDS: Final = 1.5
"""A fresh provisioning is spent on a point for which a drop is clearly likelier than none, on no other."""
NEIGHBOURS: Final = 2
"""Points on either side whose scatter counts."""
NEIGHBOUR_LOG_SD: Final = 0.5
"""How far the scatter of neighbouring points differs (ln)."""
AGGREGATE_LIMIT: Final = 0.6
"""Drop of the aggregate that must not pass, as a share of a point's: 3 % where a point's is 5 %."""
FEWEST_AGGREGATED: Final = 5
"""Points that an aggregate needs to find a drop by itself: fewer do not confirm each other."""
COMMON: Final = 0.003
"""Session-to-session SD (ln) that the points share, beside their own: aggregates move by 0.05-1.5 %."""
COMMON_LOG_SD: Final = 0.5
AGGREGATE_ODDS: Final = 2.5
"""Odds for a drop of the aggregate: little, as for a point measured often, since its points confirm each other."""
RECOVERED_ODDS: Final = 2.0
"""Odds against a drop, with what was measured later, that acquit: above 1, since only low points are measured again."""
MOST_NAMED: Final = 6
"""Points that a sentence names."""
_WEIGHT_FLOOR: Final = 0.01
"""Scatter (ln) below which points weigh alike: no ceiling may carry the aggregate alone."""
_WINSOR_SCALES: Final = 3.0
"""A point counts as at most this many scales, and one limit, from the middle point of its session."""


@dataclass(frozen=True)
class Sweep(Generic[Key]):
    """The verdicts on a sweep."""

    points: Mapping[Key, Regression]
    overall: Regression
    """The aggregate's figures; its verdict is `regression` if a point's is, and `retest` while a point asks for one.

    `candidates` is the most provisionings that a point has. Use `sentence`: points convict by their own figures.
    """
    convicted: tuple[Key, ...] = ()
    """The points that are a regression by themselves."""
    fell: bool = False
    """The aggregate is a regression by itself."""


@dataclass(frozen=True)
class _Live:
    old: Sequence[level.Level]
    new: Sequence[level.Level]
    baseline: shift.Group
    candidates: shift.Group

    @property
    def by_itself(self) -> shift.Prior:
        """What the point's own runs say of its scatter."""
        return evidence.prior(level.run_sd([*self.old, *self.new]))


@dataclass(frozen=True)
class _Point:
    live: _Live
    weighed: Evidence


def judge_sweep(cells: Mapping[Key, tuple[Sessions, Sessions]], *, max_drop: float = 0.05) -> Sweep[Key]:
    """Judge the points of a sweep, each as (baseline, candidates) like `regression.judge`, in ladder order.

    Sessions are matched over the points from the newest backwards. A point that is neither a pass nor suspected
    of a drop is `inconclusive`, and is not measured again. Raises ValueError as `regression.judge` does, naming
    the point, and for a sweep without points.
    """
    regression.check_limit(max_drop)
    if not cells:
        raise ValueError("the sweep has no points: give at least one")
    read = {key: _read(key, *sessions) for key, sessions in cells.items()}
    live = {
        key: _Live(old, new, shift.group(sides[0]), shift.group(sides[1]))
        for key, (old, new) in read.items()
        if (sides := level.alive(old, new)) is not None
    }
    priors = _moderated(live)
    points = {
        key: _Point(each, evidence.weigh(each.baseline, each.candidates, priors[key], max_drop))
        for key, each in live.items()
    }
    verdicts = _verdicts(points)
    judged: dict[Key, Regression] = {}
    for key, (old, new) in read.items():
        judged[key] = (
            regression.regression(verdicts[key], points[key].weighed, (old, new), max_drop)
            if key in points
            else regression.dead_baseline(old, new, max_drop)
        )
    overall, fell = _overall(judged, list(points.values()), max_drop)
    convicted = tuple(key for key, point in judged.items() if point.verdict == "regression")
    return Sweep(judged, overall, convicted, fell)


def sentence(label: str, sweep: Sweep[Key], names: Callable[[Key], str] = str) -> str:
    """Give the verdict on a sweep in words, with the figures of what it rests on: the aggregate, or single points."""
    overall, size = sweep.overall, len(sweep.points)
    taken = regression.counted(sum(point.candidates for point in sweep.points.values()), "provisioning")
    of = f"{taken} of {regression.counted(size, 'point')} against"
    if overall.baseline_rps == 0:
        return (
            f"{label} is inconclusive: at each of its {regression.counted(size, 'point')} half or more of the "
            "baseline sessions answered nothing, so there is no level to compare with; pin another baseline."
        )
    named = {"regression": sweep.convicted, "retest": _retested(sweep)}.get(overall.verdict, ())
    word = regression.WORDS[overall.verdict]
    if named and not sweep.fell:
        worst = min(named, key=lambda key: sweep.points[key].change)
        point = sweep.points[worst]
        which = "" if len(named) == 1 else f" ({_listed(map(names, named))})"
        sessions = regression.counted(point.sessions, "baseline session")
        return (
            f"{label} {word} at {len(named)} of {regression.counted(size, 'point')}{which}, "
            f"{'namely' if len(named) == 1 else 'worst'} {names(worst)}: {regression.figures(point)}, "
            f"{of} {sessions}{_remedy(overall)}."
        )
    also = f", and by themselves {_listed(map(names, sweep.convicted))}" if sweep.convicted else ""
    sessions = regression.counted(overall.sessions, "baseline session")
    return (
        f"{label} {word} over its points together{also}: {regression.figures(overall)}, "
        f"{of} {sessions}{_remedy(overall)}."
    )


def _retested(sweep: Sweep[Key]) -> tuple[Key, ...]:
    return tuple(key for key, point in sweep.points.items() if point.verdict == "retest")


def _remedy(overall: Regression) -> str:
    if overall.verdict == "retest":
        return "; measure what is suspected again, provisioned anew"
    # A sweep that is slower at a point is not stale because the others are faster.
    return regression.remedy(replace(overall, faster=overall.faster and overall.verdict != "regression"))


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - MOST_NAMED
    return ", ".join(every[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _read(key: Key, baseline: Sessions, candidates: Sessions) -> tuple[list[level.Level], list[level.Level]]:
    try:
        return regression.read(baseline, candidates)
    except ValueError as error:
        raise ValueError(f"point {key}: {error}") from error


def _moderated(points: Mapping[Key, _Live]) -> dict[Key, shift.Prior]:
    """Give each point's prior: what its runs say, and what the baselines of its neighbours say."""
    own = {key: point.by_itself for key, point in points.items()}
    seen = [shift.scale(point.baseline, own[key]) for key, point in points.items()]
    moderated = {}
    for place, (key, prior) in enumerate(own.items()):
        near = range(max(0, place - NEIGHBOURS), min(len(seen), place + NEIGHBOURS + 1))
        others = [seen[other] for other in near if other != place]
        precision = 1 / prior.log_sd**2
        total = prior.log_mean * precision
        if others:
            # The neighbours' own uncertainty shrinks with their number, the difference between points does not.
            variance = NEIGHBOUR_LOG_SD**2 + statistics.fmean(sd**2 for _, sd in others) / len(others)
            precision += 1 / variance
            total += statistics.fmean(mean for mean, _ in others) / variance
        moderated[key] = shift.Prior(total / precision, precision**-0.5)
    return moderated


def _verdicts(points: Mapping[Key, _Point]) -> dict[Key, Verdict]:
    """Decide about each point; a regression also has to hold over the sweep, by the point's own sessions alone.

    Neighbours may acquit and may cast suspicion. They do not convict: the ends of a ladder differ from its middle.
    """
    decided = {key: evidence.decide(point.weighed) for key, point in points.items()}
    slower = {
        key: _p_by_itself(points[key].live) for key, verdict in decided.items() if verdict == "regression"
    }
    holds = _holm(slower, len(points))
    verdicts: dict[Key, Verdict] = {}
    for key, verdict in decided.items():
        more = len(points[key].live.new) < evidence.MOST_CANDIDATES
        weighed = points[key].weighed
        suspected = weighed.log_odds > math.log(SUSPECT_ODDS) and weighed.lower
        if verdict == "pass" or key in holds:
            verdicts[key] = verdict
        else:
            verdicts[key] = "retest" if more and suspected else "inconclusive"
    return verdicts


def _p_by_itself(point: _Live) -> float:
    return 1 - shift.between(point.baseline, point.candidates, point.by_itself).below(0.0)


def _holm(p: Mapping[Key, float], tests: int) -> set[Key]:
    """Give the hypotheses that fall at the family-wise level; those not in `p` have the largest p."""
    falls: set[Key] = set()
    for rank, key in enumerate(sorted(p, key=lambda key: p[key])):
        if p[key] > POINTS_LEVEL / (tests - rank):
            break
        falls.add(key)
    return falls


def _overall(
    judged: Mapping[Key, Regression], points: Sequence[_Point], max_drop: float
) -> tuple[Regression, bool]:
    """Give the verdict on the sweep with the aggregate's figures, and whether the aggregate convicts by itself."""
    if not points:
        return next(iter(judged.values())), False
    limit = AGGREGATE_LIMIT * max_drop
    # Only low points are measured again: their later values would pull the aggregate up.
    together = _aggregate(points, max_drop, _first)
    dropped = len(points) >= FEWEST_AGGREGATED and together.log_odds > math.log(AGGREGATE_ODDS)
    fell = dropped and _aggregate(points, max_drop, _later).log_odds > -math.log(RECOVERED_ODDS)
    if dropped and not fell:
        together = _aggregate(points, max_drop, statistics.median)
    found = {each.verdict for each in judged.values()}
    verdict: Verdict = "inconclusive"
    if "regression" in found or fell:
        verdict = "regression"
    elif "retest" in found:
        verdict = "retest"
    elif together.log_odds < -math.log(evidence.PASS_ODDS):
        verdict = "pass"
    # More than half of a live baseline is live, so the higher of two middle levels is.
    centre = statistics.fmean(statistics.median_high(old.log_rps for old in each.live.old) for each in points)
    baseline, candidates = together.baseline.levels, together.candidates.levels
    sides = (
        [level.Level(centre + value) for value in baseline],
        [level.Level(centre + value) for value in candidates],
    )
    most = max(each.candidates for each in judged.values())
    return replace(regression.regression(verdict, together, sides, limit), candidates=most), fell


def _first(levels: Sequence[float]) -> float:
    return levels[0]


def _later(levels: Sequence[float]) -> float:
    """Give what was measured again, and where nothing was what there is."""
    return statistics.median(levels[1:] or levels)


def _aggregate(
    points: Sequence[_Point], max_drop: float, chosen: Callable[[Sequence[float]], float]
) -> Evidence:
    """Weigh the winsorised weighted means over the points (ln), of each baseline session and the candidate.

    `chosen` makes one level of a point's provisionings. What is known of the means' scatter is that of the points'
    own, shrunk by their number, and what they share.
    """
    scales = [math.exp(each.weighed.moved.log_scale) for each in points]
    weights = [1 / (scale**2 + _WEIGHT_FLOOR**2) for scale in scales]
    values = [[*each.live.baseline.levels, chosen(each.live.candidates.levels)] for each in points]
    means = []
    for back in range(max(len(each) for each in values), 0, -1):
        there = [
            (each[-back], scale, w)
            for each, scale, w in zip(values, scales, weights, strict=True)
            if len(each) >= back
        ]
        middle = statistics.median(value for value, _, _ in there)
        total = 0.0
        for value, scale, weight in there:
            bound = _WINSOR_SCALES * scale - math.log1p(-max_drop)
            total += weight * min(max(value, middle - bound), middle + bound)
        means.append(total / sum(weight for _, _, weight in there))
    own = math.sqrt(sum((weight * scale) ** 2 for weight, scale in zip(weights, scales, strict=True)))
    scatter = math.hypot(COMMON, own / sum(weights))
    known = shift.Prior(math.log(scatter), COMMON_LOG_SD)
    sides = shift.group(means[:-1]), shift.group(means[-1:])
    return evidence.weigh(*sides, known, AGGREGATE_LIMIT * max_drop)
