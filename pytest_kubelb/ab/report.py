"""What is shown of a comparison: lines for people, one JSON object for programs. Pure: values in, text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_kubelb.ab.outcome import Outcome
    from pytest_kubelb.ab.pairs import Pair
    from pytest_kubelb.ab.request import Request
    from pytest_kubelb.ab.side import Side

SCHEMA_VERSION: Final = 1
"""Of the JSON object."""


@dataclass(frozen=True)
class Plan:
    """What is going to be compared."""

    request: Request
    sides: tuple[Side, Side]
    record: Path


def heading(plan: Plan) -> list[str]:
    """Give the lines before the first pair."""
    settings, request = plan.request.settings, plan.request
    pods = f"{request.pods} {'pod' if request.pods == 1 else 'pods'}"
    load = f"-c{settings.connections.at(request.pods)} -t{settings.threads} -d{settings.duration}s"
    warmup = f"{settings.fewest_warmups} warm-up {'run' if settings.fewest_warmups == 1 else 'runs'} each"
    return [
        *(f"{side.letter.upper()}: {side.text} ({side.backend})" for side in plan.sides),
        f"{pods}, {request.overlay}, wrk {load}, {settings.runs} pairs after {warmup}",
        f"record: {plan.record}",
        "",
        f"{'pair':>4}  {'order':>5}  {'A req/s':>10}  {'B req/s':>10}  {'B/A':>6}",
    ]


def line(pair: Pair) -> str:
    """Give the table's line for one pair; the order says which side ran first."""
    shown = [f"{sample.result.rps:.1f}" if sample.result else "-" for sample in (pair.a, pair.b)]
    ratio = f"{pair.rps[1] / pair.rps[0]:.4f}" if pair.rps and pair.rps[0] else "-"
    remark = f"  {pair.reason}" if pair.reason else ""
    return (
        f"{pair.number + 1:>4}  {pair.order.upper():>5}  {shown[0]:>10}  {shown[1]:>10}  {ratio:>6}{remark}"
    )


def as_json(plan: Plan, pairs: Sequence[Pair], outcome: Outcome) -> dict[str, object]:
    """Give the whole comparison as one JSON object."""
    return {
        "schema_version": SCHEMA_VERSION,
        "record": str(plan.record),
        "point": {"pods": plan.request.pods, "overlay": plan.request.overlay},
        "sides": {side.letter: side.facts() for side in plan.sides},
        "settings": plan.request.settings.facts(),
        "pairs": [_pair(pair) for pair in pairs],
        "ratio": outcome.figures,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "sentence": outcome.sentence,
    }


def _pair(pair: Pair) -> dict[str, object]:
    runs = {
        side: {
            "rps": sample.result.rps if sample.result else None,
            "validity": sample.validity,
            "reason": sample.reason,
        }
        for side, sample in (("a", pair.a), ("b", pair.b))
    }
    return {"pair": pair.number, "order": pair.order, **runs}
