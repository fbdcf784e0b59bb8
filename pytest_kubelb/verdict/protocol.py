"""The gate's question-and-answer protocol: one JSON object each way. Touches nothing.

A question is `{"baseline": [[rps, ...], ...], "candidate": [rps, ...]}`, with `"candidates": [[rps, ...], ...]` once
the point was measured again: all its provisionings, the first one too. `candidates` is instead of `candidate`, which is
not read when both are there. Or `{"cells": {name: question}}` for a sweep in ladder order.
`"max_drop"` (a fraction, 0.05) may stand in either. All values are requests/s.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pytest_kubelb.verdict.regression import Regression, judge
from pytest_kubelb.verdict.sweep import judge_sweep

if TYPE_CHECKING:
    from pytest_kubelb.verdict.evidence import Verdict

    Runs = Sequence[float]

DEFAULT_MAX_DROP: Final = 0.05
OVERALL: Final = "*"
"""Name of the verdict on the whole sweep beside those of its points."""


def decide(baseline: Sequence[Runs], candidate: Runs) -> Verdict:
    """Judge a point by its first measurement."""
    return judge(baseline, [candidate]).verdict


def confirm(baseline: Sequence[Runs], candidates: Sequence[Runs]) -> Verdict:
    """Judge a point by all its measurements, each provisioned anew."""
    return judge(baseline, candidates).verdict


def decide_suite(cells: Mapping[str, tuple[Sequence[Runs], Sequence[Runs]]]) -> dict[str, Verdict]:
    """Judge a sweep: cells as (baseline, candidates); the verdict on the whole is that of `*`."""
    sweep = judge_sweep(cells)
    return {
        **{str(key): point.verdict for key, point in sweep.points.items()},
        OVERALL: sweep.overall.verdict,
    }


def answer(question: Mapping[str, object]) -> dict[str, object]:
    """Answer one question: `verdict` and its figures, or for a sweep `verdicts`, `overall` and the figures of each.

    Raises ValueError naming the field that is missing, unknown or not what it has to be.
    """
    max_drop = _max_drop(question)
    if "cells" not in question:
        _only(question, {"baseline", "candidate", "candidates", "max_drop"}, "")
        return _figures(judge(*_sides(question, ""), max_drop=max_drop))
    _only(question, {"cells", "max_drop"}, "")
    cells = question["cells"]
    if not isinstance(cells, Mapping) or not cells:
        raise ValueError(f"cells is {_shown(cells)}: it has to be an object with at least one point")
    sides = {}
    for name, cell in cells.items():
        where = f"cells.{name}"
        if not isinstance(cell, Mapping):
            raise ValueError(f"{where} is {_shown(cell)}: it has to be an object with baseline and candidate")
        _only(cell, {"baseline", "candidate", "candidates"}, f"{where}.")
        sides[name] = _sides(cell, f"{where}.")
    sweep = judge_sweep(sides, max_drop=max_drop)
    return {
        "verdicts": {str(name): point.verdict for name, point in sweep.points.items()},
        "overall": sweep.overall.verdict,
        "points": {str(name): _figures(point) for name, point in sweep.points.items()},
        "aggregate": _figures(sweep.overall),
    }


def _sides(question: Mapping[str, object], where: str) -> tuple[list[list[float]], list[list[float]]]:
    baseline = _sessions(question.get("baseline"), f"{where}baseline")
    if "candidates" in question:
        return baseline, _sessions(question["candidates"], f"{where}candidates")
    return baseline, [_runs(question.get("candidate"), f"{where}candidate")]


def _sessions(value: object, where: str) -> list[list[float]]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError(
            f"{where} is {_shown(value)}: it has to be a list of at least one session, each a list of rps"
        )
    return [_runs(session, f"{where}[{number}]") for number, session in enumerate(value)]


def _runs(value: object, where: str) -> list[float]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError(f"{where} is {_shown(value)}: it has to be a list of at least one requests/s value")
    for number, run in enumerate(value):
        good = isinstance(run, (int, float)) and not isinstance(run, bool)
        if not (good and _is_rate(run)):
            raise ValueError(
                f"{where}[{number}] is {_shown(run)}: it has to be a finite number of at least 0"
            )
    return [float(run) for run in value]


def _is_rate(value: float) -> bool:
    try:
        return math.isfinite(value) and value >= 0
    except OverflowError:  # an integer that no float holds
        return False


def _max_drop(question: Mapping[str, object]) -> float:
    value = question.get("max_drop", DEFAULT_MAX_DROP)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise ValueError(
            f"max_drop is {_shown(value)}: it has to be a fraction above 0 and below 1, such as 0.05"
        )
    return float(value)


def _only(question: Mapping[str, object], known: set[str], where: str) -> None:
    for name in question:
        if name not in known:
            raise ValueError(
                f"{where}{name} is not a field of a question; there are: {', '.join(sorted(known))}"
            )


def _figures(regression: Regression) -> dict[str, object]:
    """Give the fields as JSON can hold them: what is infinite becomes null."""
    fields = dataclasses.asdict(regression)
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in fields.items()
    }


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
