"""The verdicts on a recorded session: the same as pytest gives at its end, out of the same parts. Pure.

Against the baseline an item is judged by all provisionings of its point until then, those of earlier passes included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_kubelb.comparing import NotJudged
from pytest_kubelb.gate.outcome import Finding, Outcome, PointOutcome, Rules, SweepOutcome, is_measured
from pytest_kubelb.gate.plain import plain
from pytest_kubelb.record import history
from pytest_kubelb.record.points import PointKey, point_key, point_text
from pytest_kubelb.report import ceilings
from pytest_kubelb.verdict import regression, repeatability, sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.comparing import Comparison, Judgement
    from pytest_kubelb.gate.session import Item, Measured
    from pytest_kubelb.verdict.repeatability import Repeatability

    Cells: TypeAlias = Mapping[PointKey, Sequence[Sequence[float]]]  # the valid rps of each provisioning

NO_BASELINE: Final = "baseline: none was given, so nothing is judged against one (--baseline last:5 would be)"


def judge(
    measured: Measured,
    comparison: Comparison | None,
    rules: Rules,
    source: str,
    notes: Sequence[str] = (),
) -> Outcome:
    """Judge every item, every backend's sweep, and the session; `comparison` is None when no baseline was asked for.

    `source` is the file it comes from, and `notes` are what else to say of what was read, a sentence each.
    Raises ValueError for numbers that cannot be judged.
    """
    together: dict[PointKey, list[Sequence[float]]] = {}
    points = []
    spreads = [_spread(item, rules) for item in measured.items]
    limits = ceilings.of_series([item.series for item in measured.items])
    for item, spread, limit in zip(measured.items, spreads, limits, strict=True):
        groups = together.setdefault(point_key(item.series.point), [])
        groups.extend(item.series.provisionings)
        max_drop = rules.max_drop or item.max_drop
        judged = None
        if comparison is not None:
            judged = comparison.judge(
                item.series.point, groups if item.series.provisionings else [], max_drop
            )
        findings = _worst_first([*_of_judgement(item.id, judged), *_of_spread(item, spread)])
        points.append(PointOutcome(item.id, item.series, spread, judged, max_drop, limit, findings))
    sweeps = () if comparison is None else _sweeps(together, comparison, rules.max_drop or measured.max_drop)
    missing = () if comparison is None else comparison.missing(item.series.point for item in measured.items)
    of_baseline = () if comparison is None else comparison.notes
    said = (*measured.notes, *notes, *of_baseline)
    return Outcome(
        source=plain(source),
        measured=measured,
        points=tuple(points),
        sweeps=tuple(sweeps),
        title=NO_BASELINE if comparison is None else plain(comparison.title),
        compared=comparison is not None,
        missing=tuple(plain(each) for each in missing),
        notes=tuple(plain(each) for each in said),
        rules=rules,
        of_session=(*_of_end(measured), *_of_none_judged(points)),
    )


def _spread(item: Item, rules: Rules) -> Repeatability:
    series = item.series
    return repeatability.judge(series.valid_rps, tolerance=rules.tolerance or series.tolerance)


def _of_spread(item: Item, spread: Repeatability) -> list[Finding]:
    if not is_measured(item.series):
        said = "is inconclusive: not measured, its record has no run but warm-up runs; measure it again."
        return [Finding("inconclusive", f"{item.id} {said}")]
    if sentence := item.series.unspoken(item.id):
        return [Finding("unrepeatable", plain(sentence))]
    if spread.verdict == "repeatable":
        return []
    return [Finding(spread.verdict, repeatability.sentence(item.id, item.series.valid_rps, spread))]


def _of_judgement(label: str, judged: Judgement | None) -> list[Finding]:
    match judged:
        case NotJudged(reason):
            return [Finding("not judged", plain(f"{label} is not judged against the baseline: {reason}."))]
        case regression.Regression(verdict="regression"):
            return [Finding("regression", regression.sentence(label, judged))]
        case regression.Regression(verdict="retest" | "inconclusive"):
            return [Finding("inconclusive", regression.sentence(label, judged))]
    return []


def _sweeps(together: Cells, comparison: Comparison, max_drop: float) -> list[SweepOutcome]:
    backends: dict[str, list[PointKey]] = {}
    for key in together:
        if isinstance(name := dict(key).get("backend"), str):
            backends.setdefault(name, []).append(key)
    found = []
    for name, keys in backends.items():
        judged = comparison.judge_sweep([(dict(key), together[key]) for key in keys], max_drop)
        label = f"the sweep through {plain(name)}"
        if isinstance(judged, NotJudged):
            findings = _of_judgement(label, judged)
        else:
            kind = judged.overall.verdict
            said = sweep.sentence(label, judged, lambda key: plain(point_text(key)))
            findings = [] if kind == "pass" else [Finding("inconclusive" if kind == "retest" else kind, said)]
        found.append(SweepOutcome(plain(name), judged, tuple(findings)))
    return found


def _of_end(measured: Measured) -> list[Finding]:
    """Whatever its points say, a session that did not come to its end has not said all."""
    if measured.exit_code is None:
        said = "The session has no end: it was killed or still goes on, so points may be missing."
    elif measured.exit_code not in history.JUDGED:
        code = measured.exit_code
        said = (
            f"The session ended with pytest's exit code {code}: it did not come to its own end, so points may be "
            "missing."
        )
    else:
        return []
    return [Finding("inconclusive", said)]


def _of_none_judged(points: Sequence[PointOutcome]) -> list[Finding]:
    reasons = [point.judgement.reason for point in points if isinstance(point.judgement, NotJudged)]
    if not points or len(reasons) < len(points):
        return []
    others = len(set(reasons)) - 1
    more = f" (and {others} other {'reason' if others == 1 else 'reasons'})" if others else ""
    return [Finding("not judged", plain(f"No point is judged against the baseline: {reasons[0]}{more}."))]


def _worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    order = ("regression", "unrepeatable", "inconclusive", "not judged")
    return tuple(sorted(findings, key=lambda finding: order.index(finding.kind)))
