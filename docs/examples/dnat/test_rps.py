"""Requests per second through each backend."""

from collections.abc import Callable

from pytest_kubelb.record.sample import Series


def test_rps(wrk: Callable[[], Series]) -> None:
    """Measure one point."""
    wrk()
