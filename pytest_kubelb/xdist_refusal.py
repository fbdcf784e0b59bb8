"""Refuse to measure on xdist workers. Touches nothing; registered as a plugin in xdist's controller only.

The controller does not collect and a worker cannot end the session, so the worker fails the collection of
the benches with a known sentence, and the controller turns that sentence into the usage error it is.
"""

from __future__ import annotations

import pytest

SENTENCE = (
    "pytest-kubelb: two benchmarks at once would measure each other, so points are not measured on "
    "pytest-xdist workers: run the benches without -n, or with -n 0."
)


def refuse_in_worker(config: pytest.Config) -> None:
    """Raise CollectError in a process that is an xdist worker."""
    if hasattr(config, "workerinput"):
        raise pytest.Collector.CollectError(SENTENCE)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """End the controller's session before any test has started."""
    if report.failed and SENTENCE in str(report.longrepr):
        raise pytest.UsageError(SENTENCE)
