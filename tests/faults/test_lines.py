"""Sessions that a signal ends at a line of ours, however short the moment. In the long mode, on the standing lab."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.faults import conftest
from tests.faults.running import restore
from tests.faults.snapshot import differences
from tests.faults.test_interrupts import SEED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.bed import Bed

ROUNDS = 100 if conftest.LONG else 1
LINES = 2900
"""About how many a session executes in its main thread; one that has fewer ends by itself."""
# Imports are left out: they are most of the lines, and touch nothing.
SIGNAL_AT_A_LINE = """
import contextlib, os, signal, sys
import pytest
import pytest_kubelb

OURS = (os.path.dirname(pytest_kubelb.__file__), contextlib.__file__)
met = set()

def trace(frame, event, _):
    code = frame.f_code
    if not code.co_filename.startswith(OURS) or code.co_name == "<module>":
        return None
    place = code.co_filename, frame.f_lineno
    if event == "line" and place not in met:
        met.add(place)
        if len(met) == @number@:
            sys.settrace(None)
            with open("interrupted", "w") as file:
                print(*place, file=file)
            os.kill(os.getpid(), signal.SIGINT)
    return trace

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef):
    if fixturedef.argname == "testbed":
        sys.settrace(trace)
    return (yield)

def pytest_unconfigure():
    sys.settrace(None)
"""


@pytest.mark.skipif(not conftest.LONG, reason="it takes many lines to be worth it: see `tox -e faults`")
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_signal_at_any_line_leaves_nothing(turn: int, bed: Bed, tmp_path: Path) -> None:
    # Told when it fails, so that a failure can be had again.
    number = random.Random(f"{SEED} {turn}").randint(1, LINES)  # noqa: S311 - told, so that it can be had again
    (tmp_path / "conftest.py").write_text(SIGNAL_AT_A_LINE.replace("@number@", str(number)))
    before = bed.snapshot()
    with bed.session(tmp_path, "--kubelb-runs=2") as session:
        code = session.end()
    left = differences(before, bed.snapshot)
    if left:
        restore(bed.inventory)
    place = tmp_path / "interrupted"
    where = place.read_text() if place.exists() else "no line"
    assert not left, "\n".join([f"line {number}, {where}", *left, session.output])
    assert (code, "Traceback" in session.output) == (2 if place.exists() else 0, False), session.output
