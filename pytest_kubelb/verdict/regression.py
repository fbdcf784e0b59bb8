"""Did one point get slower than in earlier sessions? Levels in, verdict out. Touches nothing.

`pass`, `regression`, or `retest`: measure a point that is below its baseline again, provisioned anew, up to two more
times; what else is open is `inconclusive`. Every verdict has an interval, and the smallest drop that could have been
seen.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pytest_kubelb.verdict import evidence, level, shift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.verdict.evidence import Evidence, Verdict

MOST_SESSIONS: Final = 30
"""Newest sessions of a baseline that count: a hundred would narrow the interval by 1 %, and bring old drift in."""
_ONE_SIDED: Final = 0.95
_UNBOUNDED: Final = 1e9
"""Stands for what has no bound, so that every figure can be written as JSON."""


@dataclass(frozen=True)
class Regression:
    """What one point's candidate says against its baseline. Fractions: -0.05 is 5 % slower."""

    verdict: Verdict
    change: float
    """Posterior median."""
    low: float
    """Lower bound of the change, one-sided 95 %."""
    high: float
    """Upper bound of the change, one-sided 95 %."""
    mde: float
    """Smallest drop that would have been found in 19 of 20 cases, a fraction above 0; 1 when none would."""
    p: float
    """Probability that the point did not get slower."""
    odds: float
    """How many times likelier a drop of `max_drop` or more is than none; at most 1e9."""
    baseline_rps: float
    """Median of the sessions' levels, requests/s."""
    candidate_rps: float
    sessions: int
    """Baseline sessions that counted (K), the newest 30 at most."""
    candidates: int
    """Provisionings of the candidate (L)."""
    max_drop: float
    faster: bool
    """The candidate is faster than the baseline by more than half of `max_drop`: the baseline is stale."""


def judge(
    baseline: Sequence[Sequence[float]], candidates: Sequence[Sequence[float]], *, max_drop: float = 0.05
) -> Regression:
    """Judge a point's valid requests/s: one sequence per earlier session, and one per provisioning of this one.

    `max_drop` (a fraction) is the drop that must not pass. `retest` asks for one more provisioning of the point
    as a further candidate, never of one that is above its baseline. The order of runs and of sessions does not
    matter, nor does the unit. A run of 0 req/s counts as one; a session of which half of the runs or more are 0 is
    dead, and counts as a thousandth of the slowest live one. A baseline of which half is dead cannot be compared
    with: `inconclusive`.

    Raises ValueError when there is no baseline (that is not judged, and only the caller can say so), no
    candidate, a session without runs, a run that is not a finite number of at least 0, or a max_drop outside 0 to 1.
    """
    check_limit(max_drop)
    old, new = read(baseline, candidates)
    sides = level.alive(old, new)
    if sides is None:
        return dead_baseline(old, new, max_drop)
    known = evidence.prior(level.run_sd([*old, *new]))
    weighed = evidence.weigh(shift.group(sides[0]), shift.group(sides[1]), known, max_drop)
    return regression(evidence.decide(weighed), weighed, (old, new), max_drop)


def check_limit(max_drop: float) -> None:
    """Raise ValueError unless max_drop is a fraction that a drop can have."""
    if not 0 < max_drop < 1:
        raise ValueError(
            f"max_drop is {max_drop}: it has to be a fraction above 0 and below 1, such as 0.05 for 5 %"
        )


def read(
    baseline: Sequence[Sequence[float]], candidates: Sequence[Sequence[float]]
) -> tuple[list[level.Level], list[level.Level]]:
    """Give the levels of the newest sessions of the baseline, and of the candidate's provisionings.

    Raises ValueError when a side has no session, and as `level.levels` does.
    """
    if not len(baseline):
        raise ValueError("the baseline has no session: without one nothing can be judged")
    if not len(candidates):
        raise ValueError("there is no candidate session: give the runs of at least one provisioning")
    return level.levels(baseline, "baseline")[-MOST_SESSIONS:], level.levels(candidates, "candidate")


def regression(
    verdict: Verdict,
    weighed: Evidence,
    sessions: tuple[Sequence[level.Level], Sequence[level.Level]],
    max_drop: float,
) -> Regression:
    """Put a decision and its figures together."""
    moved = weighed.moved
    low, middle, high = moved.quantiles(1 - _ONE_SIDED, 0.5, _ONE_SIDED)
    slower = moved.below(0.0)
    return Regression(
        verdict=verdict,
        change=math.expm1(middle),
        low=math.expm1(low),
        high=math.expm1(high),
        mde=_smallest_seen(weighed, middle, middle - low, max_drop),
        p=1 - slower,
        odds=min(math.exp(min(weighed.log_odds, math.log(_UNBOUNDED))), _UNBOUNDED),
        baseline_rps=_rps(sessions[0]),
        candidate_rps=_rps(sessions[1]),
        sessions=len(sessions[0]),
        candidates=len(sessions[1]),
        max_drop=max_drop,
        faster=low > 0 and middle > -math.log1p(-max_drop / 2),
    )


