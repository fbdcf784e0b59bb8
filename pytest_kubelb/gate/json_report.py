"""The outcome as one JSON object; docs/gate.md describes it. Pure: values in, JSON values out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from pytest_kubelb import __version__
from pytest_kubelb.comparing import NotJudged
from pytest_kubelb.gate import words
from pytest_kubelb.gate.stream import finite

if TYPE_CHECKING:
    from pytest_kubelb.comparing import Judgement
    from pytest_kubelb.gate.outcome import Finding, Outcome, PointOutcome, SweepOutcome

SCHEMA: Final = "pytest-kubelb-gate"
SCHEMA_VERSION: Final = 1


def build(outcome: Outcome) -> object:
    """Give the report; a number that JSON does not have (an MDE without limit) is null."""
    measured = outcome.measured
    return finite(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "pytest_kubelb": __version__,
            "verdict": outcome.word,
            "exit_code": outcome.exit_code,
            "summary": words.summary(outcome),
            "source": outcome.source,
            "session": {
                "id": measured.id,
                "started": measured.started,
                "testbed": measured.testbed,
                "exit_code": measured.exit_code,
                "runs": measured.runs,
                "verdict": outcome.session_word,
                "findings": _findings(outcome.of_session),
            },
            "baseline": {"compared": outcome.compared, "title": outcome.title, "missing": outcome.missing},
            "rules": asdict(outcome.rules),
            "points": [_point(point) for point in outcome.points],
            "sweeps": [_sweep(sweep) for sweep in outcome.sweeps],
            "notes": outcome.notes,
        }
    )


def _point(point: PointOutcome) -> dict[str, object]:
    return {
        "id": point.id,
        "point": dict(point.series.point),
        "verdict": point.worst or "pass",
        "rps": point.series.valid_rps,
        "measured_anew": point.series.provisionings[1:],
        "invalid": [
            {"run": sample.run, "validity": sample.validity, "reason": sample.reason}
            for sample in point.series.samples
            if sample.validity not in ("valid", "warmup")
        ],
        "ceiling": point.ceiling,
        "at_ceiling": point.at_ceiling,
        "repeatability": {**asdict(point.repeatability), "verdict": point.spread_word},
        "against_baseline": None if point.judgement is None else _judgement(point.judgement),
        "findings": _findings(point.findings),
    }


def _sweep(sweep: SweepOutcome) -> dict[str, object]:
    judged = sweep.judgement
    return {
        "backend": sweep.backend,
        "verdict": sweep.word,
        "points": 0 if isinstance(judged, NotJudged) else len(judged.points),
        "against_baseline": _judgement(judged if isinstance(judged, NotJudged) else judged.overall),
        "findings": _findings(sweep.findings),
    }


def _judgement(judgement: Judgement) -> dict[str, object]:
    if isinstance(judgement, NotJudged):
        return {"verdict": "not judged", "reason": judgement.reason}
    return asdict(judgement)


def _findings(findings: tuple[Finding, ...]) -> list[dict[str, object]]:
    return [asdict(finding) for finding in findings]
