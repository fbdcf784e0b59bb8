"""What the evidence costs: reading four hosts around a run, judging recorded runs, bringing a host to a tuning profile.

Touches labs that it starts itself.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

from perf.figures import Figure
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.evidence.delta import HostDelta, delta
from pytest_kubelb.evidence.findings.examine import examine
from pytest_kubelb.evidence.limits import Limits
from pytest_kubelb.evidence.run import RunEvidence
from pytest_kubelb.evidence.watch import Watch
from pytest_kubelb.lab import launch
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = {"load_balancer": ("k11",), "benchmarker": ("k12",), "workers": ("k05", "k06")}
NAMES = tuple(name for members in ROLES.values() for name in members)
VIP = "192.168.0.111"
RUNS = 18_000


def figures(rounds: int = 20) -> Iterator[Figure]:
    """Give the cost of the readings around a run, of judging 18,000 recorded runs, and of a tuning profile."""
    lab = launch.start(tied=True)
    try:
        with Hosts(lab.ssh_config, NAMES) as hosts:
            watch = Watch({name: hosts[name] for name in NAMES}, ROLES)
            try:
                yield from _readings(watch, lab.facts.kernel, rounds)
            finally:
                watch.close()
    finally:
        launch.stop(lab)
    yield _tuning(rounds)


def _readings(watch: Watch, kernel: str, rounds: int) -> Iterator[Figure]:
    before = after = watch.read(VIP)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        after = watch.read(VIP)
        seconds.append(time.perf_counter() - began)
    each_ms = statistics.median(seconds) * 1e3
    details: dict[str, object] = {
        "kernel": kernel,
        "rounds": rounds,
        "worst_ms": round(max(seconds) * 1e3, 1),
    }
    # One before and one after; between two runs of a point one reading serves as both.
    yield Figure("evidence_four_hosts", 2 * each_ms, "ms", at_most=60.0, details=details)
    yield _findings(json.dumps({name: delta(before[name], after[name]).to_json() for name in NAMES}))


def _findings(line: str) -> Figure:
    """Time reading and judging one recorded run's evidence, as often as a long sweep has runs."""
    result = WrkResult(
        20_000.0, 20_000, 5_000_000, 1.0, Latency(1e3, 1e2, 1e4, {"50": 1e3}), SocketErrors(0, 0, 0, 0, 0)
    )
    began = time.process_time()
    for _ in range(RUNS):
        hosts = {name: HostDelta.from_json(fields) for name, fields in json.loads(line).items()}
        examine(
            RunEvidence(
                point={"backend": "ipvs", "pods": 4, "overlay": "vxlan", "tuning": "none"},
                backend="ipvs",
                service=f"ipvs {VIP}:8888",
                endpoints=(),
                pods_before={},
                pods_after={},
                connections=80,
                duration_s=1,
                wall_s=1.0,
                wrk_cpu_s=None,
                result=result,
                roles=ROLES,
                hosts=hosts,
                specs={},
                limits=Limits(),
            )
        )
    details: dict[str, object] = {"runs": RUNS, "hosts": len(NAMES), "bytes_of_one": len(line)}
    return Figure("findings_18000_runs", time.process_time() - began, "CPU s", at_most=3.0, details=details)


def _tuning(rounds: int) -> Figure:
    """Time applying and verifying a profile on a load balancer with queues, and back."""
    try:
        lab = launch.start(kernel="qemu", tied=True)
    except TestbedError as error:
        return Figure("tuning_apply_and_verify", None, "ms", at_most=200.0, details={"why": str(error)})
    try:
        profiles = inventory.load(lab.inventory).tunings
        with Hosts(lab.ssh_config, ("k11", "k12")) as hosts:
            tuner = Tuner({name: hosts[name] for name in ("k11", "k12")}, "perf", lambda *_: None)
            tuner.apply(profiles["rss"])
            seconds = []
            for number in range(rounds):
                began = time.perf_counter()
                tuner.apply(profiles["rps" if number % 2 == 0 else "rss"])
                if drifts := tuner.verify():
                    raise RuntimeError(drifts[0].sentence)
                seconds.append(time.perf_counter() - began)
            tuner.restore()
    finally:
        launch.stop(lab)
    details: dict[str, object] = {
        "kernel": "qemu",
        "rounds": rounds,
        "worst_ms": round(max(seconds) * 1e3, 1),
    }
    return Figure(
        "tuning_apply_and_verify", statistics.median(seconds) * 1e3, "ms", at_most=200.0, details=details
    )
