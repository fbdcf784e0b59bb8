"""What the report shows, as values: sessions, their points, and the panels these are drawn in. Touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.report.html.interval import Interval
    from pytest_kubelb.verdict.repeatability import Repeatability

Delta: TypeAlias = "Mapping[str, object]"
"""A HostDelta as JSON, as `evidence.jsonl` has it."""


@dataclass(frozen=True)
class Spread:
    """The runs of one provisioning of a point."""

    provisioning: int
    judged: Repeatability
    word: str
    """The verdict: the session's own, or what its runs give where the session left none."""
    sentence: str | None
    """Why the session failed the point; None when it did not."""
    recorded: bool
    """The verdict is the session's own."""


@dataclass(frozen=True)
class MeasuredPoint:
    """One point in one session, with all its runs."""

    index: int
    """Its number in this report, from 0."""
    session: str
    axes: Mapping[str, str | int]
    backend: str
    pods: int
    condition: str
    """The other axes in words; empty where they say nothing."""
    samples: Sequence[Sample]
    spreads: Sequence[Spread]
    interval: Interval | None
    """Of the median of the valid runs of all provisionings."""
    ceiling: str | None
    """What limited it; `unnamed` where the spread alone tells; None when that is not known."""
    change: Mapping[str, object] | None
    """Against the baseline, as the session judged it."""

    @property
    def name(self) -> str:
        """The point in words: `ipvs, 4 pods, vxlan`."""
        pods = f"{self.pods} {'pod' if self.pods == 1 else 'pods'}"
        return ", ".join(part for part in (self.backend, pods, self.condition) if part)

    @cached_property
    def runs(self) -> Sequence[Sample]:
        """The runs without the warm-up runs."""
        return [sample for sample in self.samples if sample.validity != "warmup"]

    @cached_property
    def valid(self) -> Sequence[Sample]:
        """The runs that are judged."""
        return [sample for sample in self.samples if sample.validity == "valid"]

    @cached_property
    def rps(self) -> Sequence[float]:
        """Requests/s of the valid runs."""
        return [sample.result.rps for sample in self.valid if sample.result is not None]

    @property
    def median(self) -> float | None:
        """Of the valid runs, requests/s."""
        return None if self.interval is None else self.interval.median

    @property
    def word(self) -> str:
        """The worst verdict of its provisionings, `failed` when a run gave no result."""
        words = {spread.word for spread in self.spreads}
        if any(sample.validity == "failed" for sample in self.samples):
            return "failed"
        return next(
            (word for word in ("unrepeatable", "inconclusive", "repeatable") if word in words), "not judged"
        )

    @property
    def widest(self) -> Spread | None:
        """The provisioning with the largest CV."""
        known = [spread for spread in self.spreads if spread.judged.cv is not None]
        return max(known, key=lambda spread: spread.judged.cv or 0.0, default=None)

    @property
    def collapsed(self) -> int:
        """Runs that collapsed."""
        return sum(len(spread.judged.collapsed) for spread in self.spreads)

    @property
    def ranks(self) -> bool:
        """False at a ceiling that is not the load balancer: the point says nothing about it."""
        return self.ceiling in (None, "none", "unknown", "lb_cpu")


@dataclass(frozen=True)
class Session:
    """One session's record."""

    id: str
    start: SessionStart
    end: SessionEnd | None
    facts: Mapping[str, object]
    """Those of its beginning, and what it learnt of the testbed later."""
    events: Sequence[Event]
    notes: Sequence[str]
    points: Sequence[MeasuredPoint]
    evidence: Mapping[int, Evidence] = field(default_factory=dict)
    """By the index of the point."""
    evidence_runs: int = 0
    """Runs that have evidence."""


@dataclass(frozen=True)
class Evidence:
    """What the hosts counted around the run of a point that lies nearest to its median."""

    run: int
    provisioning: int
    hosts: Mapping[str, Delta]
    before: Mapping[str, Delta]
    """The same of a stretch before any run under this tuning; empty where none was recorded."""


@dataclass(frozen=True)
class Panel:
    """What is drawn in one picture: the points of one session under one condition."""

    number: int
    title: str
    """What tells it from the other panels; empty when there is one."""
    session: Session
    points: Sequence[MeasuredPoint]

    def of(self, backend: str) -> list[MeasuredPoint]:
        """Give the points of a backend in the order of their pods."""
        return sorted(
            (point for point in self.points if point.backend == backend), key=lambda point: point.pods
        )

    @cached_property
    def backends(self) -> list[str]:
        """In the order in which they were first measured."""
        return list(dict.fromkeys(point.backend for point in self.points))

    @cached_property
    def pods(self) -> list[int]:
        """Pod counts, ascending."""
        return sorted({point.pods for point in self.points})


@dataclass(frozen=True)
class Sheet:
    """All that the report shows."""

    sessions: Sequence[Session]
    panels: Sequence[Panel]
    backends: Sequence[str]
    """In the order in which they were first measured: their place gives colour and shape everywhere."""

    @cached_property
    def points(self) -> list[MeasuredPoint]:
        """Of all sessions; each stands at its index."""
        return [point for session in self.sessions for point in session.points]
