"""Requests per second through the load balancer, at every point of the matrix, and of each backend as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.record.sample import Series


def test_rps(wrk: Callable[[], Series]) -> None:
    """Run wrk at one point as often as --kubelb-runs says; the point fails when its runs do not repeat."""
    wrk()


def test_sweep(sweep: Callable[[], None]) -> None:
    """Compare all points of a backend together with --kubelb-baseline; fails when the backend became slower."""
    sweep()
