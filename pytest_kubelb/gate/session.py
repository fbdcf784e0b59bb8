"""From the lines of a recorded session to its items: the series that pytest's reporting hook judged. Pure; streams.

An item is a point in one pass of the sweep. Provisionings beyond the passes were made because the first looked slower
than the baseline, and belong to the item that asked for them (see `pytest_kubelb/series.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_kubelb import matrix
from pytest_kubelb.gate.plain import plain
from pytest_kubelb.option_values import MOST_PODS, parse_tolerance
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.record.reader import Note
from pytest_kubelb.record.resumption import Abandoned, settings_of_now
from pytest_kubelb.record.sample import Sample, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_kubelb.record.lines import Line

    Key: TypeAlias = tuple[PointKey, int]  # a point, and the pass

DEFAULT_SHARE: Final = 0.05
"""Tolerance and largest drop where the record tells none."""
_SHOWN_OF_A_NAME: Final = 100


@dataclass(frozen=True)
class Item:
    """A point in one pass."""

    id: str
    """As in the item's brackets, printable: `ipvs-pods04`, `ipvs-pods04-pass2`."""
    series: Series
    """With the tolerance that was in force."""
    max_drop: float
    """The drop that was in force, a fraction."""


@dataclass(frozen=True)
class Measured:
    """What one session measured."""

    id: str
    """Empty when the session died before its first line."""
    started: str
    """ISO 8601, UTC."""
    testbed: str
    """Its name; empty when the record does not tell."""
    exit_code: int | None
    """pytest's; None when the session was killed or still goes on."""
    baseline: str | None
    """What the session itself was compared with, as it was asked for."""
    max_drop: float
    """The drop that was in force for whole sweeps, a fraction."""
    items: tuple[Item, ...]
    """In the order in which they were first measured."""
    notes: tuple[str, ...]
    """What the reader remarked about the file."""
    of_ab: bool = False
    """Measured by `kubelb ab`: its runs alternate between two sides, and are judged in pairs."""

    @property
    def runs(self) -> int:
        """Runs of every validity but warm-up runs, those of re-measurements included."""
        groups = (group for item in self.items for group in (item.series.samples, *item.series.measured_anew))
        return sum(sample.validity != "warmup" for group in groups for sample in group)


@dataclass
class Gatherer:
    """Collects a session while its lines pass by, so that a file is read once whoever else reads it."""

    _start: SessionStart | None = None
    _passes: int | None = None
    _end: SessionEnd | None = None
    _runs: dict[Key, dict[int, list[Sample]]] = field(default_factory=dict)
    _limits: dict[Key, tuple[float | None, float | None]] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)
    _abandoned: Abandoned = field(default_factory=Abandoned)

    def watch(self, lines: Iterable[Line | Note]) -> Iterator[Line | Note]:
        """Give the lines on as they are, and remember what is judged."""
        for line in lines:
            match line:
                case Sample():
                    number, again = divmod_pass(line.provisioning, self._passes)
                    groups = self._runs.setdefault((point_key(line.point), number), {})
                    groups.setdefault(again, []).append(line)
                case Verdict():
                    self._limits[point_key(line.point), self._pass_of(line)] = _limits(line.figures)
                case SessionStart():
                    self._start = line
                    self._passes = _whole(line.settings, "passes")
                case SessionEnd():
                    self._end = line
                case Note():
                    self._notes.append(plain(line.text))
                case Event():
                    if self._abandoned.hear(line):
                        self._end = None
                        self._start = self._start and settings_of_now(self._start, line)
            yield line

    def measured(self) -> Measured:
        """Give what has passed by."""
        start = self._start or SessionStart("", "", {}, {})
        tolerance, max_drop = (_share(start.settings, name) for name in ("tolerance", "max_drop"))
        items = []
        counting = self._counting()
        for (key, number), label in zip(counting, labels(list(counting)), strict=True):
            first, *anew = counting[key, number]
            own = self._limits.get((key, number), (None, None))
            series = Series(
                first[0].point if first else dict(key),
                first,
                own[0] or tolerance,
                tuple(anew),
            )
            items.append(Item(label, series, own[1] or max_drop))
        return Measured(
            id=plain(start.session),
            started=plain(start.started),
            testbed=plain(str(start.facts.get("testbed") or "")),
            exit_code=None if self._end is None else self._end.exit_code,
            baseline=_text(start.settings, "baseline"),
            max_drop=max_drop,
            items=tuple(items),
            notes=(*self._notes, *(plain(each.sentence) for each in self._abandoned.each if each.runs)),
            of_ab=is_of_ab(start),
        )

    def _counting(self) -> dict[Key, list[tuple[Sample, ...]]]:
        """Give the runs of each item, a tuple for each provisioning; of those that were abandoned none."""
        found: dict[Key, list[tuple[Sample, ...]]] = {}
        for (key, number), groups in self._runs.items():
            runs = [groups.get(0, []), *(samples for again, samples in sorted(groups.items()) if again)]
            left = [
                tuple(self._abandoned.counting(key, samples[0].provisioning, samples) if samples else ())
                for samples in runs
            ]
            if sum(map(len, left)) < sum(map(len, runs)):
                left = [samples for samples in left if samples]
            if left:
                found[key, number] = left
        return found

    def _pass_of(self, line: Verdict) -> int:
        number = line.figures.get("provisioning")
        return divmod_pass(number, self._passes)[0] if isinstance(number, int) else 1


