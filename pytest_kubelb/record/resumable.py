"""What of a session is finished and what is left, from the lines of its record. Pure.

An item is finished when its verdict is in the record, unless the testbed broke under it. Whatever else was begun is
abandoned as a whole: a part of a point's runs, cut off by whatever ended the session, is no sample of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kubelb.load import json_fields
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.planned import BEGUN, ITEM_FAILED, PLANNED, Planned
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.record.reader import Note
from pytest_kubelb.record.resumption import Abandoned, AbandonedRuns
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_kubelb.record.lines import Line


@dataclass(frozen=True)
class Finished:
    """An item that need not be measured again."""

    provisionings: tuple[tuple[Sample, ...], ...]
    """All its runs; more than one provisioning where it looked slower than the baseline."""
    verdict: Verdict
    """The last that was given on it."""
    failure: str | None
    """Why the bench itself failed; None when it did not."""


@dataclass(frozen=True)
class Resumable:
    """A session that may go on."""

    start: SessionStart
    """With an empty id when the session died before its first line."""
    testbed: tuple[Event, ...]
    """What was found of the testbed each time it was opened."""
    planned: dict[str, Planned]
    """Every item; empty for sessions that did not say what they were going to measure."""
    finished: dict[str, Finished]
    """Those that are."""
    abandoned: tuple[AbandonedRuns, ...]
    """What was begun and not finished, as far as no earlier resumption has said so."""
    used: dict[PointKey, tuple[int, ...]]
    """Point -> numbers of its provisionings that have a run."""
    resumed: int
    """Times that it went on already."""
    end: SessionEnd | None
    """None when it was killed or still goes on."""
    torn: bool
    """Its last line is not whole."""

    @property
    def left(self) -> tuple[Planned, ...]:
        """The items that are not finished, in the order of the plan."""
        return tuple(planned for item, planned in self.planned.items() if item not in self.finished)

    def provisioning(self, point: PointKey, number: int, passes: int) -> int:
        """Give the number under which pass `number` of a point is measured now: that of the pass, or a further one."""
        used = self.used.get(point, ())
        while number in used:
            number += passes
        return number


def read(lines: Iterable[Line | Note]) -> Resumable:
    """Read one session to its end. Raises what `lines` raises, and ValueError for an odd plan."""
    reading = _Reading()
    for line in lines:
        reading.take(line)
    return reading.resumable()


@dataclass
class _Item:
    """The item that is being measured where the reader is."""

    item: str
    before: dict[tuple[PointKey, int], int] = field(default_factory=dict)
    runs: dict[tuple[PointKey, int], list[Sample]] = field(default_factory=dict)
    failure: str | None = None
    broken: bool = False


class _Reading:
    def __init__(self) -> None:
        self._start = SessionStart("", "", {}, {})
        self._end: SessionEnd | None = None
        self._testbed: list[Event] = []
        self._planned: dict[str, Planned] = {}
        self._finished: dict[str, Finished] = {}
        self._counts: dict[tuple[PointKey, int], int] = {}
        self._left_behind: list[AbandonedRuns] = []
        self._known = Abandoned()
        self._resumed = 0
        self._item: _Item | None = None
        self._torn = False

    def take(self, line: Line | Note) -> None:
        match line:
            case Sample():
                self._sample(line)
            case Verdict():
                self._verdict(line)
            case Event():
                self._event(line)
            case SessionStart():
                self._start = line
            case SessionEnd():
                self._end = line
            case Note():
                self._torn = True

    def resumable(self) -> Resumable:
        self._abandon()
        used: dict[PointKey, tuple[int, ...]] = {}
        for key, number in self._counts:
            used[key] = (*used.get(key, ()), number)
        return Resumable(
            start=self._start,
            testbed=tuple(self._testbed),
            planned=self._planned,
            finished=self._finished,
            abandoned=tuple(self._left_behind),
            used=used,
            resumed=self._resumed,
            end=self._end,
            torn=self._torn,
        )

    def _sample(self, sample: Sample) -> None:
        place = point_key(sample.point), sample.provisioning
        if self._item is not None:
            self._item.before.setdefault(place, self._counts.get(place, 0))
            self._item.runs.setdefault(place, []).append(sample)
        self._counts[place] = self._counts.get(place, 0) + 1

    def _verdict(self, verdict: Verdict) -> None:
        item, self._item = self._item, None
        if item is None:
            self._judged_again(verdict)
        elif item.broken or not item.runs:
            self._give_up(item)
        else:
            groups = tuple(tuple(runs) for runs in item.runs.values())
            self._finished[item.item] = Finished(groups, verdict, item.failure)

    def _judged_again(self, verdict: Verdict) -> None:
        """Take a verdict on what was kept: a session that is resumed judges by the rules of then."""
        for item, known in self._finished.items():
            same = known.verdict.figures.get("provisioning") == verdict.figures.get("provisioning")
            if same and point_key(known.verdict.point) == point_key(verdict.point):
                self._finished[item] = Finished(known.provisionings, verdict, known.failure)

    def _event(self, event: Event) -> None:
        details = event.details
        if event.name == PLANNED:
            for each in map(Planned.from_json, json_fields.objects(details, "items")):
                self._planned[each.item] = each
        elif event.name == BEGUN:
            self._abandon()
            self._item = _Item(json_fields.text(details, "item"))
            self._finished.pop(self._item.item, None)
        elif event.name == ITEM_FAILED and self._item is not None:
            self._item.failure = json_fields.text(details, "sentence")
            self._item.broken = bool(details.get("broken"))
        elif event.name == "testbed":
            self._testbed.append(event)
        elif self._known.hear(event):
            self._abandon()
            self._left_behind, self._end = [], None
            self._resumed += 1

    def _abandon(self) -> None:
        if self._item is not None:
            item, self._item = self._item, None
            self._give_up(item)

    def _give_up(self, item: _Item) -> None:
        for (key, number), runs in item.runs.items():
            kept = item.before[key, number]
            self._left_behind.append(AbandonedRuns(runs[0].point, number, kept, len(runs)))
