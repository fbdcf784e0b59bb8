"""One recorded session with its verdicts, as the reports tell it. Touches the file it is given, for reading.

The verdicts are those that the session gave, which stand in its record. What it did not judge, because it was killed or
was made of other logs, is judged as `kubelb gate` judges it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, get_args

from pytest_kubelb.comparing import NotJudged
from pytest_kubelb.errors import ConfigError
from pytest_kubelb.gate import verdicts
from pytest_kubelb.gate.outcome import Finding, PointOutcome, Rules
from pytest_kubelb.gate.plain import plain
from pytest_kubelb.gate.session import Gatherer
from pytest_kubelb.record import fingerprint
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.points import PointKey, point_key
from pytest_kubelb.record.resumption import settings_of_now
from pytest_kubelb.verdict import regression, repeatability
from pytest_kubelb.verdict.evidence import Verdict as RegressionWord
from pytest_kubelb.verdict.regression import Regression

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_kubelb.comparing import Judgement
    from pytest_kubelb.gate.outcome import Kind, Outcome
    from pytest_kubelb.record.sources import Source
    from pytest_kubelb.verdict.repeatability import Repeatability

_ORDER: Final[tuple[Kind, ...]] = ("regression", "unrepeatable", "inconclusive", "not judged")
_KINDS: Final[dict[str, Kind]] = {
    "regression": "regression",
    "retest": "inconclusive",
    "inconclusive": "inconclusive",
}
_COMPARED: Final = frozenset(each.name for each in fields(Regression))


@dataclass(frozen=True)
class Recorded:
    """A session that was read to its end."""

    source: Source
    start: SessionStart
    """With an empty id when the session died before its first line."""
    end: SessionEnd | None
    """None when the session was killed or still goes on."""
    outcome: Outcome
    """Every point and its verdicts."""
    fingerprint: fingerprint.Fingerprint
    """The testbed as it was found."""
    sweeps: tuple[str, ...]
    """The verdict on each backend's whole sweep, a sentence each."""

    @property
    def id(self) -> str:
        """The session's id, printable."""
        return self.outcome.measured.id or "without an id"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The testbed in words: name and value, both printable."""
        return [(plain(name), plain(value)) for name, value in fingerprint.told(self.fingerprint)]


@dataclass
class _Told:
    """What is kept of the lines beside the runs."""

    start: SessionStart
    end: SessionEnd | None
    verdicts: dict[tuple[PointKey, object], Verdict]
    sweeps: dict[str, str]
    testbed: list[Event]

    def hear(self, lines: Iterable[object]) -> None:
        for line in lines:
            match line:
                case SessionStart():
                    self.start = line
                case SessionEnd():
                    self.end = line
                case Verdict():
                    self.verdicts[point_key(line.point), line.figures.get("provisioning")] = line
                case Event(name="sweep"):
                    self.sweeps[str(line.details.get("backend"))] = plain(str(line.details.get("sentence")))
                case Event(name="testbed"):
                    self.testbed.append(line)
                case Event(name="resumed"):
                    self.start, self.end = settings_of_now(self.start, line), None


def read(source: Source) -> Recorded:
    """Read a session and its verdicts.

    Raises KubelbError for a damaged file, ConfigError for a session of `kubelb ab`, which has no points of its own.
    """
    gatherer = Gatherer()
    told = _Told(SessionStart("", "", {}, {}), None, {}, {}, [])
    told.hear(gatherer.watch(source.lines()))
    measured = gatherer.measured()
    if measured.of_ab:
        raise ConfigError(
            f"{plain(str(source.path))} is of an A/B session, whose report `kubelb ab` itself gives: name a session "
            "that pytest measured, or imported logs."
        )
    try:
        judged = verdicts.judge(measured, None, _rules(told.start), str(source.path))
    except ValueError as error:
        raise ConfigError(f"{source.path} cannot be judged: {error}.") from error
    compared = measured.baseline is not None
    outcome = replace(
        judged,
        points=tuple(_as_recorded(point, told.verdicts) for point in judged.points),
        title=f"baseline: {measured.baseline}" if compared else "baseline: none",
        compared=compared,
    )
    known = fingerprint.of(told.start, told.testbed, {})
    return Recorded(source, told.start, told.end, outcome, known, tuple(told.sweeps.values()))


def _rules(start: SessionStart) -> Rules:
    """Give the rules by which the session itself let a point pass; pytest lets pass what is inconclusive by default."""
    said = {name: start.settings.get(name) for name in ("on_inconclusive", "on_missing_baseline")}
    fails = {name for name, given in said.items() if isinstance(given, dict) and given.get("value") == "fail"}
    return Rules(
        on_inconclusive="fail" if "on_inconclusive" in fails else "pass",
        on_missing_baseline="fail" if "on_missing_baseline" in fails else "pass",
    )


def _as_recorded(point: PointOutcome, known: Mapping[tuple[PointKey, object], Verdict]) -> PointOutcome:
    """Give the point with the verdict that the session gave it; as it is where there is none."""
    number = point.series.samples[-1].provisioning if point.series.samples else None
    verdict = known.get((point_key(point.series.point), number))
    if verdict is None:
        return point
    spread = _spread(point.repeatability, verdict)
    judgement = _judgement(verdict.figures.get("against_baseline"))
    findings = [*_of_spread(point, spread), *_of_judgement(point.id, judgement)]
    findings.sort(key=lambda finding: _ORDER.index(finding.kind))
    if verdict.sentence is not None:
        # What pytest failed the item with: a hook may have judged it by rules of its own.
        kind: Kind = findings[0].kind if findings else "unrepeatable"
        findings = [Finding(kind, plain(verdict.sentence)), *findings[1:]]
    max_drop = judgement.max_drop if isinstance(judgement, Regression) else point.max_drop
    return replace(
        point, repeatability=spread, judgement=judgement, max_drop=max_drop, findings=tuple(findings)
    )


def _spread(computed: Repeatability, verdict: Verdict) -> Repeatability:
    """Give the computed figures with the word of the record, which a hook may have found by another rule."""
    words: dict[str, repeatability.Word] = {word: word for word in get_args(repeatability.Word)}
    word = words.get(verdict.verdict, computed.verdict)
    return computed if word == computed.verdict else replace(computed, verdict=word)


def _of_spread(point: PointOutcome, spread: Repeatability) -> list[Finding]:
    if spread == point.repeatability:
        return [finding for finding in point.findings if finding.kind in ("unrepeatable", "inconclusive")]
    if spread.verdict == "repeatable":
        return []
    return [Finding(spread.verdict, repeatability.sentence(point.id, point.series.valid_rps, spread))]


def _judgement(figures: object) -> Judgement | None:
    """Give the verdict against the baseline as it was recorded; None where there is none, or one of another version."""
    if not isinstance(figures, dict):
        return None
    if isinstance(reason := figures.get("reason"), str):
        return NotJudged(reason)
    known: dict[str, Any] = {name: figures.get(name) for name in _COMPARED}
    numbers = [value for name, value in known.items() if name not in ("verdict", "faster")]
    if known["verdict"] not in get_args(RegressionWord) or not all(map(_is_number, numbers)):
        return None
    return Regression(**known)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_judgement(label: str, judgement: Judgement | None) -> list[Finding]:
    if isinstance(judgement, NotJudged):
        said = f"{label} is not judged against the baseline: {judgement.reason}."
        return [Finding("not judged", plain(said))]
    if judgement is None or judgement.verdict not in _KINDS:
        return []
    return [Finding(_KINDS[judgement.verdict], regression.sentence(label, judgement))]
