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
SIGNALS = ("SIGKILL", "SIGINT", "SIGTERM", "SIGHUP")
ROUNDS = 100 if conftest.LONG else 12
RUNS = 6
"""Of one session."""
SHORTEST_S = 6.0
"""A session's runs alone take so long."""
# Behind a step that is done, nobody was told so: if a thread takes it, the session still waits for it.
SIGNAL_AT_A_STEP = """
import importlib, os, signal, time

owner = getattr(importlib.import_module("pytest_kubelb.@module@"), "@owner@")
step = owner.@step@

def interrupt():
    if not os.path.exists("interrupted"):
        open("interrupted", "w").close()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)

def interrupted(*arguments, **options):
    if "@when@" == "before":
        interrupt()
    given = step(*arguments, **options)
    if "@when@" == "behind":
        interrupt()
    return given

owner.@step@ = interrupted
"""
STEPS = {
    "the Lease is taken": "behind cluster.lease Lease acquire",
    "the hosts are locked": "behind testbed.locking Lock take_hosts",
    "the evidence is open": "behind evidence.watch Watch open",
    "the workload is deployed": "behind cluster.workload Workload deploy",
    "the folder is on the benchmarker": "behind measuring LoadGenerator open",
    "the tuning is applied": "behind tuning.tuner Tuner apply",
    "the pods run": "behind cluster.workload Workload scale",
    "the load balancer is programmed": "behind backends.ipvs Ipvs program",
    "the traffic is led to it": "behind backends.ipvs Ipvs activate",
    "everything is being put back": "before opening Interrupts defer",
}


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
    samples = session.samples()
    lost = [each for each in samples if each["validity"] not in ("valid", "warmup")]
    row = table.setdefault(name, conftest.Row())
    row.add(lost=len(lost), left=len(left), ended="stopped", notice_s=noticed_s)
    assert not left, "\n".join([*left, session.output])
    assert samples[: len(earlier)] == earlier
    assert [each["reason"] for each in lost] in ([], [f"interrupted by {name} while it ran"])
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


@pytest.mark.parametrize("step", STEPS)
def test_a_signal_at_any_step_leaves_nothing(step: str, bed: Bed, tmp_path: Path) -> None:
    hook = SIGNAL_AT_A_STEP
    for place, word in zip(("@when@", "@module@", "@owner@", "@step@"), STEPS[step].split(), strict=True):
        hook = hook.replace(place, word)
    (tmp_path / "conftest.py").write_text(hook)
    before = bed.snapshot()
    with bed.session(tmp_path) as session:
        code = session.end()
    left = differences(before, bed.snapshot)
    if left:
        restore(bed.inventory)
    assert not left, "\n".join([*left, session.output])
    assert (tmp_path / "interrupted").exists(), session.output
    assert (code, "Traceback" in session.output) == (2, False), session.output


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_signal_at_any_moment_leaves_nothing(
    number: int, bed: Bed, table: dict[str, Row], tmp_path: Path
) -> None:
    name = SIGNALS[number % len(SIGNALS)]
    # Told when it fails, so that a failure can be had again.
    chosen = random.Random(f"{SEED} {number}")  # noqa: S311 - told, so that it can be had again
    in_the_end = chosen.random() < 0.2
    after_s = round(chosen.uniform(0.0, 1.0) if in_the_end else chosen.uniform(0.2, SHORTEST_S), 2)
    about = f"seed {SEED}, {name} after {after_s} s{' of the end' if in_the_end else ''}"
    before = bed.snapshot()
    with bed.session(tmp_path) as session:
        if in_the_end:
            session.until(lambda: session.measures(RUNS))
        time.sleep(after_s)
        assert in_the_end or session.process.poll() is None, session.output
        earlier = session.samples()
        session.process.send_signal(signal.Signals[name])
        session.end()
    if name == "SIGKILL":
        mended = restore(bed.inventory)
        assert mended.returncode == 0, f"{about}: {mended.stdout}{mended.stderr}"
    left = differences(before, bed.snapshot)
    samples = session.samples()
    lost = [each for each in samples if each["validity"] not in ("valid", "warmup")]
    row = table.setdefault(f"{name} at a random moment", conftest.Row())
    ended = "healed" if session.process.returncode in (0, 1) else "stopped"
    row.add(lost=len(lost), left=len(left), ended=ended, notice_s=None)
    if left:
        restore(bed.inventory)
    assert not left, "\n".join([about, *left, session.output])
    assert samples[: len(earlier)] == earlier
    assert name == "SIGKILL" or "Traceback" not in session.output, session.output
    assert all(each["reason"] for each in lost)
