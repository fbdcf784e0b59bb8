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
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.tuning import cpuset
from pytest_kubelb.tuning.knobs import Knobs, Spread
from pytest_kubelb.tuning.profile import Profile
from pytest_kubelb.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.reading import Reading

ROLES = {"load_balancer": ("k11",), "benchmarker": ("k12",), "workers": ("k05", "k06")}
NAMES = tuple(name for members in ROLES.values() for name in members)
VIP = "192.168.0.111"
RUNS = 18_000
RUNS_OF_A_POINT = 6


def figures(rounds: int = 20) -> Iterator[Figure]:
    """Give the cost of the readings around a run, of judging 18,000 recorded runs, and of a tuning profile."""
    lab = launch.start(tied=True)
    try:
        with Hosts(lab.ssh_config, NAMES) as hosts:
            yield from _readings(hosts, lab.facts.kernel, rounds)
            yield _tuning(hosts, "k12", "namespace", rounds)
    finally:
        launch.stop(lab)
    try:
        lab = launch.start(kernel="qemu", tied=True)
    except TestbedError as error:
        yield Figure("tuning_apply_and_verify_qemu", None, "ms", details={"why": str(error)})
        return
    try:
        with Hosts(lab.ssh_config, NAMES) as hosts:
            yield _tuning(hosts, "k11", "qemu", rounds)
    finally:
        launch.stop(lab)


def _readings(hosts: Hosts, kernel: str, rounds: int) -> Iterator[Figure]:
    together = Watch({name: hosts[name] for name in NAMES}, ROLES)
    before, all_ms = _timed(together, rounds)
    alone_ms = {}
    for role, names in ROLES.items():
        watch = Watch({names[0]: hosts[names[0]]}, {role: names[:1]})
        alone_ms[names[0]] = round(_timed(watch, rounds)[1], 1)
        watch.close()
    details: dict[str, object] = {"kernel": kernel, "rounds": rounds, "one_reading_ms": round(all_ms, 1)}
    # A reading between two runs of a point serves both: with a warm-up run and five others there are seven for six.
    share = (RUNS_OF_A_POINT + 1) / RUNS_OF_A_POINT
    yield Figure("evidence_per_run", share * all_ms, "ms", at_most=60.0, details=details)
    yield Figure(
        "evidence_slowest_host", max(alone_ms.values()), "ms", at_most=30.0, details={"alone_ms": alone_ms}
    )
    after = together.read(VIP)
    together.close()
    yield _findings(json.dumps({name: delta(before[name], after[name]).to_json() for name in NAMES}))


def _timed(watch: Watch, rounds: int) -> tuple[dict[str, Reading], float]:
    """Give a first reading, and the median of the next ones in milliseconds."""
    last = first = watch.read(VIP)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        last = watch.read(VIP, since=last)
        seconds.append(time.perf_counter() - began)
    return first, statistics.median(seconds) * 1e3


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


def _tuning(hosts: Hosts, name: str, kind: str, rounds: int) -> Figure:
    """Time applying and verifying a profile on one host, from another profile and back."""
    profiles = [
        Profile(
            mask, {name: Knobs(rps=Spread(cpuset.parse(mask)), sysctls={"net.ipv4.tcp_fin_timeout": seconds})}
        )
        for mask, seconds in (("0", "30"), ("0-1", "40"))
    ]
    tuner = Tuner({each: hosts[each] for each in ("k11", "k12")}, "perf", lambda *_: None)
    tuner.apply(profiles[0])
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        tuner.apply(profiles[(number + 1) % 2])
        if drifts := tuner.verify():
            raise RuntimeError(drifts[0].sentence)
        times.append(time.perf_counter() - began)
    tuner.restore()
    details: dict[str, object] = {"host": kind, "rounds": rounds, "worst_ms": round(max(times) * 1e3, 1)}
    at_most = 200.0 if kind == "namespace" else None  # software emulation has no limit
    value = statistics.median(times) * 1e3
    return Figure(f"tuning_apply_and_verify_{kind}", value, "ms", at_most=at_most, details=details)
