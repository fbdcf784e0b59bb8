"""What the outcome says in words, shared by the renderers, so that they say the same. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_kubelb.comparing import NotJudged
from pytest_kubelb.gate.plain import plain
from pytest_kubelb.report import terminal
from pytest_kubelb.text.spelling import rate
from pytest_kubelb.verdict.repeatability import SESSION_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kubelb.gate.outcome import Kind, Outcome, PointOutcome, SweepOutcome
    from pytest_kubelb.verdict.regression import Regression

ORDER: Final[tuple[Kind | None, ...]] = ("regression", "unrepeatable", "inconclusive", "not judged", None)
"""Findings, the worst first; None is what passes."""
_SAID: Final[dict[Kind, str]] = {"not judged": "not judged against the baseline"}
_MOST_NAMES: Final = 50
_OPTIONS_OF_PYTEST: Final = ("--kubelb-tolerance", "--kubelb-max-drop")
_OPTIONS_HERE: Final = (
    "--kubelb-tolerance and --kubelb-max-drop are for the next session; this one is judged by other limits with "
    "kubelb gate --tolerance and --max-drop."
)
_LEGEND: Final = "runs: valid of all; rps: mean of the valid runs; CV: their spread"
_LEGEND_OF_BASELINE: Final = (
    "change: against the baseline; MDE: the smallest drop that would have been seen, so a pass says nothing "
    "about smaller ones"
)


def summary(outcome: Outcome) -> str:
    """Give the verdict in one line: the word, the exit code, and what made it."""
    counts = Counter(finding.kind for point in outcome.points for finding in point.findings)
    said = [f"{points_of(counts[kind])} {_SAID.get(kind, kind)}" for kind in ORDER if kind and counts[kind]]
    said += [f"sweep through {each.backend} {each.word}" for each in outcome.sweeps if each.findings]
    if not outcome.compared:
        said.append("not judged against a baseline")
    if not outcome.points:
        said = ["nothing was measured"]
    elif not counts and outcome.compared:
        be = "is" if len(outcome.points) == 1 else "are"
        said.append(f"{_repeating(outcome)} and {be} not slower than the baseline")
    elif not counts:
        said.insert(0, _repeating(outcome))
    if outcome.incomplete:
        said.append("the session did not come to its end")
    return f"{outcome.word} (exit code {outcome.exit_code}): {', '.join(said)}"


def head(outcome: Outcome) -> list[str]:
    """Say what was judged: the session, the file, the baseline, the session as a whole; a line each."""
    measured = outcome.measured
    testbed = f" on {measured.testbed}" if measured.testbed else ""
    return [
        f"session {measured.id or 'without an id'}{testbed}: {points_of(len(outcome.points))}, {_runs(measured.runs)}",
        f"from {outcome.source}",
        outcome.title,
        _whole_session(outcome),
    ]


def sweep_line(sweep: SweepOutcome) -> str:
    """Give the verdict on one backend's sweep, with its numbers."""
    if isinstance(sweep.judgement, NotJudged):
        return f"sweep through {sweep.backend}: not judged, {plain(sweep.judgement.reason)}"
    judged = sweep.judgement.overall
    return (
        f"sweep through {sweep.backend}: {sweep.word}, {percent(judged.change)} "
        f"({percent(judged.low)} to {percent(judged.high)}) over {points_of(len(sweep.judgement.points))}, "
        f"a drop of {judged.mde:.1%} would have been seen"
    )


def notes(outcome: Outcome) -> list[str]:
    """Give what else has to be said aloud, a sentence each.

    Not judged, missing, stale, at a ceiling; what the session's own terminal says of the runs; of the files.
    """
    said = [
        f"Not judged against the baseline, {reason}: {_some(ids)}."
        for reason, ids in _not_judged(outcome.points).items()
    ]
    if not outcome.compared and outcome.measured.baseline:
        said.append(
            f"The session itself was compared with {outcome.measured.baseline}; here no baseline was given."
        )
    if outcome.missing:
        said.append(f"In the baseline and not measured here: {_some(outcome.missing, '; ')}.")
    faster = [point.id for point in outcome.points if point.judged is not None and point.judged.faster]
    if faster:
        said.append(f"Faster than the baseline, which is stale there: {_some(faster)}.")
    if at_ceiling := [point.id for point in outcome.points if point.at_ceiling]:
        said.append(
            "At a ceiling (*) that is not the load balancer, where a slower one would not show: "
            f"{_some(at_ceiling)}."
        )
    said += _of_terminal(outcome.points)
    if any(option in each.sentence for each in outcome.findings for option in _OPTIONS_OF_PYTEST):
        said.append(_OPTIONS_HERE)
    return [*said, *outcome.notes]


