"""Records of made-up sessions, with everything that a session can tell, written as the plugin writes them."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.finding import Finding
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict, line_to_json
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.verdict import repeatability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_kubelb.record.lines import Line

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOSTS = ("k05", "k06", "k11", "k12")


def sample(
    backend: str,
    pods: int,
    run: int,
    rps: float,
    *,
    provisioning: int = 1,
    after_s: float = 0.0,
    validity: str = "valid",
    reason: str | None = None,
    findings: tuple[Finding, ...] = (),
    ceiling: str | None = None,
    percentiles: bool = True,
    tuning: str = "none",
) -> Sample:
    """Give a run of ten seconds that began so many seconds after `START`."""
    middle_us = 8e7 / max(rps, 1.0)
    shares = (("50", 1.0), ("75", 1.3), ("90", 1.9), ("95", 2.4), ("99", 4.2), ("99.9", 9.0), ("99.99", 16.0))
    told = {name: round(middle_us * share, 1) for name, share in shares} if percentiles else {}
    result = WrkResult(
        rps=rps,
        requests=int(rps * 10),
        bytes=int(rps * 10) * 247,
        duration_s=10.0,
        latency=Latency(middle_us * 1.1, middle_us * 0.4, middle_us * 20, told),
        errors=SocketErrors(0, 0, 0, 0, 0),
    )
    return Sample(
        point={"backend": backend, "pods": pods, "overlay": "vxlan", "tuning": tuning},
        provisioning=provisioning,
        run=run,
        validity=validity,
        reason=reason,
        started=(START + timedelta(seconds=after_s)).isoformat(timespec="milliseconds"),
        wall_s=10.03,
        command=f"wrk -t1 -c80 -d10s --latency http://192.168.0.111:8888/{backend}",
        result=None if validity == "failed" else result,
        ceiling=ceiling,
        findings=findings,
    )


def delta(host: str, cpus: int, pods: int, busy: float) -> dict[str, object]:
    """Give what one host counted around a run, as the JSON of HostDelta."""
    spread = [round(busy * (1 - 0.6 * cpu / cpus), 2) for cpu in range(cpus)]
    zeros = [0.0] * cpus
    states = {
        **dict.fromkeys(("nice", "iowait", "irq", "steal", "guest", "gnice"), zeros),
        "usr": [round(0.2 * each, 2) for each in spread],
        "sys": [round(0.3 * each, 2) for each in spread],
        "soft": [round(0.5 * each, 2) for each in spread],
        "idle": [round(100 - each, 2) for each in spread],
    }
    counted = {
        f"172.16.{5 + pod % 6}.{pod + 2}": {"connections": 20, "packets": 9000 + 37 * (pod % 5)}
        for pod in range(pods)
    }
    return {
        "host": host,
        "boot_id": f"boot-{host}",
        "seconds": 10.1,
        "clock_skew_s": 0.0,
        "clock_step_s": 0.0,
        "cpus": list(range(cpus)),
        "cpu_percent": states,
        "interrupts_per_s": {
            f"{82 + queue} eth0-rx-{queue}": [
                1500.0 + 400 * queue if cpu == queue else 0.0 for cpu in range(cpus)
            ]
            for queue in range(min(cpus, 4))
        },
        "softirqs_per_s": {
            "NET_RX": [70 * each for each in spread],
            "TIMER": [100.0] * cpus,
            "NET_TX": [8.0] * cpus,
        },
        "nics": {"eth0": {"rx_bytes": 10**9, "tx_bytes": 10**9}},
        "counters": {},
        "levels": {},
        "levels_before": {},
        "connections": {},
        "endpoints": counted if host == "k11" else {},
        "routes": ["", ""],
        "pressure_percent": {},
        "changed": {},
        "missing": [],
    }


def session_start(number: int = 0) -> SessionStart:
    """Give the first line, with settings, versions and the inventory's sections."""
    return SessionStart(
        f"20261123T08000{number}Z-00a{number}",
        (START + timedelta(days=number)).isoformat(),
        {
            "testbed": "rack 7",
            "workload": {"image": "nginx:1.22", "port": 80, "registry_token": "s3cr3t-token"},
            "backends": {"ipvs": {"vip": "192.168.0.111", "port": 8888, "scheduler": "rr"}},
            "versions": {"pytest_kubelb": "0.1.0", "pytest": "9.0.1", "python": "3.11.7"},
        },
        {
            "pods": {"value": "1,2,4-16/4", "origin": "--kubelb-pods"},
            "runs": {"value": "8", "origin": "KUBELB_RUNS"},
            "tolerance": {"value": "5%", "origin": "default"},
        },
    )


