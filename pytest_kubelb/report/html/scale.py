"""From values to pixels, and the ticks that read well. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic scale from [low, high] to [start, end] in pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Give the pixel of a value; one outside stands at the edge, so that nothing leaves the picture."""
        value = min(max(value, self.low), self.high)
        if self.high == self.low:
            return (self.start + self.end) / 2
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self, about: int) -> list[float]:
        """Give round values inside, about as many as asked for."""
        return log_ticks(self.low, self.high, about) if self.log else ticks(self.low, self.high, about)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Give multiples of 1, 2 or 5 times a power of ten in [low, high], about as many as asked for."""
    if not high > low:
        return [low]
    step = nice_step((high - low) / max(about, 1))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [count * step for count in range(first, last + 1)]


def nice_step(least: float) -> float:
    """Give the smallest of 1, 2, 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def log_ticks(low: float, high: float, about: int) -> list[float]:
    """Give powers of ten in [low, high]; with few of them also their doubles and fives."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        found = [
            10.0**decade * factor
            for decade in decades
            for factor in factors
            if low * (1 - 1e-9) <= 10.0**decade * factor <= high * (1 + 1e-9)
        ]
        if len(found) >= min(about, 3):
            break
    every = math.ceil(len(found) / max(about * 2, 1)) if found else 1
    return found[::every]


def linear_from_zero(values: Iterable[float], start: float, end: float) -> Scale:
    """Give a scale from 0 to a little above the largest value."""
    high = max(values, default=0.0)
    return Scale(0.0, high * 1.05 if high > 0 else 1.0, start, end)


def logarithmic(values: Iterable[float], start: float, end: float) -> Scale:
    """Give a logarithmic scale around the values above 0."""
    above = [value for value in values if value > 0]
    low, high = (min(above), max(above)) if above else (1.0, 10.0)
    return Scale(low / 1.3, high * 1.3, start, end, log=True)


def spaced(places: Sequence[float], gap: float) -> list[int]:
    """Give the indices of ascending places that stand at least `gap` apart; the last goes before the one before it."""
    kept: list[int] = []
    for index, place in enumerate(places):
        if not kept or place - places[kept[-1]] >= gap:
            kept.append(index)
    if places and kept[-1] != len(places) - 1:
        if len(kept) > 1:
            kept.pop()
        if places[-1] - places[kept[-1]] >= gap:
            kept.append(len(places) - 1)
    return kept
