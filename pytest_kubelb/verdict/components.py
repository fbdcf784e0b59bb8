"""How far does a number move between runs, provisionings, sessions and testbeds? Touches nothing.

Nested random effects, each with its own variance: runs in provisionings in sessions, and these in testbeds
(ISO 5725-3, fully nested experiments). Estimated from the sums of squares of the unbalanced nested analysis
of variance (Searle, Casella and McCulloch, Variance Components, 1992, chapter 5 and appendix F). A level that the
data do not tell from the one below, or above, is not invented: the two are named together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Sessions: TypeAlias = Sequence[Sequence[Sequence[float]]]

_Label: TypeAlias = tuple[int, ...]
_LEVELS: Final = ("testbed", "session", "provisioning", "run")


@dataclass(frozen=True)
class Spread:
    """A standard deviation with its interval, in the unit of the values."""

    s: float
    low: float
    high: float
    df: float
    """Degrees of freedom; those of a sum by Satterthwaite (Biometrics Bulletin 2, 1946)."""


@dataclass(frozen=True)
class Component:
    """What one level of the nesting adds."""

    levels: tuple[str, ...]
    """`testbed`, `session`, `provisioning`, `run`; more than one where the data cannot tell them apart."""
    spread: Spread


@dataclass(frozen=True)
class Components:
    """Standard deviations by level, in the unit of the values: of requests/s, or, of their logarithms, fractions."""

    mean: float
    """Of all values."""
    counts: Mapping[str, int]
    """How many there are of each level."""
    s_r: Spread | None
    """Repeatability: between the runs of one provisioning. None when no provisioning has two."""
    between: tuple[Component, ...]
    """What the levels above the run add, coarsest first."""
    s_I: Spread | None  # noqa: N815 - the symbol of the standard
    """Intermediate precision: of single runs in different provisionings and sessions of one testbed.

    Of the levels in `between` only: with one session, that between sessions is not in it. None when nothing but
    runs was repeated on one testbed.
    """
    s_R: Spread | None  # noqa: N815 - the symbol of the standard
    """Reproducibility: of single runs on different testbeds. None with fewer than two."""

    def between_level(self, level: str) -> Spread | None:
        """Give what `level` alone adds; None where the data do not tell it apart."""
        return next((found.spread for found in self.between if found.levels == (level,)), None)


def within_testbed(sessions: Sessions, *, confidence: float = 0.95) -> Components:
    """Give the components of one testbed from the runs of each provisioning of each session.

    Any of the numbers may differ. Raises ValueError when there is no run at all, or one is infinite or not a number.
    """
    return _analyse([sessions], confidence)


def across_testbeds(testbeds: Sequence[Sessions], *, confidence: float = 0.95) -> Components:
    """Give the components of several testbeds: the runs of each provisioning of each session of each testbed.

    Raises ValueError as `within_testbed` does.
    """
    return _analyse(testbeds, confidence)


@dataclass(frozen=True)
class _Stratum:
    """One line of the table of the analysis of variance."""

    levels: tuple[str, ...]
    mean_square: float
    df: int
    shares: tuple[float, ...]
    """Of the variances of this and of each finer stratum, in the expectation of the mean square."""


def _analyse(testbeds: Sequence[Sessions], confidence: float) -> Components:
    values = {
        (t, s, p, r): float(value)
        for t, sessions in enumerate(testbeds)
        for s, provisionings in enumerate(sessions)
        for p, runs in enumerate(provisionings)
        for r, value in enumerate(runs)
    }
    if not values or not all(math.isfinite(value) for value in values.values()):
        raise ValueError(
            "the values cannot be analysed: at least one is needed, and each has to be a finite number"
        )
    # Relative to the largest, nothing overflows; about the mean, few digits are lost.
    largest = max(abs(value) for value in values.values()) or 1.0
    mean = math.fsum(value / largest for value in values.values()) / len(values)
    strata = _strata({label: value / largest - mean for label, value in values.items()})
    estimates = _Estimates(strata, confidence, largest)
    inside = [index for index, stratum in enumerate(strata) if "testbed" not in stratum.levels]
    runs_alone = [index for index in inside if strata[index].levels == ("run",)]
    return Components(
        mean=mean * largest,
        counts={name: len({label[: depth + 1] for label in values}) for depth, name in enumerate(_LEVELS)},
        s_r=estimates.total(runs_alone) if runs_alone else None,
        between=tuple(
            Component(stratum.levels, estimates.component(index))
            for index, stratum in enumerate(strata)
            if stratum.levels != ("run",)
        ),
        s_I=estimates.total(inside) if len(inside) > len(runs_alone) else None,
        s_R=estimates.total(range(len(strata))) if len(inside) < len(strata) else None,
    )


def _strata(values: Mapping[_Label, float]) -> list[_Stratum]:
    """Give the table of the analysis of variance, coarsest line first, without the lines of no degree of freedom."""
    cells = [_cells(values, depth) for depth in range(len(_LEVELS) + 1)]
    kept: list[tuple[int, tuple[str, ...]]] = []
    together: tuple[str, ...] = ()
    for depth in range(len(_LEVELS), 0, -1):
        together = (_LEVELS[depth - 1], *together)
        if len(cells[depth]) > len(cells[depth - 1]):
            kept.insert(0, (depth, together))
            together = ()
    # The levels left over have one cell each: nothing was repeated there, and nothing is said of them.
    strata, parent = [], 0
    for position, (depth, levels) in enumerate(kept):
        df = len(cells[depth]) - len(cells[parent])
        square = math.fsum(
            count * (mean - cells[parent][label[:parent]][1]) ** 2
            for label, (count, mean) in cells[depth].items()
        )
        finer = [each for each, _ in kept[position:]]
        shares = tuple((_share(cells, depth, each) - _share(cells, parent, each)) / df for each in finer)
        strata.append(_Stratum(levels, square / df, df, shares))
        parent = depth
    return strata


def _cells(values: Mapping[_Label, float], depth: int) -> dict[_Label, tuple[int, float]]:
    """Give the number of runs and their mean in each cell of a level; depth 0 is all of them."""
    members: dict[_Label, list[float]] = defaultdict(list)
    for label, value in values.items():
        members[label[:depth]].append(value)
    return {label: (len(each), math.fsum(each) / len(each)) for label, each in members.items()}


def _share(cells: Sequence[Mapping[_Label, tuple[int, float]]], depth: int, finer: int) -> float:
    """Give the factor of the variance of level `finer` in the expected sum of n mean^2 over the cells at `depth`."""
    return math.fsum(count**2 / cells[depth][label[:depth]][0] for label, (count, _) in cells[finer].items())


class _Estimates:
    """Variances solved from the expected mean squares, each a linear combination of the mean squares."""

    def __init__(self, strata: Sequence[_Stratum], confidence: float, unit: float) -> None:
        self._strata = strata
        self._tail = (1 - confidence) / 2
        self._unit = unit
        self._noise: list[list[float]] = [[] for _ in strata]
        self._weights: list[list[float]] = [[] for _ in strata]
        for index in reversed(range(len(strata))):
            own, *finer = strata[index].shares
            noise = [0.0] * len(strata)
            for share, weights in zip(finer, self._weights[index + 1 :], strict=True):
                noise = [one + share * other for one, other in zip(noise, weights, strict=True)]
            self._noise[index] = noise
            self._weights[index] = [((each == index) - part) / own for each, part in enumerate(noise)]

    def component(self, index: int) -> Spread:
        """Give one component, negative estimates as 0 (ISO 5725-2, 7.4.5).

        Interval of Tukey (1951) and Williams (Biometrika 49, 1962), at least as wide as it claims; what the finer
        levels add to the mean square is a combination with Satterthwaite's degrees of freedom.
        """
        stratum = self._strata[index]
        variance, _ = self._value(self._weights[index])
        if not any(self._noise[index]):
            return self.total([index])
        from scipy.special import chdtri, fdtri

        noise, noise_df = self._value(self._noise[index])
        bounds = [
            stratum.df
            * max(
                stratum.mean_square
                - max(noise, 0.0) * float(fdtri(stratum.df, max(noise_df, 1.0), 1 - tail)),
                0.0,
            )
            / (stratum.shares[0] * float(chdtri(stratum.df, tail)))
            for tail in (self._tail, 1 - self._tail)
        ]
        return self._spread(variance, bounds[0], bounds[1], stratum.df)

    def total(self, indices: Iterable[int]) -> Spread:
        """Give the sum of components, from one level down to the finest.

        Modified large-sample interval (Graybill and Wang, J. Am. Stat. Assoc. 75, 1980; Burdick and Graybill,
        Confidence Intervals on Variance Components, 1992, section 3.3); for one mean square it is the chi-square one.
        """
        from scipy.special import chdtri

        chosen = list(indices)
        weights = [
            math.fsum(self._weights[index][each] for index in chosen) for each in range(len(self._strata))
        ]
        variance, df = self._value(weights)
        below = above = 0.0
        for stratum, weight in zip(self._strata, weights, strict=True):
            down = 1 - stratum.df / float(chdtri(stratum.df, self._tail))
            up = stratum.df / float(chdtri(stratum.df, 1 - self._tail)) - 1
            # A mean square that is subtracted, as unbalanced data may ask for, moves the bounds the other way.
            less, more = (down, up) if weight >= 0 else (up, down)
            below += (less * weight * stratum.mean_square) ** 2
            above += (more * weight * stratum.mean_square) ** 2
        positive = math.fsum(max(self._value(self._weights[index])[0], 0.0) for index in chosen)
        return self._spread(positive, variance - math.sqrt(below), variance + math.sqrt(above), df)

    def _value(self, weights: Sequence[float]) -> tuple[float, float]:
        """Give a combination of the mean squares, and its degrees of freedom by Satterthwaite."""
        parts = [weight * stratum.mean_square for weight, stratum in zip(weights, self._strata, strict=True)]
        value = math.fsum(parts)
        spread = math.fsum(part**2 / stratum.df for part, stratum in zip(parts, self._strata, strict=True))
        everything = float(sum(stratum.df for stratum in self._strata))
        return value, min(value**2 / spread, everything) if spread > 0 else everything

    def _spread(self, variance: float, low: float, high: float, df: float) -> Spread:
        s, least, most = (
            self._unit * math.sqrt(max(each, 0.0))
            for each in (variance, min(low, variance), max(high, variance))
        )
        return Spread(s, least, most, df)
