"""Runs as the seed's testbed would show them: healthy ones, and the same with one thing changed. Values only.

Constructed, because the seed kept no counters of its runs. Rates and sizes are its own: 44 bytes of request, 247 of
response in two segments, one acknowledgement each, 800 connections, 60 s, 16 CPUs, 1 Gbit/s; beside the load stands
what a healthy testbed shows as well: squeezes, retransmissions, TIME_WAIT, LLDP frames that nobody takes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_kubelb.evidence.delta import CPU_STATES, HostDelta
from pytest_kubelb.evidence.findings.examine import examine
from pytest_kubelb.evidence.limits import Limits
from pytest_kubelb.evidence.run import RunEvidence
from pytest_kubelb.evidence.spec import NicSpec, NodeSpec
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.record.finding import Finding

LB, CLIENT, WORKERS = "k11", "k12", ("k05", "k06")
SERVICE = "ipvs 192.168.0.111:8888"
ROUTE = "192.168.0.111 dev eth0 src 192.168.0.112 uid 0 \\    cache "
CPUS = 16
REQUEST_BYTES = 44 + 52 + 14
RESPONSE_BYTES = 247 + 2 * (52 + 14)
ACK_BYTES = 52 + 14
VXLAN_BYTES = 50

NIC = NicSpec(driver="igb", speed_mbps=1000, mtu=1500, rx_queues=5, tx_queues=1, offloads=("rx-gro",))
VXLAN_NIC = replace(NIC, driver="vxlan", speed_mbps=None, mtu=1450)


def spec(host: str, nic: NicSpec = NIC) -> NodeSpec:
    """Give a node of the seed."""
    nics = {"eth0": nic, "flannel.1": VXLAN_NIC}
    return NodeSpec(host, kernel="6.1.0", cpu="Xeon E5-2450", cpus=CPUS, memory_mib=32768, nics=nics)


def nic(rx_packets: int, rx_bytes: int, tx_packets: int, tx_bytes: int, **more: int) -> dict[str, int]:
    """Give one row of /proc/net/dev."""
    return {
        "rx_packets": rx_packets,
        "rx_bytes": rx_bytes,
        "tx_packets": tx_packets,
        "tx_bytes": tx_bytes,
        **more,
    }


def cpu(**states: tuple[float, ...] | float) -> dict[str, tuple[float, ...]]:
    """Give mpstat's table: each state for all CPUs, or for each; what is left is idle."""
    rows = {
        state: given if isinstance(given := states.get(state, 0.0), tuple) else (given,) * CPUS
        for state in CPU_STATES
    }
    rows["idle"] = tuple(
        100.0 - sum(rows[state][number] for state in CPU_STATES[:-1]) for number in range(CPUS)
    )
    return rows


def one(values: float, rest: float = 0.0) -> tuple[float, ...]:
    """Give a value for CPU 0 and another for the others."""
    return (values,) + (rest,) * (CPUS - 1)


def delta(host: str, nics: Mapping[str, Mapping[str, int]], **changes: Any) -> HostDelta:
    """Give one healthy host."""
    level = {
        "conntrack.count": 1700.0,
        "conntrack.max": 262144.0,
        "sockets.tw": 800.0,
        "sockets.tw_max": 131072.0,
    }
    fields: dict[str, Any] = {
        "host": host,
        "boot_id": f"boot of {host}",
        "seconds": 60.1,
        "clock_skew_s": 0.004,
        "clock_step_s": 0.012,
        "cpus": tuple(range(CPUS)),
        "cpu_percent": cpu(usr=0.4, sys=0.5, soft=20.0),
        "interrupts_per_s": {"82 eth0-rx-1": one(2983.44)},
        "softirqs_per_s": {"NET_RX": (5000.0,) * CPUS},
        "nics": nics,
        "counters": {"softnet.time_squeeze": 900, "Tcp.RetransSegs": 5000, "Ip.InReceives": 30_000_000},
        "levels": {**level, "ports": 28232.0, "cpu_mhz.0": 2100.0, "cpu_mhz.1": 1300.0},
        "levels_before": {**level, "ports": 28232.0, "cpu_mhz.0": 2095.0, "cpu_mhz.1": 2000.0},
        "connections": {},
        "endpoints": {},
        "routes": ("", ""),
        "pressure_percent": {"cpu.some": 1.5},
        "changed": {},
        "missing": (),
    }
    return HostDelta(**{**fields, **changes})