def _of_terminal(points: Sequence[PointOutcome]) -> list[str]:
    # Without a valid run the terminal would call the runs too few for their spread; points at a ceiling stand above.
    told = terminal.notes([each for each in points if each.repeatability.runs])
    return [f"Points {note}." for note in told if not note.startswith("at a ceiling")]


def legend(outcome: Outcome) -> str:
    """Say what the columns are."""
    tolerances = _shares(point.repeatability.tolerance for point in outcome.points)
    said = [f"{_LEGEND}, tolerated up to {tolerances}"]
    if outcome.compared:
        said.append(_LEGEND_OF_BASELINE)
        said.append(f"a drop of {_shares(point.max_drop for point in outcome.points)} must not pass")
    return f"{'; '.join(said)}."


def sentences(outcome: Outcome) -> list[str]:
    """Give the sentence of every finding, the worst first.

    Points and sweeps that are not judged stand elsewhere: in `notes`, one sentence for all of a reason, and in
    `sweep_line`.
    """
    found = [each for each in outcome.findings if each.kind != "not judged" or each in outcome.of_session]
    return [finding.sentence for finding in sorted(found, key=lambda each: ORDER.index(each.kind))]


def worst_first(points: Sequence[PointOutcome]) -> list[PointOutcome]:
    """Give the points in the order of `ORDER`, else as they were."""
    return sorted(points, key=lambda point: ORDER.index(point.worst))


def cells(point: PointOutcome) -> tuple[str, ...]:
    """Give a point's row: id, runs, rps, CV, verdict on its spread, change, MDE, verdict against the baseline."""
    spread, judged = point.repeatability, point.judged
    runs = sum(sample.validity != "warmup" for sample in point.series.samples)
    return (
        point.id,
        f"{spread.runs}/{runs}",
        rate(spread.mean),
        "-" if spread.cv is None else f"{spread.cv:.2%}",
        f"{point.spread_word}{'*' if point.at_ceiling else ''}",
        *_against(judged),
        point.baseline_word,
    )


def percent(change: float) -> str:
    """Give a change in per cent, with its sign; beyond a factor of ten only that it is."""
    return f"{change:+.1%}" if change < 10 else ">+999%"


def _against(judged: Regression | None) -> tuple[str, str]:
    return ("-", "-") if judged is None else (percent(judged.change), f"{judged.mde:.1%}")


def _whole_session(outcome: Outcome) -> str:
    sick = sum(point.spread_word in ("failed", "unrepeatable") for point in outcome.points)
    unsure = sum(point.spread_word == "inconclusive" for point in outcome.points)
    said = f"the session as a whole: {outcome.session_word}"
    if not outcome.points:
        return f"{said}; nothing was measured"
    if len(outcome.points) == 1:
        does = "does not repeat" if sick else "may not repeat" if unsure else "repeats"
        return f"{said}; its only point {does}"
    does, also = "does" if sick == 1 else "do", f", {unsure} may not" if unsure else ""
    return (
        f"{said}; {sick} of {len(outcome.points)} points {does} not repeat ({sick / len(outcome.points):.0%}){also}, "
        f"and more than {SESSION_SHARE:.0%} make it unrepeatable"
    )


def _not_judged(points: Iterable[PointOutcome]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for point in points:
        if isinstance(point.judgement, NotJudged):
            found.setdefault(plain(point.judgement.reason), []).append(point.id)
    return found


def _some(names: Sequence[str], comma: str = ", ") -> str:
    shown = comma.join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _shares(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.4g}%" for value in sorted({round(100 * value, 6) for value in values}))


def _runs(count: int) -> str:
    return f"{count} {'run' if count == 1 else 'runs'}"


def _repeating(outcome: Outcome) -> str:
    count = len(outcome.points)
    return f"{points_of(count)} {'repeats' if count == 1 else 'repeat'}"


def points_of(count: int) -> str:
    """Give a number of points, in words that agree with it."""
    return f"{count} {'point' if count == 1 else 'points'}"
