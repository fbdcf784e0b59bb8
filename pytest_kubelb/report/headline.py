"""The verdict on a recorded session in one line. Pure: values in, words out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_kubelb.gate import words
from pytest_kubelb.gate.outcome import FAILING

if TYPE_CHECKING:
    from pytest_kubelb.report.recorded import Recorded


def of(session: Recorded) -> str:
    """Give the line: `20261123T…: 2 of 42 points failed: 1 unrepeatable, 1 regression; 3 inconclusive`."""
    return f"kubelb {session.id}: {_said(session)}"


def _said(session: Recorded) -> str:
    outcome = session.outcome
    if not outcome.points:
        return "nothing was measured"
    counts = Counter(point.worst for point in outcome.points)
    failed = sum(counts[kind] for kind in FAILING)
    parts = []
    if failed:
        kinds = ", ".join(f"{counts[kind]} {kind}" for kind in FAILING if counts[kind])
        parts.append(f"{failed} of {words.points_of(len(outcome.points))} failed ({kinds})")
    else:
        parts.append(f"{counts[None]} of {words.points_of(len(outcome.points))} passed")
    parts += [f"{counts[kind]} {kind}" for kind in ("inconclusive", "not judged") if counts[kind]]
    if outcome.incomplete:
        parts.append("the session did not come to its end")
    return "; ".join(parts)
