"""A testbed that stops its session at a stated run, and what is left of the session then.

It is a fake, since what is tested with it is which points are measured: its runs are rows of numbers.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

FAKE_TESTBED = """
import os
import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_kubelb import fixtures, holding
from pytest_kubelb.convergence import Target
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.sample import Sample

RUNS = iter(range(1, 10**6))
STOP, AT = os.environ.get("STOP", ""), int(os.environ.get("AT", "0"))


@contextmanager
def inventory_of(settings, tunings=("none",)):
    kubeconfig = Path("kubeconfig")
    kubeconfig.touch()
    cluster = replace(settings.inventory.cluster, kubeconfig=kubeconfig)
    facts = {"lab_kernel": os.environ.get("LAB_KERNEL", "uml")}
    yield replace(settings.inventory, cluster=cluster), facts


@contextmanager
def hold(inventory, wanted, on_event, *others):
    with open("opened.txt", "a") as file:
        print(wanted.session, file=file)
    facts = {"kernels": {"k11": os.environ.get("KERNEL", "Linux 6.1")}}
    convergence = SimpleNamespace(converge=lambda point: Target(point, "http://10.0.0.1:80/", "kubelb.test", ()))
    load, lock = SimpleNamespace(printed=None), SimpleNamespace(check=lambda: None)
    yield SimpleNamespace(convergence=convergence, load=load, observer=None, facts=facts, lock=lock)


fixtures.inventory_of = inventory_of
holding.hold = hold
# What is started in the background of a shell ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_kubelb_run_load(target, settings, number, warmup):
    if next(RUNS) == AT:
        if STOP == "break":
            raise TestbedError("The load balancer k11 does not answer; look at it.")
        if STOP == "full":
            import resource
            size = os.stat(next(Path(".kubelb").glob("*/record.jsonl"))).st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
        else:
            os.kill(os.getpid(), getattr(signal, STOP))
    spread = 200.0 if target.point.pods == 2 else 1.0
    rps = (1000.0 * target.point.pods + spread * number) * float(os.environ.get("FACTOR", "1"))
    latency = Latency(80.0, 5.0, 200.0, {"50": 79.0})
    result = WrkResult(rps, int(rps), int(rps) * 250, 1.0, latency, SocketErrors(0, 0, 0, 0, 0))
    validity = "warmup" if warmup else "valid"
    return Sample(target.point.axes(), target.point.provisioning, number, validity, None, "2026-01-01T00:00:00Z", 1.0,
                  "wrk -c80 -t1 -d1s http://10.0.0.1:80/", result)
"""
SWEEP = (
    "benches",
    "--kubelb-pods=1-4",
    "--kubelb-runs=3",
    "--kubelb-tolerance=5%",
    "--kubelb-backend=ipvs",
    "--kubelb-duration=1s",
)
PER_POINT = 4
"""Runs of a point, its warm-up run included."""


def record_of(root: Path) -> Path:
    (record,) = root.glob(".kubelb/*/record.jsonl")
    return record


def samples(root: Path) -> list[Sample]:
    return [line for line in read_record(record_of(root)) if isinstance(line, Sample)]


def per_group(root: Path) -> dict[tuple[object, int], int]:
    return Counter((each.point["pods"], each.provisioning) for each in samples(root))


def kubelb(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, words[0], *words[1:], "--root", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
