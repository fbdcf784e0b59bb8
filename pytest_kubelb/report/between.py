"""The terminal's table of one backend against the other. Pure: values in, lines out.

What is paired is the level of a pass: the runs of one pass share its provisioning, and ten of them are no ten
observations of it. So one pass gives a ratio, and three an interval.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from pytest_kubelb.matrix import pods_label
from pytest_kubelb.report import ceilings, columns
from pytest_kubelb.report.columns import Column
from pytest_kubelb.text.spelling import rate
from pytest_kubelb.verdict import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.report.ceilings import Measured
    from pytest_kubelb.verdict.ratio import Ratio

_LEGEND: Final = (
    "{a}, {b}: requests/s, median of the passes' medians; ratio: {a}/{b}, pass by pass; interval: 95 %; a difference "
    "of less than {least:.1%} counts as none."
)
_UNEQUAL: Final = 0.005
"""Difference of the bytes per request from which on it is said: seven bytes of a Host header are 2 %."""


@dataclass(frozen=True)
class _Side:
    """One backend at one place."""

    passes: dict[int, list[float]]
    ceiling: str | None
    wire_bytes: list[float]

    @property
    def level(self) -> float:
        return statistics.median(statistics.median(rps) for rps in self.passes.values() if rps)


@dataclass(frozen=True)
class _Pair:
    where: str
    a: _Side
    b: _Side
    ratio: Ratio


def lines(points: Sequence[Measured], order: str, width: int) -> list[str]:
    """Give the lines for every pair of backends that share a place in the matrix; none with one backend.

    Places at a ceiling that is not the load balancer are named and left out: both sides would be that ceiling. Nothing
    is compared in an `order` in which a drift of the testbed would pass for a difference.
    """
    width = max(width, 20)
    places = _places(points)
    names = list(dict.fromkeys(name for sides in places.values() for name in sides))
    pairs = {
        (a, b): [
            _Pair(where, sides[a], sides[b], _judged(sides[a], sides[b]))
            for where, sides in places.items()
            if a in sides and b in sides
        ]
        for a, b in combinations(names, 2)
    }
    if not any(pairs.values()):
        return []
    if order != "paired":
        text = (
            f"not compared: in the order {order} a drift of the testbed would pass for a difference between "
            "backends (--kubelb-order paired)"
        )
        return columns.wrapped(text, width)
    return [line for (a, b), found in pairs.items() if found for line in _section(a, b, found, width)]


def _section(a: str, b: str, pairs: Sequence[_Pair], width: int) -> list[str]:
    shown: list[str] = []
    if judged := [pair for pair in pairs if pair.ratio.ratio is not None]:
        table, _ = columns.fitted(_columns(a, b, judged), width)
        shown += table
        shown += columns.wrapped(_LEGEND.format(a=a, b=b, least=judged[0].ratio.least), width)
    told: dict[str, list[str]] = {}
    for pair in pairs:
        if reason := _reason(a, b, pair):
            told.setdefault(reason, []).append(pair.where)
    unequal = [pair for pair in pairs if _unequal(pair)]
    if unequal:
        told[
            f"unequal bytes per request on the wire ({a}, {b}), which a full link would show as a difference"
        ] = [
            f"{pair.where} ({statistics.median(pair.a.wire_bytes):.0f}, {statistics.median(pair.b.wire_bytes):.0f})"
            for pair in unequal
        ]
    for reason, where in told.items():
        shown += columns.wrapped(f"{reason}: {', '.join(where)}", width)
    return shown


def _columns(a: str, b: str, pairs: Sequence[_Pair]) -> list[Column]:
    judged = [pair.ratio for pair in pairs]
    words = {"a_faster": f"{a} faster", "b_faster": f"{b} faster", "no_difference": "no difference"}
    return [
        Column("place", [pair.where for pair in pairs], number=False),
        Column(a, [rate(pair.a.level) for pair in pairs], rank=4),
        Column(b, [rate(pair.b.level) for pair in pairs], rank=3),
        Column("ratio", ["-" if each.ratio is None else f"{each.ratio:.3f}" for each in judged]),
        Column(
            "interval",
            [
                "-" if each.low is None or each.high is None else f"{each.low:.3f} {each.high:.3f}"
                for each in judged
            ],
            rank=2,
        ),
        Column("verdict", [words.get(each.verdict, each.verdict) for each in judged], number=False),
    ]


def _reason(a: str, b: str, pair: _Pair) -> str | None:
    at_ceiling = [
        f"{name} ({side.ceiling})"
        for name, side in ((a, pair.a), (b, pair.b))
        if not ceilings.ranks(side.ceiling)
    ]
    if at_ceiling:
        verb = "is" if len(at_ceiling) == 1 else "are"
        return f"not compared, {' and '.join(at_ceiling)} {verb} at a ceiling that is not the load balancer"
    if pair.ratio.verdict != "inconclusive":
        return None
    if 0 < pair.ratio.pairs < ratio.FEWEST_PAIRS:
        return (
            f"no verdict from {pair.ratio.pairs} of the {ratio.FEWEST_PAIRS} passes that an interval takes "
            f"(--kubelb-passes {ratio.FEWEST_PAIRS})"
        )
    return f"no verdict, {pair.ratio.reason}"


def _judged(a: _Side, b: _Side) -> Ratio:
    return ratio.judge(ratio.by_pass(a.passes, b.passes), ceilings=(a.ceiling, b.ceiling))


def _places(points: Sequence[Measured]) -> dict[str, dict[str, _Side]]:
    """Give place -> backend -> its side; the place is named by the axes that vary, and always by its pods."""
    axes = [
        {name: value for name, value in point.digest.point.items() if name != "backend"} for point in points
    ]
    varying = [
        name
        for name in (axes[0] if axes else ())
        if name == "pods" or len({each.get(name) for each in axes}) > 1
    ]
    most = max((int(each.get("pods", 1)) for each in axes), default=1)
    found: dict[str, dict[str, _Side]] = {}
    for point, each, limit in zip(points, axes, ceilings.of_points(points), strict=True):
        where = " ".join(
            pods_label(int(each[name]), most) if name == "pods" else str(each.get(name)) for name in varying
        )
        backend = str(point.digest.point.get("backend"))
        side = found.setdefault(where, {}).setdefault(backend, _Side({}, limit, []))
        if ceilings.ranks(side.ceiling) and not ceilings.ranks(limit):  # one pass at a ceiling is enough
            side = found[where][backend] = _Side(side.passes, limit, side.wire_bytes)
        for provisioning in point.digest.provisionings:
            side.passes.setdefault(provisioning.number, []).extend(provisioning.rps)
        side.wire_bytes.extend(point.digest.wire_bytes)
    return {
        where: {name: side for name, side in sides.items() if side.passes} for where, sides in found.items()
    }


def _unequal(pair: _Pair) -> bool:
    if not pair.a.wire_bytes or not pair.b.wire_bytes:
        return False
    a, b = statistics.median(pair.a.wire_bytes), statistics.median(pair.b.wire_bytes)
    return abs(a - b) > _UNEQUAL * max(a, b)
