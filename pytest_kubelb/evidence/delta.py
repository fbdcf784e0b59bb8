"""What happened on one host between two readings: rates, shares and differences. Values only; touches nothing.

As JSON it is compact: shares have two decimals, rates one, and what is zero is left out and filled in again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence import compact, kernel_files, rates
from pytest_kubelb.evidence.forwarding_tables import Forwarded
from pytest_kubelb.evidence.rates import CPU_STATES
from pytest_kubelb.load import json_fields
from pytest_kubelb.tuning import cpuset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.evidence.reading import Reading

__all__ = ["CPU_STATES", "HostDelta", "delta"]

_STILL: Final = dict.fromkeys(rates.MAIN_COLUMNS, 0)


@dataclass(frozen=True)
class HostDelta:
    """One host during one run: the second of two readings minus the first."""

    host: str
    boot_id: str
    """Of the kernel: hosts with the same one are namespaces of one machine, whose CPUs they share."""
    seconds: float
    """Between the readings, by the host's own monotonic clock."""
    clock_skew_s: float
    """The host's wall clock minus ours at the first reading, the half of the round trip taken off."""
    clock_step_s: float
    """How much the host's wall clock moved against its monotonic clock between the readings."""
    cpus: tuple[int, ...]
    """Numbers of the online CPUs: the columns of the three tables below."""
    cpu_percent: Mapping[str, tuple[float, ...]]
    """mpstat's %: state (see CPU_STATES) -> one share for each CPU, 0..100."""
    interrupts_per_s: Mapping[str, tuple[float, ...]]
    """`82 eth0-rx-1` -> interrupts/s for each CPU; rows without any are left out."""
    softirqs_per_s: Mapping[str, tuple[float, ...]]
    """`NET_RX` -> softirqs/s for each CPU; rows without any are left out."""
    nics: Mapping[str, Mapping[str, int]]
    """NIC -> rx_bytes, tx_bytes, rx_packets, tx_packets, rx_errors, tx_errors, rx_dropped, tx_dropped of /proc/net/dev,
    and its other columns when not zero. The node's ends of the pods' links are left out."""
    counters: Mapping[str, int]
    """Name -> difference, zeros left out. Names as in the kernel's files, with the file before them:
    `softnet.dropped`, `softnet.time_squeeze`, `Tcp.RetransSegs`, `Tcp.InCsumErrors`, `TcpExt.TCPSynRetrans`,
    `Ip.InDiscards`, `conntrack.drop`, `conntrack.early_drop`, `conntrack.insert_failed`, `throttle.package`, ..."""
    levels: Mapping[str, float]
    """Name -> value at the second reading: `conntrack.count`, `conntrack.max`, `sockets.tw`, `sockets.tw_max`,
    `sockets.inuse`, `ports` (size of ip_local_port_range), `files.max`, `cpu_mhz.0`, `ipvs.untold`
    (connections that ipvs's tables do not show yet), ..."""
    levels_before: Mapping[str, float]
    """The same at the first reading."""
    connections: Mapping[str, int]
    """Load balancer: `ipvs 192.168.0.111:8888`, `proxy 10.254.0.10:80` -> connections that this service took; every
    service that took one is there, whoever it belongs to. UDP's end in `/udp`; `proxy *:30080` is a node port. Workers:
    what their own kube-proxy's rules took."""
    endpoints: Mapping[str, Mapping[str, int]]
    """Load balancer: pod address -> `connections`, and `bytes` and `packets` where the table counts them (ipvs).

    ipvs's own counters are up to two seconds late. Where the pods' connections are fewer than
    `counters["ipvs.conns"]`, which is as of now, some of the run's are missing: that says nothing about fairness."""
    routes: tuple[str, str]
    """Benchmarker: `ip route get` to the target at both readings; empty where it is not asked for."""
    pressure_percent: Mapping[str, float]
    """PSI: `cpu.some`, `memory.some` ... -> share of the time between the readings, 0..100; empty without PSI."""
    changed: Mapping[str, tuple[str, str]]
    """Settings that differ between the two readings: name -> (before, after). Names as in `settings`."""
    missing: tuple[str, ...]
    """What was asked for and is not there, with the reason: `conntrack: not loaded`."""
    ways: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Routes of the main table that differ between the readings: network -> (before, after), `none` for no route."""

    def to_json(self) -> dict[str, object]:
        """Give it as a JSON object; `from_json` gives it back."""
        return {
            "host": self.host,
            "boot_id": self.boot_id,
            "seconds": self.seconds,
            "clock_skew_s": self.clock_skew_s,
            "clock_step_s": self.clock_step_s,
            "cpus": list(self.cpus),
            "cpu_percent": compact.rows(self.cpu_percent),
            "interrupts_per_s": compact.rows(self.interrupts_per_s),
            "softirqs_per_s": compact.rows(self.softirqs_per_s),
            "nics": {
                nic: {column: count for column, count in row.items() if count}
                for nic, row in self.nics.items()
            },
            "counters": dict(self.counters),
            "levels": {name: compact.short(value) for name, value in self.levels.items()},
            "levels_before": compact.unlike(self.levels_before, self.levels),
            "connections": dict(self.connections),
            "endpoints": {pod: dict(row) for pod, row in self.endpoints.items()},
            "routes": list(self.routes),
            "pressure_percent": {name: compact.short(share) for name, share in self.pressure_percent.items()},
            "changed": {name: list(values) for name, values in self.changed.items()},
            "missing": list(self.missing),
            "ways": {network: list(values) for network, values in self.ways.items()},
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> HostDelta:
        """Read what `to_json` gave. Raises ValueError that names the field that is missing or odd."""
        cpus = tuple(compact.whole(fields, "cpus"))
        levels = compact.numbers(fields, "levels")
        routes = compact.texts(fields, "routes")
        if len(routes) != 2:
            raise ValueError(f"'routes' has {len(routes)} texts, not 2")
        idle = (0.0,) * len(cpus)
        return cls(
            host=json_fields.text(fields, "host"),
            boot_id=json_fields.text(fields, "boot_id"),
            seconds=json_fields.number(fields, "seconds"),
            clock_skew_s=compact.signed(fields, "clock_skew_s"),
            clock_step_s=compact.signed(fields, "clock_step_s"),
            cpus=cpus,
            cpu_percent={
                **dict.fromkeys(CPU_STATES, idle),
                **compact.table(fields, "cpu_percent", len(cpus)),
            },
            interrupts_per_s=compact.table(fields, "interrupts_per_s", len(cpus)),
            softirqs_per_s=compact.table(fields, "softirqs_per_s", len(cpus)),
            nics={nic: _STILL | row for nic, row in compact.tree(fields, "nics").items()},
            counters=compact.counts(fields, "counters"),
            levels=levels,
            levels_before=compact.before(levels, fields, "levels_before"),
            connections=compact.counts(fields, "connections"),
            endpoints=compact.tree(fields, "endpoints"),
            routes=(routes[0], routes[1]),
            pressure_percent=compact.numbers(fields, "pressure_percent"),
            changed=compact.pairs(fields, "changed"),
            missing=tuple(compact.texts(fields, "missing")),
            ways=compact.pairs(fields, "ways") if "ways" in fields else {},
        )


def delta(before: Reading, after: Reading) -> HostDelta:
    """Give what happened between two readings of one host.

    A host that was started again in between has its `boot_id` in `changed`, and its figures mean nothing. CPUs, NICs
    and settings that came or went are in `changed` as well; those CPUs and NICs are in no table.
    """
    seconds = round(max(0.0, after.uptime_s - before.uptime_s), 2)
    cpus = tuple(sorted(before.cpu_ticks.keys() & after.cpu_ticks.keys()))
    ipvs, proxy = _forwarded(before, after)
    return HostDelta(
        host=after.host,
        boot_id=after.boot_id,
        seconds=seconds,
        clock_skew_s=_skew(before),
        clock_step_s=_step(before, after),
        cpus=cpus,
        cpu_percent=rates.cpu_percent(before.cpu_ticks, after.cpu_ticks, cpus),
        interrupts_per_s=rates.per_cpu_rates(
            before.interrupts, after.interrupts, cpus, seconds, kernel_files.interrupt_name
        ),
        softirqs_per_s=rates.per_cpu_rates(before.softirqs, after.softirqs, cpus, seconds, _own_name),
        nics=rates.nics(before.nics, after.nics),
        counters=rates.differences(before.counters, after.counters),
        levels=dict(after.levels),
        levels_before=dict(before.levels),
        connections={**ipvs.services, **proxy.services},
        endpoints=_endpoints(ipvs, proxy),
        routes=(before.route, after.route),
        pressure_percent=_pressure(before, after, seconds),
        changed=_changed(before, after),
        missing=tuple(dict.fromkeys((*before.missing, *after.missing))),
        ways=_differing(before.ways, after.ways),
    )


def _forwarded(before: Reading, after: Reading) -> tuple[Forwarded, Forwarded]:
    # Against a table that could not be read, the whole life of each service would be this run's.
    ipvs = rates.forwarded(before.ipvs, after.ipvs) if _read(before, "ipvs") else Forwarded()
    total = None
    if "ipvs.conns" in after.counters:
        total = rates.grown(before.counters.get("ipvs.conns", 0), after.counters["ipvs.conns"])
    proxy = rates.forwarded(before.proxy, after.proxy) if _read(before, "iptables") else Forwarded()
    return rates.ipvs_forwarded(ipvs, before.ipvs_open, after.ipvs_open, total), proxy


def _read(reading: Reading, part: str) -> bool:
    return not any(reason.startswith(f"{part}: not understood") for reason in reading.missing)


def _endpoints(ipvs: Forwarded, proxy: Forwarded) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, (connections, packets, size) in ipvs.endpoints.items():
        if connections or packets:
            pod = name.partition(" ")[2]
            found[pod] = {"connections": connections, "packets": packets, "bytes": size}
    for name, (connections, _, _) in proxy.endpoints.items():
        if connections:
            row = found.setdefault(name.partition(" ")[2], {"connections": 0})
            row["connections"] += connections
    return found


def _skew(reading: Reading) -> float:
    return round(reading.boot_s + reading.uptime_s - reading.asked_s, 3) if reading.boot_s else 0.0


def _step(before: Reading, after: Reading) -> float:
    return round(after.boot_s - before.boot_s, 3) if before.boot_s and after.boot_s else 0.0


def _pressure(before: Reading, after: Reading, seconds: float) -> dict[str, float]:
    if seconds <= 0:
        return {}
    # The kernel's microseconds and the 10 ms of /proc/uptime can differ: no share is above the whole.
    return {
        name: min(100.0, round(rates.grown(before.pressure_us[name], now) / seconds / 10_000, 2))
        for name, now in after.pressure_us.items()
        if name in before.pressure_us
    }


def _changed(before: Reading, after: Reading) -> dict[str, tuple[str, str]]:
    found = {
        name: (then, now)
        for name, then, now in (
            ("boot_id", before.boot_id, after.boot_id),
            ("cpus", cpuset.listed(before.cpu_ticks), cpuset.listed(after.cpu_ticks)),
            ("nics", ", ".join(before.nics), ", ".join(after.nics)),
        )
        if then != now
    }
    for name in before.settings.keys() | after.settings.keys():
        then, now = before.settings.get(name, "absent"), after.settings.get(name, "absent")
        if then != now:
            found[name] = (then, now)
    return dict(sorted(found.items()))


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    if before == after or not (before and after):  # an empty table was not read
        return {}
    networks = sorted(before.keys() | after.keys())
    both = ((name, before.get(name, "none"), after.get(name, "none")) for name in networks)
    return {name: (then, now) for name, then, now in both if then != now}


def _own_name(row: str, _rest: str, _cpus: int) -> str:
    return row
