"""From the lines of one session to the level of each point: the requests/s of its valid runs. Pure; streams.

What stays of a session is eight bytes for each valid run, its fingerprint, and a few facts: a hundred sessions of
18,000 runs are 15 MB.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kubelb.record import fingerprint, history
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.record.reader import Note
from pytest_kubelb.record.resumption import Abandoned
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_kubelb.record.lines import Line


@dataclass(frozen=True)
class PointLevel:
    """The valid runs of one point in one session."""

    provisionings: Mapping[int, array[float]]
    """Number of the provisioning, ascending -> requests/s of its valid runs, in their order."""
    regressed: bool
    """The session itself judged the point to be slower than its baseline."""

    @property
    def rps(self) -> array[float]:
        """Requests/s of all valid runs, the first provisioning first."""
        together = array("d")
        for runs in self.provisionings.values():
            together.extend(runs)
        return together


@dataclass(frozen=True)
class SessionLevels:
    """What of one session can be compared with another."""

    session: str
    """The session's id; empty when it died before its first line."""
    started: str
    """ISO 8601, UTC."""
    points: Mapping[PointKey, PointLevel]
    """Points with at least one valid run, in the order in which they were first measured."""
    fingerprint: fingerprint.Fingerprint
    imported: bool
    """Made of other logs by `kubelb import`."""
    end: SessionEnd | None
    """None when the session was killed or still goes on."""
    runs: int
    """Runs of every validity, warm-up runs included."""
    notes: tuple[str, ...]
    """What the reader remarked about the file."""
    ab: bool = False
    """Measured by `kubelb ab`."""
    ab_verdict: str | None = None
    """The word on B against A; None when it did not come to that, and for other sessions."""

    @property
    def complete(self) -> bool:
        """Whether the session came to its own end; false also while it goes on."""
        return self.end is not None and history.came_to_its_end(self.end, ab=self.ab)

    @property
    def ending(self) -> str:
        """How the session ended, in words that follow its name."""
        if self.end is None:
            return "has no end"
        return f"ended with {'kubelb ab' if self.ab else 'pytest'}'s exit code {self.end.exit_code}"


@dataclass
class _Point:
    provisionings: dict[int, array[float]] = field(default_factory=dict)
    valid: dict[int, bytearray] = field(default_factory=dict)
    regressed: set[object] = field(default_factory=set)
    requests: int = 0
    bytes: int = 0
    said: dict[str, set[object]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        counts = sample.validity == "valid" and sample.result is not None
        self.valid.setdefault(sample.provisioning, bytearray()).append(counts)
        if sample.validity != "valid" or sample.result is None:
            return
        self.provisionings.setdefault(sample.provisioning, array("d")).append(sample.result.rps)
        self.requests += sample.result.requests
        self.bytes += sample.result.bytes
        for name, value in fingerprint.wrk_command_facts(sample.command).items():
            self.said.setdefault(name, set()).add(value)

    def load(self) -> dict[str, object]:
        """Give how the point was loaded; a list where its runs differ."""
        found: dict[str, object] = {
            name: next(iter(values)) if len(values) == 1 else sorted(values, key=str)
            for name, values in sorted(self.said.items())
        }
        if self.requests and self.bytes:
            found["bytes_per_request"] = round(self.bytes / self.requests, 1)
        return found

    def judged(self, verdict: Verdict) -> None:
        # A session that was resumed judges again.
        number = verdict.figures.get("provisioning")
        (self.regressed.add if _says_regression(verdict) else self.regressed.discard)(number)

    def forget(self, key: PointKey, abandoned: Abandoned) -> None:
        """Leave out the runs that were abandoned, and what was concluded from them alone."""
        for number, valid in self.valid.items():
            counting = abandoned.counting(key, number, valid)
            if len(counting) < len(valid) and number in self.provisionings:
                self.provisionings[number] = self.provisionings[number][: sum(counting)]
                if not self.provisionings[number]:
                    del self.provisionings[number]
        self.regressed = {
            number
            for number in self.regressed
            if not isinstance(number, int) or abandoned.counts(key, number)
        }

    def level(self) -> PointLevel:
        return PointLevel(dict(sorted(self.provisionings.items())), bool(self.regressed))


def load_of(samples: Iterable[Sample]) -> dict[str, object]:
    """Give how the valid ones of one point's runs loaded it, as `fingerprint.of` has it under `points`."""
    point = _Point()
    for sample in samples:
        point.add(sample)
    return point.load()


def read(lines: Iterable[Line | Note]) -> SessionLevels:
    """Read one session to its end; runs that are not valid are out. Raises what `lines` raises."""
    start, end = SessionStart("", "", {}, {}), None
    points: dict[PointKey, _Point] = {}
    events: list[Event] = []
    notes: list[str] = []
    abandoned = Abandoned()
    runs = 0
    word: str | None = None
    for line in lines:
        match line:
            case Sample():
                runs += 1
                points.setdefault(point_key(line.point), _Point()).add(line)
            case Verdict():
                points.setdefault(point_key(line.point), _Point()).judged(line)
                word = line.verdict
            case SessionStart():
                start = line
            case SessionEnd():
                end = line
            case Note():
                notes.append(line.text)
            case Event():
                events += [line] if line.name == "testbed" else []
                end = None if abandoned.hear(line) else end
    for key, point in points.items():
        point.forget(key, abandoned)
    ab = history.is_ab(start)
    measured = {key: point for key, point in points.items() if point.provisionings}
    return SessionLevels(
        session=start.session,
        started=start.started,
        points={key: point.level() for key, point in measured.items()},
        fingerprint=fingerprint.of(start, events, {key: point.load() for key, point in measured.items()}),
        imported=history.is_imported(start),
        end=end,
        runs=runs,
        notes=tuple(notes),
        ab=ab,
        ab_verdict=word if ab else None,
    )


def _says_regression(line: Verdict) -> bool:
    against = line.figures.get("against_baseline")
    word = against.get("verdict") if isinstance(against, dict) else None
    return "regression" in (line.verdict, word)