def dead_baseline(
    baseline: Sequence[level.Level], candidates: Sequence[level.Level], max_drop: float
) -> Regression:
    """Give what can be said against a baseline of which half answered nothing: that it is no baseline."""
    return Regression(
        "inconclusive", 0.0, -1.0, _UNBOUNDED, 1.0, 1.0, 1.0, _rps(baseline), _rps(candidates),
        len(baseline), len(candidates), max_drop, faster=False,
    )  # fmt: skip


def _smallest_seen(weighed: Evidence, middle: float, half_width: float, max_drop: float) -> float:
    """Give the drop whose estimate clears the last threshold 19 times out of 20: what is open is measured again."""
    places = -np.geomspace(-math.log1p(-max_drop) / 4, 5.0, 80)
    log_odds = weighed.moved.log_odds_if_moved(math.log1p(-max_drop), places - middle)
    needed = weighed.convicting(evidence.MOST_CANDIDATES)
    half = math.log1p(-max_drop / 2)
    enough = (log_odds > needed) & (places < half)
    if not enough.any():
        return 1.0
    return -math.expm1(float(places[int(enough.argmax())]) - half_width)


def _rps(sessions: Sequence[level.Level]) -> float:
    return float(statistics.median(math.exp(session.log_rps) for session in sessions))


def sentence(point_id: str, judged: Regression) -> str:
    """Give a verdict in words: what, how much, the odds it rests on, the smallest drop seen, what to do."""
    against = counted(judged.sessions, "baseline session")
    if judged.baseline_rps == 0:
        return (
            f"{point_id} is inconclusive: half or more of its {against} answered nothing, so there is no level to "
            f"compare {judged.candidate_rps:.1f} req/s with; pin another baseline."
        )
    taken = counted(judged.candidates, "provisioning")
    return (
        f"{point_id} {WORDS[judged.verdict]}: {figures(judged)}, {taken} against {against}{remedy(judged)}."
    )


def figures(judged: Regression) -> str:
    """Give what a verdict rests on in words.

    The change is called estimated because it is: odd sessions count less in it than in the levels beside it.
    """
    seen = (
        "no drop could have been seen"
        if judged.mde >= 1
        else f"smallest drop that could be seen {judged.mde:.1%}"
    )
    return (
        f"{judged.candidate_rps:.1f} req/s against the baseline's {judged.baseline_rps:.1f}, "
        f"estimated change {judged.change:+.1%} ({judged.low:+.1%} to {judged.high:+.1%}), "
        f"{_odds(judged)}, {seen}"
    )


def remedy(judged: Regression) -> str:
    """Give what to do about a verdict, as the end of its sentence; a plain pass needs nothing."""
    stale = "; it is faster than the baseline, which is stale: pin a newer one" if judged.faster else ""
    if judged.verdict == "inconclusive" and judged.sessions == 1:
        return f"{stale}{_ONE_SESSION}"
    return f"{stale}{_REMEDIES[judged.verdict]}"


def counted(number: int, word: str) -> str:
    """Give a number of things in words."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


WORDS: Final = {
    "pass": "has not regressed",
    "regression": "has regressed",
    "retest": "is suspected",
    "inconclusive": "is inconclusive",
}
_REMEDIES: Final = {
    "pass": "",
    "regression": "; look for what changed since the baseline, or pin a new one if the drop is meant",
    "retest": "; measure it again, provisioned anew",
    "inconclusive": "; its level moves too much from session to session for this limit: add baseline sessions, "
    "steady the testbed, or raise --kubelb-max-drop",
}
_ONE_SESSION: Final = (
    "; one baseline session says too little about the level: "
    "add baseline sessions, or raise --kubelb-max-drop"
)
_MOST_TIMES: Final = 1000
"""Odds above that say nothing more: the model is not that good."""


def _odds(judged: Regression) -> str:
    """Say which of the two hypotheses the sessions favour: that, and not the change alone, makes the verdict."""
    drop = f"a drop of {judged.max_drop:.1%} or more"
    times = judged.odds if judged.odds >= 1 else 1 / max(judged.odds, 1 / _UNBOUNDED)
    if times < 1.05:
        return f"{drop} is as likely as none"
    said = f"{times:.1f}" if times < 9.95 else f"{times:.0f}"
    said = f"over {_MOST_TIMES}" if times > _MOST_TIMES else said
    return (
        f"{drop} is {said} times likelier than none"
        if judged.odds > 1
        else f"no drop is {said} times likelier than one of {judged.max_drop:.1%} or more"
    )
