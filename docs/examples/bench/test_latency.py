"""Latency through the load balancer, and whether all pods get their share of it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.convergence import Target
    from pytest_kubelb.record.sample import Series

LIMIT_MS = 250


@pytest.mark.kubelb(pods="1,4", runs=3, tolerance="50%")
def test_latency(wrk: Callable[[], Series], service: Target) -> None:
    """At one and at four pods the median run answers 99 of 100 requests within the limit."""
    series = wrk()
    results = [sample.result for sample in series.samples if sample.validity == "valid" and sample.result]
    p99_ms = statistics.median(result.latency.percentiles_us["99"] for result in results) / 1000
    assert len(service.endpoints) == series.point["pods"]
    assert p99_ms < LIMIT_MS, f"{service.url}: 99 % within {p99_ms:.1f} ms"


@pytest.mark.kubelb(backend="ipvs", pods=2)
def test_no_errors(wrk: Callable[[], Series]) -> None:
    """No run has a socket error or a status other than 2xx or 3xx."""
    for sample in wrk().samples:
        assert sample.result is not None, sample.reason
        errors = sample.result.errors
        assert (errors.connect, errors.read, errors.write, errors.status, errors.timeout) == (0, 0, 0, 0, 0)
