"""Show the runs of a point in pytest-benchmark's table, storage, comparison and JSON.

Touches the `benchmark` fixture it is given. pytest-benchmark measures seconds; it is handed a clock on which
each run takes 1/rps, so that its OPS column is requests/s. Its OPS is runs / total time: the harmonic mean of
the runs, which lies below their arithmetic mean by about CV^2 (0.25 % at a CV of 5 %).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pytest

    from pytest_kubelb.record.sample import Series


class Benchmark(Protocol):
    """What is used of pytest-benchmark's `benchmark` fixture, of version 5.1 and later."""

    extra_info: dict[str, object]
    disabled: bool
    skipped: bool
    has_error: bool
    _timer: Callable[[], float]

    def pedantic(self, target: Callable[[], None], *, setup: Callable[[], None], rounds: int) -> object:
        """Call `setup` and `target` once per round, and read the timer around `target`."""


RATES: Final = ["ops", "rounds"]
"""The columns of pytest-benchmark's table that mean something for points: the others are seconds per request."""


def show_rates_only(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Keep pytest-benchmark's table to requests/s and runs, so that it fits a terminal.

    Not where columns were chosen, or where other tests than those of points are in the table.
    """
    session = getattr(config, "_benchmarksession", None)
    if session is None or config.getoption("benchmark_columns", None):
        return
    shown = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
    if all("lb_point" in getattr(item, "fixturenames", ()) for item in shown):
        session.columns = RATES


def interrupted(benchmark: Benchmark) -> None:
    """Say that a point was cut off: else pytest-benchmark warns, which ends pytest where warnings are errors."""
    benchmark.skipped = True


class _RunClock:
    """A clock that stands still, but for one run at a time: 0 before it, 1/rps seconds after it."""

    # pytest-benchmark writes the timer's __name__ into its JSON.
    __name__ = "kubelb_run_clock"

    def __init__(self, periods_s: Iterator[float]) -> None:
        self._periods_s = periods_s
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def rewind(self) -> None:
        # From 0 each time: a difference of growing readings would lose digits.
        self._now_s = 0.0

    def run(self) -> None:
        # --benchmark-cprofile calls once more, after the last run.
        self._now_s = next(self._periods_s, 0.0)

    def stop(self) -> None:
        self._periods_s = iter(())


def export(benchmark: Benchmark, series: Series, *, failed: bool) -> None:
    """Hand the valid runs of a point to its item's `benchmark` fixture; to be called once per item.

    A point that `failed`, or has no run above 0 req/s, is marked as in error: it is not saved, and so never
    becomes part of a baseline. With `--benchmark-disable` nothing is shown or saved; pytest-benchmark's own
    settings of rounds and warm-up do not matter, for the runs are over.
    """
    rps = [value for value in series.valid_rps if value > 0]
    clock = _RunClock(1 / value for value in rps)
    benchmark.extra_info.update(
        point=dict(series.point), unit="requests/s", tolerance=series.tolerance, rps=list(series.valid_rps)
    )
    if not rps:
        # There is nothing to compute statistics of; disabled, pedantic() only notes that it was used.
        benchmark.disabled = True
    # pedantic() takes no timer, and the marker that does is read before the runs exist.
    benchmark._timer = clock
    benchmark.pedantic(clock.run, setup=clock.rewind, rounds=max(len(rps), 1))
    # pytest-benchmark keeps its timer to the end of the session, and would keep the runs with it.
    clock.stop()
    if failed or not rps:
        benchmark.has_error = True
