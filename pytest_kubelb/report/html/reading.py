"""From the records of sessions to the values that the report shows. Touches the records, for reading."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, get_args

from pytest_kubelb.option_values import parse_tolerance
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.record.reader import Note
from pytest_kubelb.record.resumption import Abandoned
from pytest_kubelb.record.sample import Sample, Series, valid_rps
from pytest_kubelb.record.sources import Source
from pytest_kubelb.report import ceilings
from pytest_kubelb.report.html import evidence, interval, words
from pytest_kubelb.report.html.model import MeasuredPoint, Panel, Session, Sheet, Spread
from pytest_kubelb.verdict import repeatability
from pytest_kubelb.verdict.drift import Drift
from pytest_kubelb.verdict.repeatability import Repeatability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_FIGURES: Final = {each.name for each in fields(Repeatability)} - {"verdict"}
_LISTS: Final = ("collapsed", "drift")
_MAYBE: Final = {each.name for each in fields(Repeatability) if "None" in str(each.type)}
_LARGEST: Final = 2**63  # of a figure; an infinite one, as of 1e999, has no place on any scale
DEFAULT_TOLERANCE: Final = 0.05
"""Taken where a session tells neither a verdict nor a setting."""


def read(records: Sequence[Path]) -> Sheet:
    """Read the sessions, in the order given; a session that is met twice is read once. Raises KubelbError."""
    sessions: list[Session] = []
    for path in records:
        lines = _Lines(Source(path, named=True).lines())
        if any(session.id == lines.start.session for session in sessions):
            continue
        first = sum(len(session.points) for session in sessions)
        session = lines.session(first)
        if path.suffix != ".json":
            session = evidence.added(session, path.parent / evidence.NAME)
        sessions.append(session)
    backends = dict.fromkeys(point.backend for session in sessions for point in session.points)
    return Sheet(tuple(sessions), tuple(_panels(sessions)), tuple(backends))


class _Lines:
    """One record, sorted by point."""

    def __init__(self, lines: Iterable[object]) -> None:
        self.start = SessionStart("", "", {}, {})
        self.end: SessionEnd | None = None
        self.samples: dict[PointKey, list[Sample]] = {}
        self.verdicts: dict[PointKey, dict[object, Verdict]] = {}
        self.events: list[Event] = []
        self.notes: list[str] = []
        self._abandoned = Abandoned()
        for line in lines:
            match line:
                case Sample():
                    self.samples.setdefault(point_key(line.point), []).append(line)
                case Verdict():
                    of_point = self.verdicts.setdefault(point_key(line.point), {})
                    of_point[line.figures.get("provisioning")] = line
                case Event():
                    self.events.append(line)
                    if self._abandoned.hear(line):
                        self.end = None
                case SessionStart():
                    self.start = line
                case SessionEnd():
                    self.end = line
                case Note():
                    self.notes.append(line.text)
        if self._abandoned.each:
            self._leave_out()

    def _leave_out(self) -> None:
        """Show no run that counts for no verdict, and say so."""
        for key, samples in list(self.samples.items()):
            groups: dict[int, list[Sample]] = {}
            for sample in samples:
                groups.setdefault(sample.provisioning, []).append(sample)
            counting = {
                id(sample)
                for number, runs in groups.items()
                for sample in self._abandoned.counting(key, number, runs)
            }
            self.samples[key] = [sample for sample in samples if id(sample) in counting]
            if not self.samples[key]:
                del self.samples[key]
        self.notes += [each.sentence for each in self._abandoned.each if each.runs]

    def session(self, first: int) -> Session:
        """Give the session; its points are numbered from `first`."""
        tolerance = _tolerance(self.start.settings)
        spreads = {
            key: _spreads(samples, self.verdicts.get(key, {}), tolerance)
            for key, samples in self.samples.items()
        }
        limits = ceilings.of_series(
            [Series(dict(key), tuple(samples), tolerance) for key, samples in self.samples.items()]
        )
        facts = dict(self.start.facts)
        for event in self.events:
            if event.name == "testbed":
                facts.update(event.details)
        points = [
            MeasuredPoint(
                index=first + number,
                session=self.start.session,
                axes=dict(samples[0].point),
                backend=str(dict(key).get("backend", "load balancer")),
                pods=_pods(dict(key)),
                condition=words.condition(dict(key)),
                samples=samples,
                spreads=spreads[key],
                interval=interval.of(valid_rps(samples)),
                ceiling=limits[number],
                change=_change(self.verdicts.get(key, {}).values()),
            )
            for number, (key, samples) in enumerate(self.samples.items())
        ]
        return Session(
            self.start.session, self.start, self.end, facts, self.events, self.notes, tuple(points)
        )


def _spreads(
    samples: Iterable[Sample], verdicts: Mapping[object, Verdict], tolerance: float
) -> tuple[Spread, ...]:
    provisionings: dict[int, list[Sample]] = {}
    for sample in samples:
        provisionings.setdefault(sample.provisioning, []).append(sample)
    found = []
    for number, runs in sorted(provisionings.items()):
        verdict = verdicts.get(number) or (verdicts.get(None) if len(provisionings) == 1 else None)
        told = verdict.figures.get("tolerance") if verdict else None
        allowed = float(told) if isinstance(told, int | float) and 0 < told <= 1 else tolerance
        rps = valid_rps(runs)
        judged = _recorded(verdict, len(rps)) or repeatability.judge(rps, tolerance=allowed)
        word = verdict.verdict if verdict else judged.verdict
        found.append(Spread(number, judged, word, verdict.sentence if verdict else None, verdict is not None))
    return tuple(found)


def _recorded(verdict: Verdict | None, runs: int) -> Repeatability | None:
    """Give the figures that the session recorded; None when they are not whole, or are of other runs.

    To judge again takes 50 ms for a point of fifty runs.
    """
    if verdict is None or verdict.figures.get("runs") != runs or runs == 0:
        return None
    told = {name: value for name, value in verdict.figures.items() if name in _FIGURES}
    numbers = [
        0.0 if value is None and name in _MAYBE else value
        for name, value in told.items()
        if name not in _LISTS
    ]
    if told.keys() != _FIGURES or not all(map(_is_figure, numbers)):
        return None
    drift, collapsed = told.pop("drift"), told.pop("collapsed")
    if not isinstance(collapsed, list) or not all(isinstance(run, int) for run in collapsed):
        return None
    trend = None
    if isinstance(drift, dict):
        tau, p, change = _drift_of(drift)
        if not all(map(_is_figure, (p, change, 0.0 if tau is None else tau))):
            return None
        trend = Drift(tau, p, change)
    words_known = get_args(repeatability.Word)
    word = verdict.verdict if verdict.verdict in words_known else "inconclusive"
    return Repeatability(**{**told, "verdict": word, "collapsed": tuple(collapsed), "drift": trend})  # type: ignore[arg-type]


def _drift_of(told: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return told.get("tau"), told.get("p"), told.get("change")


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _LARGEST


def _pods(axes: Mapping[str, str | int]) -> int:
    pods = axes.get("pods", 0)
    return pods if isinstance(pods, int) else 0


def _change(verdicts: Iterable[Verdict]) -> Mapping[str, object] | None:
    told = [verdict.figures.get("against_baseline") for verdict in verdicts]
    return next((each for each in reversed(told) if isinstance(each, dict)), None)


def _tolerance(settings: Mapping[str, object]) -> float:
    given = settings.get("tolerance")
    text = given.get("value") if isinstance(given, dict) else None
    try:
        return parse_tolerance(text) if isinstance(text, str) else DEFAULT_TOLERANCE
    except ValueError:
        return DEFAULT_TOLERANCE


def _panels(sessions: Sequence[Session]) -> list[Panel]:
    grouped: dict[tuple[int, str], list[MeasuredPoint]] = {}
    for number, session in enumerate(sessions):
        for point in session.points:
            grouped.setdefault((number, point.condition), []).append(point)
    conditions = {condition for _, condition in grouped}
    panels = []
    for index, ((number, condition), points) in enumerate(grouped.items()):
        session = sessions[number]
        told = [f"session {session.id}"] if len(sessions) > 1 else []
        told += [condition or "no overlay told"] if len(conditions) > 1 else []
        panels.append(Panel(index, ", ".join(told), session, tuple(points)))
    return panels
