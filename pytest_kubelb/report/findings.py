"""What the evidence found at the points, and why runs do not count, as sentences. Pure: values in, sentences out.

A signal of one host is told once, with the points and the number of runs it was seen in: forty runs on a
host that is short of CPU are one thing to mend.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from pytest_kubelb.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kubelb.record.finding import Finding
    from pytest_kubelb.record.sample import Sample, Series

_EFFECTS: Final = ("failed", "stalled", "contaminated", "none")
_MOST_POINTS: Final = 6
_UNKNOWN: Final = "unknown"
"""The ceiling of a run of which the evidence cannot say what limited it."""


class Measured(Protocol):
    """One point with its runs."""

    @property
    def id(self) -> str:
        """The point's id, as in its item's brackets."""

    @property
    def series(self) -> Series:
        """All its runs."""


@dataclass
class _Signal:
    """One signal of one host: what is told of it, however many runs had it."""

    worst: Finding
    varying: bool = False
    runs: Counter[str] = field(default_factory=Counter)
    """By the id of the point."""

    def add(self, point_id: str, finding: Finding) -> None:
        self.runs[point_id] += 1
        self.varying = self.varying or finding.value != self.worst.value
        if finding.value > self.worst.value:
            self.worst = finding


class Told:
    """What is to be told of points that are added one by one. It holds none of their runs."""

    def __init__(self) -> None:
        self._signals: dict[tuple[str, str, str], _Signal] = {}
        self._unexplained: list[str] = []

    def add(self, point_id: str, series: Series) -> None:
        """Take in the runs of a point."""
        runs = list(_counted(series))
        for sample in runs:
            for finding in {(each.effect, each.signal, each.host): each for each in sample.findings}.values():
                key = (finding.effect, finding.signal, finding.host)
                self._signals.setdefault(key, _Signal(finding)).add(point_id, finding)
        self._unexplained += _unexplained(point_id, runs)

    def sentences(self, elsewhere: str | None = None) -> list[str]:
        """Give a sentence for each signal and host, what took runs away first, and for the runs lost to none of them.

        As printable text, since a record may be anybody's.
        Why a ceiling is not known is long, and of every run: `elsewhere`, such as `-v says why`, stands in its place.
        """
        ordered = sorted(
            self._signals.items(), key=lambda each: (_EFFECTS.index(each[0][0]), -each[1].runs.total())
        )
        told = [
            _unknown(seen, elsewhere)
            if signal == _UNKNOWN and elsewhere
            else _sentence(effect, signal, host, seen)
            for (effect, signal, host), seen in ordered
        ]
        took = [each for each, (key, _) in zip(told, ordered, strict=True) if key[0] != "none"]
        return [printable(each) for each in (*took, *self._unexplained, *told[len(took) :])]


def sentences(points: Sequence[Measured], elsewhere: str | None = None) -> list[str]:
    """Give what is to be told of points that are all there, as `Told.sentences` does."""
    told = Told()
    for point in points:
        told.add(point.id, point.series)
    return told.sentences(elsewhere)


def _counted(series: Series) -> Iterator[Sample]:
    """Give all runs of a point, those of further provisionings too; warm-up runs are not judged."""
    for samples in (series.samples, *series.measured_anew):
        yield from (sample for sample in samples if sample.validity != "warmup")


def _sentence(effect: str, signal: str, host: str, seen: _Signal) -> str:
    where = f" on {host}" if host else ""
    lead = f"{signal}{where}" if effect == "none" else f"{effect} by {signal}{where}"
    runs = f"{_runs(seen.runs.total())} ({_points(seen.runs)})"
    return f"{lead}, {runs}{', at worst' if seen.varying else ''}: {_ended(seen.worst.sentence)}"


def _unknown(seen: _Signal, elsewhere: str) -> str:
    runs, points = _runs(seen.runs.total()), len(seen.runs)
    return f"what limited {runs} at {points} point{'' if points == 1 else 's'} is not known ({elsewhere})."


def _ended(sentence: str) -> str:
    return sentence.rstrip(".") + "."


def _unexplained(point_id: str, runs: Sequence[Sample]) -> list[str]:
    """Give the runs that do not count though no finding says why: a sentence for each validity."""
    lost: dict[str, list[Sample]] = {}
    for sample in runs:
        if sample.validity != "valid" and not any(each.effect != "none" for each in sample.findings):
            lost.setdefault(sample.validity, []).append(sample)
    told = []
    for validity, samples in lost.items():
        reason = next(
            (sample.reason for sample in reversed(samples) if sample.reason), "no reason is recorded"
        )
        last = ", the last" if len(samples) > 1 else ""
        told.append(f"{point_id}: {len(samples)} of {_runs(len(runs))} {validity}{last}: {_ended(reason)}")
    return told


def _points(runs: Counter[str]) -> str:
    first = [f"{point_id} {count}" for point_id, count in runs.most_common(_MOST_POINTS)]
    more = len(runs) - len(first)
    return ", ".join(first) + (f" and {more} more points" if more > 0 else "")


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
