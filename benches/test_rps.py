"""Requests per second through the load balancer, at every point of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.record.sample import Series


def test_rps(wrk: Callable[[], Series]) -> None:
    """Run wrk at one point as often as --kubelb-runs says; the point fails when its runs do not repeat."""
    wrk()