def testbed_events() -> Iterator[Event]:
    """Give what a session learns of its hosts and of its tuning."""
    at = START.isoformat()
    nic = {
        "driver": "ixgbe",
        "speed_mbps": 10000,
        "mtu": 1500,
        "rx_queues": 4,
        "tx_queues": 4,
        "offloads": ["rx-gro"],
    }
    spec = {
        "kernel": "Linux 6.12.1 x86_64",
        "cpu": "AMD EPYC 7302P",
        "cpus": 4,
        "memory_mib": 64213,
        "nics": {"eth0": nic},
    }
    yield Event(at, "testbed", {"specs": {host: {**spec, "host": host} for host in HOSTS}})
    settings = {"rps_cpus eth0 rx-0": "1-3", "rps_flow_cnt eth0 rx-0": "8192", "irqbalance": "stopped"}
    changed = {"rps_cpus eth0 rx-0": ["none", "1-3"]}
    told = {"settings": settings, "changed": changed, "unsupported": {"turbo": "no intel_pstate here"}}
    yield Event(at, "tuned", {"host": "k11", "profile": "seed", **told})
    read = {host: {**settings, "conntrack_max": "262144"} for host in HOSTS}
    yield Event(at, "settings", {"tuning": "seed", "hosts": read})
    # Under the tuning that the points are measured with; as delta() has it, interrupts do not depend on the load.
    at_rest = {host: delta(host, 4, 0, AT_REST) for host in HOSTS}
    yield Event(at, "at_rest", {"tuning": "none", "hosts": at_rest})


AT_REST = 2.0
"""Per cent of a CPU that is busy without load."""

FINDING = Finding(
    kind="validity",
    signal="softnet_drops",
    host="k11",
    value=412,
    limit=0,
    unit="packets",
    effect="contaminated",
    sentence="k11 dropped 412 packets below IP, more than 0; raise net.core.netdev_max_backlog",
)


def session(
    folder: Path,
    *,
    number: int = 0,
    backends: Sequence[str] = ("ipvs", "proxy"),
    pods: Sequence[int] = (1, 2, 4, 8, 12, 16),
    runs: int = 8,
    passes: int = 1,
    evidence: bool = True,
    verdicts: bool = True,
) -> Path:
    """Write a session's record, and its evidence, into a new folder; give the record."""
    folder.mkdir(parents=True)
    chance = random.Random(number)  # noqa: S311 - made-up runs
    lines: list[Line] = [session_start(number), *testbed_events()]
    observed: list[dict[str, object]] = []
    clock = number * 86400.0
    level = 1 + 0.02 * number
    for provisioning in range(1, passes + 1):
        for count in pods:
            for place, backend in enumerate(backends):
                centre = level * min(11_000 * count, 120_000) * (1 - 0.12 * place) * (1 + 0.01 * provisioning)
                found = []
                for run in range(runs):
                    clock += 11
                    odd = run == 3 and count == pods[-1] and place == 1
                    found.append(
                        sample(
                            backend,
                            count,
                            run,
                            round(centre * chance.gauss(1, 0.012), 2),
                            provisioning=provisioning,
                            after_s=clock,
                            validity="contaminated" if odd else "valid",
                            reason=FINDING.sentence if odd else None,
                            findings=(FINDING,) if odd else (),
                            ceiling="lb_cpu" if count > 8 else "none",
                        )
                    )
                lines += found
                observed += [_evidence(each, count, centre) for each in found]
                if verdicts:
                    lines.append(_verdict(found))
    lines.append(SessionEnd((START + timedelta(seconds=clock)).isoformat(), 0))
    _write(folder / "record.jsonl", [line_to_json(line) for line in lines])
    if evidence:
        _write(folder / "evidence.jsonl", observed)
    return folder / "record.jsonl"


def written(folder: Path, lines: Sequence[Line]) -> Path:
    """Write a record of these lines into a new folder."""
    folder.mkdir(parents=True)
    _write(folder / "record.jsonl", [line_to_json(line) for line in lines])
    return folder / "record.jsonl"


def _evidence(run: Sample, pods: int, centre: float) -> dict[str, object]:
    return {
        "kind": "evidence",
        "point": dict(run.point),
        "provisioning": run.provisioning,
        "run": run.run,
        "warmup": False,
        "started": run.started,
        "hosts": {host: delta(host, 4, pods, min(centre / 1300, 99)) for host in HOSTS},
    }


def _verdict(runs: Sequence[Sample]) -> Verdict:
    rps = [run.result.rps for run in runs if run.validity == "valid" and run.result is not None]
    judged = repeatability.judge(rps, tolerance=0.05)
    figures = {**asdict(judged), "provisioning": runs[0].provisioning}
    return Verdict(runs[0].point, figures.pop("verdict"), figures, None)


def _write(file: Path, lines: Sequence[object]) -> None:
    file.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
