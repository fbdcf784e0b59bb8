"""The figures of recorded sessions as OpenMetrics text, for those who scrape. Pure: values in, text out.

Format: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md (version 1.0.0). Units are base
units and stand in the names: requests_per_second, seconds, ratio. Labels are the session, the pass and the axes of the
point; the timestamp of a point is the start of its last run, that of a session its own start.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from pytest_kubelb.gate.plain import plain
from pytest_kubelb.load.result import PERCENTILES
from pytest_kubelb.record.finding import CEILINGS
from pytest_kubelb.record.sample import VALIDITIES
from pytest_kubelb.report import ceilings
from pytest_kubelb.verdict.repeatability import Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_kubelb.gate.outcome import PointOutcome
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.report.recorded import Recorded

    Labels: TypeAlias = tuple[tuple[str, str], ...]

_RATE: Final = "requests_per_second"
_VERDICTS: Final = (*get_args(Word), "failed")


@dataclass
class _Family:
    """A metric family: all its samples have to stand together."""

    name: str
    kind: str
    unit: str
    help: str
    samples: dict[tuple[str, Labels], str] = field(default_factory=dict)

    def add(self, labels: Labels, value: float, at: str, suffix: str = "") -> None:
        # A point that is there twice would make the whole text invalid: the first one stays.
        self.samples.setdefault((suffix, labels), f"{value!r}{at}")

    def lines(self) -> Iterator[str]:
        if not self.samples:
            return
        yield f"# TYPE {self.name} {self.kind}"
        if self.unit:
            yield f"# UNIT {self.name} {self.unit}"
        yield f"# HELP {self.name} {self.help}"
        for (suffix, labels), value in self.samples.items():
            shown = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
            yield f"{self.name}{suffix}{{{shown}}} {value}"


def render(sessions: Sequence[Recorded]) -> str:
    """Give the text with its `# EOF`; what cannot be computed is left out."""
    families = {each.name: each for each in _families()}
    for session in sessions:
        _of_session(families, session)
        for point in session.outcome.points:
            _of_point(families, session.id, point)
    lines = [line for family in families.values() for line in family.lines()]
    return "\n".join([*lines, "# EOF", ""])


def _families() -> tuple[_Family, ...]:
    def gauge(name: str, unit: str, text: str) -> _Family:
        return _Family(f"kubelb_{name}", "gauge", unit, text)

    return (
        _Family("kubelb_session", "info", "", "A session, the testbed and the plugin it was measured with."),
        gauge("session_exit_code", "", "Exit code of the session; missing when it was killed."),
        gauge(f"point_median_{_RATE}", _RATE, "Median of the valid runs."),
        gauge(f"point_mean_{_RATE}", _RATE, "Mean of the valid runs."),
        gauge(f"point_repeatability_{_RATE}", _RATE, "Standard deviation of the valid runs, s_r."),
        gauge("point_cv_ratio", "ratio", "Coefficient of variation of the valid runs."),
        gauge(
            "point_tolerance_ratio", "ratio", "Largest coefficient of variation that counts as repeatable."
        ),
        gauge("point_runs", "", "Runs by their validity."),
        gauge("point_latency_seconds", "seconds", "Median over the valid runs of wrk's percentiles."),
        gauge("point_baseline_change_ratio", "ratio", "Change against the baseline, below 0 when slower."),
        gauge("point_baseline_visible_drop_ratio", "ratio", "Smallest drop that would have been seen."),
        _Family("kubelb_point_verdict", "stateset", "", "Does the point repeat."),
        _Family("kubelb_point_ceiling", "stateset", "", "What limited the point; missing without evidence."),
    )


def _of_session(families: Mapping[str, _Family], session: Recorded) -> None:
    versions = session.start.facts.get("versions")
    version = versions.get("pytest_kubelb") if isinstance(versions, dict) else None
    about = {
        "session": session.id,
        "testbed": session.outcome.measured.testbed,
        "pytest_kubelb": str(version or ""),
    }
    at = _timestamp(session.start.started)
    families["kubelb_session"].add(tuple(about.items()), 1, at, "_info")
    if session.end is not None:
        families["kubelb_session_exit_code"].add((("session", session.id),), session.end.exit_code, at)


def _of_point(families: Mapping[str, _Family], session: str, point: PointOutcome) -> None:
    samples = [each for group in (point.series.samples, *point.series.measured_anew) for each in group]
    at = _timestamp(samples[-1].started) if samples else ""
    number = samples[0].provisioning if samples else 1
    labels = _labels({"session": session, "pass": str(number)}, point.series.point)
    spread = point.repeatability
    figures = {
        f"median_{_RATE}": spread.median,
        f"mean_{_RATE}": spread.mean,
        f"repeatability_{_RATE}": spread.s_r,
        "cv_ratio": spread.cv,
        "tolerance_ratio": spread.tolerance,
        "baseline_change_ratio": None if point.judged is None else point.judged.change,
        "baseline_visible_drop_ratio": None if point.judged is None else point.judged.mde,
    }
    for name, value in figures.items():
        if value is not None:
            families[f"kubelb_point_{name}"].add(labels, value, at)
    counts = Counter(sample.validity for sample in samples)
    for word in VALIDITIES:
        families["kubelb_point_runs"].add((*labels, ("validity", word)), counts[word], at)
    for name, value in _percentiles(samples):
        families["kubelb_point_latency_seconds"].add((*labels, ("quantile", name)), value, at)
    _states(families["kubelb_point_verdict"], labels, _VERDICTS, point.spread_word, at)
    if (ceiling := ceilings.of_point(point.series)) is not None:
        _states(families["kubelb_point_ceiling"], labels, CEILINGS, ceiling, at)


def _states(family: _Family, labels: Labels, states: Sequence[str], current: str, at: str) -> None:
    for state in states:
        family.add((*labels, (family.name, state)), int(state == current), at)


def _percentiles(samples: Sequence[Sample]) -> Iterator[tuple[str, float]]:
    for name in PERCENTILES:
        known = [
            sample.result.latency.percentiles_us[name]
            for sample in samples
            if sample.validity == "valid" and sample.result and name in sample.result.latency.percentiles_us
        ]
        if known:
            yield f"{float(name) / 100:.6g}", statistics.median(known) / 1e6


def _labels(own: Mapping[str, str], axes: Mapping[str, str | int]) -> Labels:
    """Give our labels and the axes, whose names become such that a label may have, each once."""
    found = dict(own)
    taken = {*own, "validity", "quantile", "kubelb_point_verdict", "kubelb_point_ceiling"}
    for axis, value in axes.items():
        # A name that begins with two underscores is reserved.
        name = re.sub(r"[^a-zA-Z0-9_]", "_", axis).lstrip("_") or "axis"
        name = f"axis_{name}" if name[0].isdigit() or name in taken else name
        while name in taken:
            name += "_"
        taken.add(name)
        found[name] = plain(str(value))
    return tuple(found.items())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _timestamp(text: str) -> str:
    """Give ` seconds` since the epoch; nothing for a time that is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return f" {(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp():.3f}"
