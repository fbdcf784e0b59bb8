"""How far has the level moved? The posterior of the change between two groups of sessions. Touches nothing.

Model, all in ln(rps): the sessions of the baseline scatter around m, those of the candidate around m + D, both
with the same session-to-session scale s, as Student's t with 3 degrees of freedom: heavy tails, because an odd
session now and then must neither hide nor fake a change (Lange, Little, Taylor, "Robust
statistical modeling using the t distribution", JASA 84 (1989) 881). Half of it is wider than the other: interference
only slows, so sessions fall further below the level than above (skewed as by Fernandez and Steel, "On Bayesian
modeling of fat tails and skewness", JASA 93 (1998) 359). m and D are flat; ln s has a normal prior that the caller
takes from the runs and, in a sweep, from the neighbouring points (empirical Bayes, as Smyth, Stat. Appl. Genet. Mol.
Biol. 3 (2004) 3). All is integrated on a grid; given s, D is close to normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

_NU: Final = 3.0
_SKEW: Final = math.sqrt(1.5)
"""s is this much wider below the level, and narrower above. 1.5 between the two is the likeliest on 321 bare-metal
points (1.75 on 38 cloud points), as are the 3 degrees of freedom."""
_SCALES: Final = np.geomspace(0.0015, 0.3, 16)[:, None]
"""Session-to-session SDs that are considered: 0.15 % (below that nothing is decided) to 30 %."""
_LOG_SCALES: Final = np.log(_SCALES)
_OFFSETS: Final = 0.8 * np.sinh(np.linspace(-3.2, 3.2, 61))[None, :]
"""Where the level of a group may lie, in scales from its median: dense in the middle, out to 9.8."""
_CELLS: Final = np.gradient(_OFFSETS[0])[None, :]
_CHUNK: Final = 30
"""Factors multiplied before a logarithm is taken: 30 of at most 1e8 stay within a float."""
_NEGLIGIBLE: Final = 1e-12
_STEPS: Final = np.linspace(-8.0, 8.0, 81)


@dataclass(frozen=True)
class Prior:
    """What is known of ln s before the sessions are looked at: a normal distribution."""

    log_mean: float
    log_sd: float


@dataclass(frozen=True)
class Group:
    """Sessions around one centre: what they say at each scale."""

    levels: Sequence[float]
    means: Array
    """Posterior mean of the centre."""
    variances: Array
    log_evidence: Array


@dataclass(frozen=True)
class Shift:
    """The posterior of D (ln): a mixture of normals, one for each scale that is considered."""

    means: Array
    sds: Array
    weights: Array
    log_scale: float
    """Posterior mean of ln s."""
    grid: Array
    """Ascending values of D that cover the posterior; moves with it."""
    log_density: Array

    def below(self, value: float) -> float:
        """Give P(D < value)."""
        scaled = (value - self.means) / self.sds
        return float(
            sum(w * 0.5 * math.erfc(-z * math.sqrt(0.5)) for w, z in zip(self.weights, scaled, strict=True))
        )

    def quantiles(self, *probabilities: float) -> list[float]:
        """Give the D below which the posterior has each of the probabilities."""
        density = np.exp(self.log_density)
        steps = np.diff(self.grid) * (density[1:] + density[:-1]) / 2
        cumulated = np.concatenate([[0.0], np.cumsum(steps)])
        return [float(np.interp(p * cumulated[-1], cumulated, self.grid)) for p in probabilities]

    def log_odds(self, limit: float) -> float:
        """Give ln of how much likelier a D of at most `limit` (< 0) is than one of at least 0, each at its best."""
        return float(self.log_odds_if_moved(limit, np.zeros(1))[0])

    def log_odds_if_moved(self, limit: float, moved: Array) -> Array:
        """Give `log_odds` for the same sessions with the candidate moved by each of `moved` (ln).

        Both envelopes are monotone, so the odds never fall when the candidate does.
        """
        rising = np.maximum.accumulate(self.log_density)
        falling = np.maximum.accumulate(self.log_density[::-1])[::-1]
        slow = np.where(
            limit - moved < self.grid[0],
            np.minimum(self._log_density_at(limit - moved), rising[0]),
            np.interp(limit - moved, self.grid, rising),
        )
        fast = np.where(
            -moved > self.grid[-1],
            np.minimum(self._log_density_at(-moved), falling[-1]),
            np.interp(-moved, self.grid, falling),
        )
        return np.asarray(slow - fast)

    def _log_density_at(self, values: Array) -> Array:
        return _mixture(values, self.means, self.sds, self.weights)


def group(levels: Sequence[float]) -> Group:
    """Weigh the levels (ln) of sessions that share their centre, at each scale."""
    values = np.asarray(levels, dtype=np.float64)
    places = np.median(values) + _OFFSETS * _SCALES
    log_likelihood = np.zeros_like(places)
    for start in range(0, len(values), _CHUNK):
        scaled = (values[start : start + _CHUNK, None, None] - places) / _SCALES
        scaled = np.where(scaled < 0, scaled / _SKEW, scaled * _SKEW)
        log_likelihood -= (_NU + 1) / 2 * np.log((1 + scaled**2 / _NU).prod(axis=0))
    log_likelihood -= (len(values) - 1) * _LOG_SCALES  # one scale back: a cell of the grid is that wide
    top = log_likelihood.max(axis=1, keepdims=True)
    mass = np.exp(log_likelihood - top) * _CELLS
    total = mass.sum(axis=1)
    means = (mass * places).sum(axis=1) / total
    variances = (mass * (places - means[:, None]) ** 2).sum(axis=1) / total
    return Group(levels, means, variances, top[:, 0] + np.log(total))


def between(baseline: Group, candidates: Group, prior: Prior) -> Shift:
    """Give the posterior of the change from the baseline's level to the candidate's."""
    weights = _normalised(_log_prior(prior) + baseline.log_evidence + candidates.log_evidence)
    keep = weights > _NEGLIGIBLE
    means = (candidates.means - baseline.means)[keep]
    sds = np.sqrt(candidates.variances + baseline.variances)[keep]
    weights = weights[keep]
    log_scale = float(weights @ _LOG_SCALES[keep, 0])
    grid = _grid(means, sds, weights)
    return Shift(means, sds, weights, log_scale, grid, _mixture(grid, means, sds, weights))


def scale(sessions: Group, prior: Prior) -> tuple[float, float]:
    """Give posterior mean and SD of ln s from one group."""
    weights = _normalised(_log_prior(prior) + sessions.log_evidence)
    mean = float(weights @ _LOG_SCALES[:, 0])
    return mean, math.sqrt(float(weights @ (_LOG_SCALES[:, 0] - mean) ** 2))


def _log_prior(prior: Prior) -> Array:
    return -0.5 * ((_LOG_SCALES[:, 0] - prior.log_mean) / prior.log_sd) ** 2


def _normalised(log_weights: Array) -> Array:
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


def _grid(means: Array, sds: Array, weights: Array) -> Array:
    """Cover every scale that counts at its own resolution."""
    counting = weights > 1e-3
    narrow, wide = int(sds[counting].argmin()), int(sds[counting].argmax())
    centre = float(weights @ means)
    parts = [means, centre + _STEPS * sds[counting][narrow], centre + _STEPS * sds[counting][wide]]
    return np.unique(np.concatenate(parts))


def _mixture(values: Array, means: Array, sds: Array, weights: Array) -> Array:
    terms = np.log(weights / sds) - 0.5 * ((values[:, None] - means) / sds) ** 2
    top = terms.max(axis=1)
    return np.asarray(top + np.log(np.exp(terms - top[:, None]).sum(axis=1)))