def is_of_ab(start: SessionStart) -> bool:
    """Tell whether `kubelb ab` measured the session: its facts have `ab`."""
    return "ab" in start.facts


def divmod_pass(provisioning: int, passes: int | None) -> tuple[int, int]:
    """Give the pass, from 1, that a provisioning belongs to, and how often the point had been provisioned for it.

    Without a known number of passes each provisioning is a pass of its own.
    """
    if passes is None:
        return provisioning, 0
    again, number = divmod(max(provisioning, 1) - 1, passes)
    return number + 1, again


def labels(keys: Sequence[Key]) -> list[str]:
    """Give one id for each item, as `matrix.ids` does for points of the matrix, whatever axes these points have.

    Backend first and pods last; of the other axes, and of the passes, only those that vary.
    """
    tuned = any("tuning" in dict(key) for key, _ in keys)
    axes = [{**({"tuning": "none"} if tuned else {}), **dict(key)} for key, _ in keys]
    names = sorted({name for point in axes for name in point if name not in ("backend", "pods")})
    varying = [name for name in names if len({point.get(name) for point in axes}) > 1]
    counts = [value for point in axes if isinstance(value := point.get("pods"), int)]
    most = max((count for count in counts if count <= MOST_PODS), default=1)
    passes = len({number for _, number in keys}) > 1

    def label(point: Mapping[str, str | int], number: int) -> str:
        parts = [str(point[name]) for name in ("backend", *varying) if name in point]
        if "pods" in point:
            pods = point["pods"]
            parts.append(matrix.pods_label(pods, most) if isinstance(pods, int) else f"pods{pods}")
        if passes:
            parts.append(f"pass{number}")
        return "-".join(plain(part, _SHOWN_OF_A_NAME) for part in parts) or "point"

    return [label(point, number) for point, (_, number) in zip(axes, keys, strict=True)]


def _limits(figures: Mapping[str, object]) -> tuple[float | None, float | None]:
    """Give the tolerance and the largest drop that the session judged a point by; a marker may have set them."""
    against = figures.get("against_baseline")
    max_drop = against.get("max_drop") if isinstance(against, dict) else None
    return _fraction(figures.get("tolerance")), _fraction(max_drop)


def _fraction(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    return float(value) if known and isinstance(value, int | float) else None


def _text(settings: Mapping[str, object], name: str) -> str | None:
    given = settings.get(name)
    text = given.get("value") if isinstance(given, dict) else None
    return plain(text) if isinstance(text, str) else None


def _share(settings: Mapping[str, object], name: str) -> float:
    try:
        return parse_tolerance(_text(settings, name) or "")
    except ValueError:
        return DEFAULT_SHARE


def _whole(settings: Mapping[str, object], name: str) -> int | None:
    text = _text(settings, name) or ""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) <= 6 and int(text) else None