def quiet(rps: float = 97_659.0, pods: int = 8, **changes: Any) -> RunEvidence:
    """Give a healthy run of the seed's testbed."""
    requests = round(rps * 60)
    endpoints = tuple(f"172.16.{61 + pod % 6}.{pod // 6 + 2}" for pod in range(pods))
    client_tx = requests * (REQUEST_BYTES + ACK_BYTES)
    client_rx = requests * RESPONSE_BYTES
    tunnelled = 2 * requests * VXLAN_BYTES
    client = nic(2 * requests, client_rx, 2 * requests, client_tx, rx_dropped=31)
    middle = nic(
        4 * requests, client_tx + client_rx + tunnelled, 4 * requests, client_tx + client_rx + tunnelled
    )
    inner = nic(2 * requests, client_rx, 2 * requests, client_tx)
    worker = nic(requests, client_tx // 2, requests, client_rx // 2)
    each = 800 // pods
    hosts = {
        LB: delta(
            LB,
            {"eth0": middle, "flannel.1": inner},
            connections={SERVICE: 800},
            endpoints={
                pod: {"connections": each, "packets": each * 100, "bytes": each * 9000} for pod in endpoints
            },
        ),
        CLIENT: delta(
            CLIENT, {"eth0": client}, routes=(ROUTE, ROUTE), cpu_percent=cpu(usr=15.0, sys=30.0, soft=20.0)
        ),
        **{name: delta(name, {"eth0": worker}, cpu_percent=cpu(usr=10.0, sys=20.0)) for name in WORKERS},
    }
    placed = {f"nginx-{number}": f"k05/{address}" for number, address in enumerate(endpoints)}
    latency = Latency(mean_us=8000.0, stdev_us=900.0, max_us=60000.0, percentiles_us={})
    fields: dict[str, Any] = {
        "point": {"backend": "ipvs", "pods": pods},
        "backend": "ipvs",
        "service": SERVICE,
        "endpoints": endpoints,
        "pods_before": placed,
        "pods_after": placed,
        "connections": 800,
        "duration_s": 60.0,
        "wall_s": 60.07,
        "wrk_cpu_s": 432.0,
        "result": WrkResult(rps, requests, requests * 247, 60.0, latency, SocketErrors(0, 0, 0, 0, 0)),
        "roles": {"load_balancer": (LB,), "benchmarker": (CLIENT,), "workers": WORKERS},
        "hosts": hosts,
        "specs": {name: spec(name) for name in hosts},
        "limits": Limits(),
    }
    return RunEvidence(**{**fields, **changes})


def at(run: RunEvidence, host: str, **changes: Any) -> RunEvidence:
    """Give the run with fields of one host changed; a mapping of counters or levels is laid over what is there."""
    before = run.hosts[host]
    laid: dict[str, Any] = {
        name: {**getattr(before, name), **value}
        if name in ("counters", "levels", "levels_before", "nics")
        else value
        for name, value in changes.items()
    }
    return replace(run, hosts={**run.hosts, host: replace(before, **laid)})


def found(run: RunEvidence, signal: str) -> Finding | None:
    """Give the one finding of a signal; None when it is silent."""
    matching = [finding for finding in examine(run).findings if finding.signal == signal]
    assert len(matching) <= 1, matching
    return matching[0] if matching else None


def errors(
    connect: int = 0, read: int = 0, write: int = 0, status: int = 0, timeout: int = 0
) -> SocketErrors:
    """Give wrk's errors by kind."""
    return SocketErrors(connect, read, write, status, timeout)
