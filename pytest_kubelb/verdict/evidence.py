"""Two hypotheses about a point's level are weighed: it fell by the limit or more, or it did not fall. Touches nothing.

A sequential test (Wald, Ann. Math. Stat. 16 (1945) 117) with a last stage: enough odds for the second is a pass;
enough for the first, confirmed by a fresh provisioning, is a regression; between them a point that is not above its
baseline is measured again.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pytest_kubelb.verdict import shift

Verdict: TypeAlias = Literal["pass", "regression", "retest", "inconclusive"]

MOST_CANDIDATES: Final = 3
"""The first measurement and two more: each narrows the candidate's side, but none the baseline's."""
CONFIRMED_ODDS: Final = {2: 8.0, 3: 1.6}
"""Odds for a drop that make a regression, by the candidate's provisionings.

The last has to decide, so it asks less; one before it stops only for what the last would hardly take back.
"""
UNKNOWN_DEARER: Final = 2.5
"""How many times these odds are asked for where no runs tell the scatter: sessions of one run, no neighbours."""
PASS_ODDS: Final = 8.0
"""Odds against a drop that make a pass: dearer than a regression, since nobody looks at a pass again."""
REDEPLOYMENT: Final = 2.5
"""Session-to-session SD over run-to-run SD: two to four on the testbeds looked at, and the posterior corrects it."""
REDEPLOYMENT_LOG_SD: Final = 0.5
"""How well that ratio is known (ln): a factor of 1.6 either way, so that two to four is the usual."""
QUIET: Final = 0.002
"""Levels move by 0.2 % even where runs do not scatter, as at a ceiling."""
UNKNOWN: Final = shift.Prior(math.log(0.016), 0.6)
"""Session-to-session SD where no session has two runs: 1.6 %, give or take a factor of 1.8."""


@dataclass(frozen=True)
class Evidence:
    """A point before it is judged: the levels of both sides (ln), and what they say."""

    baseline: shift.Group
    candidates: shift.Group
    moved: shift.Shift
    log_odds: float
    confirmed: bool
    """More than half of the candidate's provisionings, and each of two, lie below half of the limit on their own."""
    dearer: float
    """How many times the usual odds a regression takes."""

    @property
    def lower(self) -> bool:
        """Whether the candidate is below the baseline, as measured and as estimated: only that can be a drop."""
        measured = statistics.median(self.candidates.levels) - statistics.median(self.baseline.levels)
        return measured < 0 and self.moved.quantiles(0.5)[0] < 0

    def convicting(self, taken: int) -> float:
        """Give the log odds above which so many provisionings, two or three, make a regression."""
        return math.log(CONFIRMED_ODDS[taken] * self.dearer)


def prior(run_sd: float | None) -> shift.Prior:
    """Give what the run-to-run SD (ln) says about the session-to-session SD."""
    if run_sd is None:
        return UNKNOWN
    return shift.Prior(math.log(math.hypot(REDEPLOYMENT * run_sd, QUIET)), REDEPLOYMENT_LOG_SD)


def weigh(baseline: shift.Group, candidates: shift.Group, known: shift.Prior, max_drop: float) -> Evidence:
    """Weigh the levels of both sides against each other."""
    moved = shift.between(baseline, candidates, known)
    # The middle of the candidate's levels, and of two the better one: no single bad provisioning can confirm itself.
    own = statistics.median_high(candidates.levels) - statistics.median(baseline.levels)
    limit = math.log1p(-max_drop)
    confirmed = len(candidates.levels) > 1 and own < math.log1p(-max_drop / 2)
    dearer = UNKNOWN_DEARER if known.log_sd > REDEPLOYMENT_LOG_SD else 1.0
    return Evidence(baseline, candidates, moved, moved.log_odds(limit), confirmed, dearer)


def decide(evidence: Evidence) -> Verdict:
    """Decide about a point by its own sessions."""
    taken = min(len(evidence.candidates.levels), MOST_CANDIDATES)
    if evidence.log_odds < -math.log(PASS_ODDS):
        return "pass"
    if evidence.confirmed and evidence.log_odds > evidence.convicting(taken):
        return "regression"
    return "retest" if taken < MOST_CANDIDATES else "inconclusive"
