"""Pairs to judge and to show in the tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_kubelb.ab.pairs import Pair, order_of
from tests.record.lines import POINT, sample

if TYPE_CHECKING:
    from collections.abc import Iterable


def pair(number: int, a: float, b: float, a_validity: str = "valid", b_validity: str = "valid") -> Pair:
    first, second = sample(number, a, a_validity), sample(number, b, b_validity)
    return Pair(
        number,
        order_of(number),
        replace(first, point={**POINT, "side": "a"}),
        replace(second, point={**POINT, "side": "b"}),
    )


def pairs(rps: Iterable[tuple[float, float]]) -> list[Pair]:
    return [pair(number, a, b) for number, (a, b) in enumerate(rps)]
