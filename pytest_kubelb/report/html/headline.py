"""The first lines of the report: which is faster, does it repeat, can it be trusted. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_kubelb.report.html import ratios, words
from pytest_kubelb.text.spelling import rate
from pytest_kubelb.verdict import ratio, repeatability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kubelb.report.html.model import MeasuredPoint, Sheet
    from pytest_kubelb.report.html.ratios import Compared


State: TypeAlias = Literal["told", "good", "partly", "bad"]


@dataclass(frozen=True)
class Answer:
    """One question with its answer."""

    question: str
    state: State
    """Gives colour and sign; `word` says it."""
    word: str
    clause: str
    """The same as a part of the one line."""
    details: Sequence[str]
    """Sentences with the figures."""


def answers(sheet: Sheet) -> tuple[Answer, Answer, Answer]:
    """Give the three answers: faster, repeats, trusted."""
    return _faster(sheet), _repeats(sheet.points), _trusted(sheet)


def line(sheet: Sheet, given: Sequence[Answer]) -> str:
    """Give the verdict in one line."""
    if not sheet.points:
        return "Nothing was measured."
    return "; ".join(answer.clause for answer in given) + "."


def _faster(sheet: Sheet) -> Answer:
    question = "Which is faster?"
    found = [
        each
        for panel in sheet.panels
        for a, b in ratios.pairs_of(panel)
        for each in ratios.compared(panel, a, b)
    ]
    if not found:
        word = _alone(sheet)
        return Answer(question, "told", word, word, _peaks(sheet))
    judged = [each for each in found if not each.forbidden]
    winners = Counter(
        each.a.backend if each.judged.verdict == "a_faster" else each.b.backend
        for each in judged
        if each.judged.verdict in ("a_faster", "b_faster")
    )
    what = "comparisons" if len(sheet.panels) > 1 else "pod counts"
    if not winners:
        word = f"No backend is shown to be faster at any of {len(found)} {what}"
    else:
        told = [f"{name} is faster at {count}" for name, count in winners.most_common()]
        word = f"{', '.join(told)} of {len(found)} {what}"
    return Answer(question, "told", word, word, [*_margins(judged), *_unranked(found), *_peaks(sheet)])


def _alone(sheet: Sheet) -> str:
    if len(sheet.backends) == 1:
        return f"Only {sheet.backends[0]} was measured"
    return "No two backends were measured at the same pod count"


def _margins(judged: Iterable[Compared]) -> list[str]:
    margins: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for each in judged:
        factor = each.judged.ratio
        if factor and each.judged.verdict == "a_faster":
            margins.setdefault((each.a.backend, each.b.backend), []).append((factor - 1, each.a.pods))
        elif factor and each.judged.verdict == "b_faster":
            margins.setdefault((each.b.backend, each.a.backend), []).append((1 / factor - 1, each.a.pods))
    said = []
    for (winner, loser), found in margins.items():
        least, most = min(found), max(found)
        how = f"by {100 * most[0]:.1f} % at {words.pods(most[1])}"
        if len(found) > 1:
            how = f"by {100 * least[0]:.1f} % ({words.pods(least[1])}) to {100 * most[0]:.1f} % ({words.pods(most[1])})"
        said.append(f"{winner} is faster than {loser} {how}.")
    return said


def _unranked(found: Sequence[Compared]) -> list[str]:
    kinds = Counter(each.judged.verdict for each in found)
    said = []
    at_ceiling = sum(not (each.a.ranks and each.b.ranks) for each in found)
    if at_ceiling:
        said.append(f"{at_ceiling} at a ceiling that is not the load balancer: they rank nothing.")
    if others := dict.fromkeys(
        each.judged.reason for each in found if each.forbidden and each.a.ranks and each.b.ranks
    ):
        said.append(f"{kinds['not_judged'] - at_ceiling} not judged: {'; '.join(map(str, others))}.")
    if count := kinds["no_difference"]:
        said.append(f"{count} without a difference.")
    if count := kinds["inconclusive"]:
        few = any(
            each.judged.verdict == "inconclusive" and each.judged.pairs < ratio.FEWEST_PAIRS for each in found
        )
        why = f": fewer than {ratio.FEWEST_PAIRS} passes, see --kubelb-passes" if few else ""
        said.append(f"{count} inconclusive{why}.")
    return said


def _peaks(sheet: Sheet) -> list[str]:
    said = []
    for backend in sheet.backends:
        known = [point for point in sheet.points if point.backend == backend and point.median is not None]
        if known:
            top = max(known, key=lambda point: point.median or 0.0)
            said.append(f"{backend} peaks at {rate(top.median)} req/s ({words.pods(top.pods)}).")
    return said


def _repeats(points: Sequence[MeasuredPoint]) -> Answer:
    question = "Does it repeat?"
    kinds = Counter(point.word for point in points)
    total, good = len(points), kinds["repeatable"]
    tolerances = sorted({spread.judged.tolerance for point in points for spread in point.spreads})
    told = " or ".join(words.share(value, 1) for value in tolerances) or words.NOT_KNOWN
    details = [
        f"{good} of {words.counted(total, 'point')} {'repeats' if good == 1 else 'repeat'} within a CV of {told}."
    ]
    details += [
        f"{words.counted(kinds[kind], 'point')} {kind}."
        for kind in ("failed", "unrepeatable", "inconclusive", "not judged")
        if kinds[kind]
    ]
    if collapsed := sum(point.collapsed for point in points):
        details.append(
            f"{words.counted(collapsed, 'valid run')} collapsed far below the median of the point."
        )
    if good == total and total:
        return Answer(question, "good", "Yes", f"all {words.counted(total, 'point')} repeat", details)
    clause = f"{good} of {words.counted(total, 'point')} {'repeats' if good == 1 else 'repeat'}"
    judged: list[repeatability.Word] = [
        "repeatable"
        if point.word == "repeatable"
        else "inconclusive"
        if point.word in ("inconclusive", "not judged")
        else "unrepeatable"
        for point in points
    ]
    if repeatability.session_verdict(judged) == "unrepeatable":
        return Answer(question, "bad", f"No, {total - good} of {total} points do not", clause, details)
    return Answer(question, "partly", f"At {good} of {total} points", clause, details)


def _trusted(sheet: Sheet) -> Answer:
    points = sheet.points
    runs = [run for point in points for run in point.runs]
    kinds = Counter(run.validity for run in runs)
    details = [f"{kinds['valid']:,} of {words.counted(len(runs), 'run')} valid."]
    odd = [f"{kinds[kind]:,} {kind}" for kind in ("stalled", "contaminated", "failed") if kinds[kind]]
    if odd:
        details.append(f"{', '.join(odd)}.")
    ceilings = Counter(point.ceiling for point in points if not point.ranks)
    if ceilings:
        named = ", ".join(f"{name} at {count}" for name, count in ceilings.most_common())
        details.append(
            f"{words.counted(sum(ceilings.values()), 'point')} at a ceiling that is not the load balancer ({named})."
        )
    evidence = sum(session.evidence_runs for session in sheet.sessions)
    if evidence:
        details.append(f"Evidence of {words.counted(evidence, 'run')}.")
    else:
        details.append("No evidence was recorded: what limited a point is told by its spread alone.")
    killed = sum(session.end is None for session in sheet.sessions)
    if killed:
        details.append(f"{words.counted(killed, 'session')} did not come to an end.")
    unknown = sum(point.ceiling in (None, "unknown") for point in points)
    if unknown and evidence:
        details.append(f"What limited {words.counted(unknown, 'point')} is not known.")
    whole = bool(evidence) and not killed and not unknown
    return Answer("Can it be trusted?", *_trust(len(runs), kinds["valid"], bool(ceilings), whole), details)


def _trust(runs: int, valid: int, ceilings: bool, whole: bool) -> tuple[State, str, str]:
    """Give state, word and clause."""
    if not runs or valid < 0.8 * runs:
        return (
            "bad",
            f"No, {runs - valid:,} of {runs:,} runs are not valid",
            "too many runs are not valid to trust it",
        )
    if valid == runs and not ceilings and whole:
        return "good", "Yes", "all runs are valid and no ceiling hides the load balancer"
    if ceilings:
        return "partly", "Only below the ceilings", "it can be trusted only below the ceilings"
    if not whole:
        return "partly", "As far as the runs tell", "what limited it is not known"
    return "partly", "In the valid runs", f"{valid:,} of {runs:,} runs are valid"
