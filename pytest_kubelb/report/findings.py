"""What the evidence found at the points, and why runs do not count, as sentences. Pure: values in, sentences out.

A signal of one host is told once, with the points and the number of runs it was seen in: forty runs on a
host that is short of CPU are one thing to mend.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kubelb.record.finding import Finding
    from pytest_kubelb.record.sample import Sample, Series
    from pytest_kubelb.report.ceilings import Measured

_EFFECTS: Final = ("failed", "stalled", "contaminated", "none")
_MOST_POINTS: Final = 6
_UNKNOWN: Final = "unknown"
"""The ceiling of a run of which the evidence cannot say what limited it."""


def sentences(points: Sequence[Measured], elsewhere: str | None = None) -> list[str]:
    """Give a sentence for each signal and host, what took runs away first, and for the runs lost to none of them.

    Why a ceiling is not known is long, and of every run: `elsewhere`, such as `-v says why`, stands in its place.
    """
    found: dict[tuple[str, str, str], list[tuple[str, Finding]]] = {}
    for point in points:
        for sample in samples_of(point.series):
            for finding in {(each.effect, each.signal, each.host): each for each in sample.findings}.values():
                found.setdefault((finding.effect, finding.signal, finding.host), []).append(
                    (point.id, finding)
                )
    ordered = sorted(found.items(), key=lambda group: (_EFFECTS.index(group[0][0]), -len(group[1])))
    told = [
        _unknown(seen, elsewhere)
        if signal == _UNKNOWN and elsewhere
        else _sentence(effect, signal, host, seen)
        for (effect, signal, host), seen in ordered
    ]
    took = [each for each, (key, _) in zip(told, ordered, strict=True) if key[0] != "none"]
    return [*took, *_unexplained(points), *told[len(took) :]]


def samples_of(series: Series) -> Iterator[Sample]:
    """Give all runs of a point, those of further provisionings too; warm-up runs are not judged."""
    for samples in (series.samples, *series.measured_anew):
        yield from (sample for sample in samples if sample.validity != "warmup")


def _sentence(effect: str, signal: str, host: str, seen: Sequence[tuple[str, Finding]]) -> str:
    where = f" on {host}" if host else ""
    lead = f"{signal}{where}" if effect == "none" else f"{effect} by {signal}{where}"
    worst = max((finding for _, finding in seen), key=lambda finding: finding.value)
    runs = Counter(point_id for point_id, _ in seen)
    varying = len({finding.value for _, finding in seen}) > 1
    return f"{lead}, {_runs(len(seen))} ({_points(runs)}){', at worst' if varying else ''}: {_ended(worst.sentence)}"


def _unknown(seen: Sequence[tuple[str, Finding]], elsewhere: str) -> str:
    points = len({point_id for point_id, _ in seen})
    return f"what limited {_runs(len(seen))} at {points} point{'' if points == 1 else 's'} is not known ({elsewhere})."


def _ended(sentence: str) -> str:
    return sentence.rstrip(".") + "."


def _unexplained(points: Sequence[Measured]) -> list[str]:
    """Give the runs that do not count though no finding says why: a sentence for each point and validity."""
    told = []
    for point in points:
        lost: dict[str, list[Sample]] = {}
        runs = list(samples_of(point.series))
        for sample in runs:
            if sample.validity != "valid" and not any(each.effect != "none" for each in sample.findings):
                lost.setdefault(sample.validity, []).append(sample)
        for validity, samples in lost.items():
            reason = next(
                (sample.reason for sample in reversed(samples) if sample.reason), "no reason is recorded"
            )
            last = ", the last" if len(samples) > 1 else ""
            told.append(
                f"{point.id}: {len(samples)} of {_runs(len(runs))} {validity}{last}: {_ended(reason)}"
            )
    return told


def _points(runs: Counter[str]) -> str:
    first = [f"{point_id} {count}" for point_id, count in runs.most_common(_MOST_POINTS)]
    more = len(runs) - len(first)
    return ", ".join(first) + (f" and {more} more points" if more > 0 else "")


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
