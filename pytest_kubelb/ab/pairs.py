"""Run both sides in turn, AB BA AB BA …, every run in the record before the next. Touches the testbed.

A drift that goes on through the session is then in both sides alike: within two pairs each side has been first once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_kubelb.ab.turn import OpenSide
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.settings import Settings

    Append = Callable[[Sample], None]


@dataclass(frozen=True)
class Pair:
    """A run of each side, one right after the other."""

    number: int
    """From 0."""
    order: str
    """`ab` or `ba`: which came first."""
    a: Sample
    b: Sample

    @property
    def rps(self) -> tuple[float, float] | None:
        """Requests/s of A and of B; None when a run of the two does not count."""
        if self.a.result is None or self.b.result is None or {self.a.validity, self.b.validity} != {"valid"}:
            return None
        return self.a.result.rps, self.b.result.rps

    @property
    def reason(self) -> str | None:
        """Why the pair does not count, in a few words."""
        told = [
            f"{side.upper()} {sample.validity}: {sample.reason or 'no reason given'}"
            for side, sample in (("a", self.a), ("b", self.b))
            if sample.validity != "valid"
        ]
        return "; ".join(told) or None


def order_of(number: int) -> str:
    """Give which side of a pair comes first: `ab`, then `ba`, and so on in turn."""
    return "ba" if number % 2 else "ab"


def measure(
    a: OpenSide, b: OpenSide, settings: Settings, append: Append, tell: Callable[[Pair], None]
) -> list[Pair]:
    """Make the warm-up runs and then the pairs, and give the pairs; `tell` hears of each as it is made.

    Before each run its side is proven to be up. Raises TestbedError when the testbed is lost, after the run that was
    lost is in the record as failed; the pairs before it are in the record.
    """
    sides = {"a": a, "b": b}
    for side in sides.values():  # before anything is measured, A first: it is put back last
        side.converge()
    for number in range(settings.fewest_warmups):
        for letter in order_of(number):
            _run(sides[letter], settings, append, number=number, warmup=True)
    pairs = []
    for number in range(settings.runs):
        order = order_of(number)
        made = {
            letter: _run(sides[letter], settings, append, number=number, warmup=False) for letter in order
        }
        pairs.append(Pair(number, order, made["a"], made["b"]))
        tell(pairs[-1])
    return pairs


def counted(pairs: Iterable[Pair]) -> list[tuple[float, float]]:
    """Give requests/s of A and B of the pairs that count."""
    return [rps for pair in pairs if (rps := pair.rps) is not None]


def _run(side: OpenSide, settings: Settings, append: Append, *, number: int, warmup: bool) -> Sample:
    try:
        side.converge()
        sample = side.run(settings, number=number, warmup=warmup)
    except TestbedError as error:
        append(side.lost(error, number=number))
        raise
    append(sample)
    return sample
