"""What a session holds in memory when its last point is over: nothing of its runs, and little of its points.

Counted are the bytes of Python objects that are alive (tracemalloc), which are the same whatever else the machine does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

HELD = '''
import gc
import tracemalloc
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    """Count before the record is ended and reports are made of it."""
    gc.collect()
    Path("held.txt").write_text(str(tracemalloc.get_traced_memory()[0]))
'''
POINTS: Final = 4
MOST_OF_A_RUN: Final = 160
"""Bytes: its requests/s once as a float, once as JUnit's text, and in five rows of them, two of which are
pytest-benchmark's. A recorded run is 3 KiB in memory."""
MOST_OF_A_POINT: Final = 20 * 1024
"""Bytes: three reports, the properties of its testcase and pytest-benchmark's statistics, which pytest keeps to the
end; the item itself, which is there before the first run; and our row of the table."""


def held(
    measure: Callable[..., pytest.RunResult], pytester: pytest.Pytester, *, runs: int = 3, passes: int = 1
) -> int:
    """Give the bytes that a session through four points holds at its end."""
    pytester.makepyfile(held=HELD)
    session = measure(
        "-q", "-p", "held", f"--kubelb-runs={runs}", f"--kubelb-passes={passes}", "--kubelb-tolerance=100%",
        PYTHONTRACEMALLOC="1",
    )  # fmt: skip
    session.assert_outcomes(passed=POINTS * passes)
    return int((pytester.path / "held.txt").read_text())


def test_more_runs_take_no_more_memory(
    measure: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    # More than 50 in either: the trend of more is found by another method, which brings its modules.
    few, many = 60, 240
    more = held(measure, pytester, runs=many) - held(measure, pytester, runs=few)
    assert more / (POINTS * (many - few)) < MOST_OF_A_RUN


def test_a_point_leaves_little_when_it_is_judged(
    measure: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    few, many = 5, 20
    more = held(measure, pytester, passes=many) - held(measure, pytester, passes=few)
    assert more / (POINTS * (many - few)) < MOST_OF_A_POINT
