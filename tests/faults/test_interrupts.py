"""Sessions on a testbed that stays, ended by signals: in order by the first, at once by the second, and killed."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults import conftest
from tests.faults.bed import C
from tests.faults.running import restore
from tests.faults.snapshot import differences

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.bed import Bed
    from tests.faults.conftest import Row

AT_ONCE_S = 5.0
"""Far below the time-out of a host that hangs, and far above what a process takes to end on a busy machine."""
SEED = int(os.environ.get("KUBELB_TEST_SEED", time.time_ns() % 10**9))
KILLS = 100 if conftest.LONG else 10
LONGEST_S = 9.0
"""About what a session takes here."""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_session_in_order(
    name: str, bed: Bed, table: dict[str, Row], tmp_path: Path
) -> None:
    before = bed.snapshot()
    with bed.session(tmp_path) as session:
        session.until(session.measures)
        earlier = session.samples()
        session.process.send_signal(signal.Signals[name])
        began = time.monotonic()
        code = session.end()
        noticed_s = time.monotonic() - began
    left = differences(before, bed.snapshot)
    table.setdefault(name, conftest.Row()).add(lost=0, left=len(left), ended="stopped", notice_s=noticed_s)
    assert not left, "\n".join([*left, session.output])
    assert session.samples()[: len(earlier)] == earlier
    assert (code, "Traceback" in session.output) == (2, False), session.output


def test_a_second_signal_stops_at_once_and_says_how_to_put_the_testbed_back(
    bed: Bed, table: dict[str, Row], tmp_path: Path
) -> None:
    before = bed.snapshot()
    with bed.session(tmp_path) as session:
        session.until(session.measures)
        with bed.hung(C):  # so that putting back takes a time-out
            session.process.send_signal(signal.SIGINT)
            time.sleep(1)
            assert session.process.poll() is None, session.output
            session.process.send_signal(signal.SIGINT)
            began = time.monotonic()
            code = session.end()
            ended_s = time.monotonic() - began
    mended = restore(bed.inventory)
    left = differences(before, bed.snapshot)
    table.setdefault("SIGINT twice", conftest.Row()).add(
        lost=0, left=len(left), ended="stopped", notice_s=ended_s
    )
    assert f"kubelb restore --inventory {bed.inventory}" in session.output
    assert (code, "Traceback" in session.output) == (128 + signal.SIGINT, False), session.output
    assert ended_s < AT_ONCE_S
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert not left, "\n".join([*left, mended.stdout, mended.stderr])


@pytest.mark.parametrize("number", range(KILLS))
def test_after_sigkill_at_any_moment_restore_puts_everything_back(
    number: int, bed: Bed, table: dict[str, Row], tmp_path: Path
) -> None:
    # Told when it fails, so that a failure can be had again.
    after_s = round(random.Random(f"{SEED} {number}").uniform(0.2, LONGEST_S), 2)  # noqa: S311
    about = f"seed {SEED}, kill {number} after {after_s} s"
    before = bed.snapshot()
    with bed.session(tmp_path) as session:
        time.sleep(after_s)
    earlier = session.samples()
    mended = restore(bed.inventory)
    left = differences(before, bed.snapshot)
    row = table.setdefault("SIGKILL at a random moment", conftest.Row())
    row.add(lost=0, left=len(left), ended="stopped", notice_s=None)
    assert mended.returncode == 0, f"{about}: {mended.stdout}{mended.stderr}"
    assert not left, "\n".join([about, *left, mended.stdout, mended.stderr])
    assert session.samples() == earlier
