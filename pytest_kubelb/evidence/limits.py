"""Where a signal becomes a finding: the defaults, and the inventory's section `[limits]`. Touches nothing.

A limit is what is still allowed: a finding is above it. None switches its signal off. What each default rests on
stands beside it and, with the measurements, in docs/findings.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from pytest_kubelb.testbed.section import Section

Unit: TypeAlias = Literal["%", "s", "count"]

_ALLOWED: Final[dict[str, str]] = {
    "%": 'a percentage from 0 to 1000 as text, such as "2%", 0, or "off"',
    "s": 'seconds from 0 to 3600, such as 0.5 or "500ms", 0, or "off"',
    "count": 'a whole number from 0 to 1000000, or "off"',
}
_NUMBER = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,9})?) ?(%|s|ms|)")
_LARGEST: Final = {"%": 1000.0, "s": 3600.0, "count": 1e6}


def _limit(default: float, unit: Unit) -> float | None:
    """Give a field: what it is measured in stands in its metadata."""
    # The cast that dataclasses.field makes for its own caller: it is a value to whoever reads the class.
    value: float | None = field(default=default, metadata={"unit": unit})
    return value


@dataclass(frozen=True)
class Limits:
    """One limit for each signal, by the signal's name; shares in %, times in seconds, others are counts."""

    stalled: float | None = _limit(5, "%")
    """Wall time above the duration, and never less than one second. The seed: <= 1.7 % in 392 of 420 runs,
    >= 400 % in the other 28."""
    errors: float | None = _limit(1, "%")
    """wrk's errors per request. The seed's runs that did not stall have <= 0.3 %, error storms > 5 %."""
    conntrack_drops: float | None = _limit(0, "count")
    """`drop` + `early_drop`. A table with room has none, by the kernel's definition of both."""
    conntrack_full: float | None = _limit(90, "%")
    """Entries per maximum. A judgement: a run of short connections fills the last tenth before it ends."""
    ip_discards: float | None = _limit(0.01, "%")
    """Of the packets. In a closed loop one lost packet holds a connection for the 200 ms of TCP_RTO_MIN: at 5 ms per
    response and four packets each, 0.01 % costs 1.6 % of the throughput."""
    nic_drops: float | None = _limit(0.01, "%")
    """As `ip_discards`, beside ten frames/s that nobody asked for (STP, LLDP): the kernel counts those as dropped."""
    softnet_drops: float | None = _limit(0.01, "%")
    """As `ip_discards`."""
    softnet_squeezed: float | None = _limit(10, "%")
    """Of the NET_RX softirqs. A judgement: at saturation some are normal, so it is only told up to one half."""
    checksum_errors: float | None = _limit(0.01, "%")
    """As `ip_discards`: the packet is lost."""
    time_wait: float | None = _limit(50, "%")
    """Of the ports, or of tcp_max_tw_buckets. Only told; twice as many would be all."""
    port_exhaustion: float | None = _limit(90, "%")
    """Ports in TIME_WAIT and those that the run needs, of all. A judgement: finding one of the last tenth is slow."""
    syn_retransmits: float | None = _limit(2, "%")
    """Of the connections' time, at the 1 s that a first SYN waits (RFC 6298). The load falls by at most this."""
    steal: float | None = _limit(2, "%")
    """Of the CPU it took most from: that CPU's softirqs are late by as much."""
    throttled: float | None = _limit(0, "count")
    """Events. A host that is cooled has none."""
    frequency_changed: float | None = _limit(10, "%")
    """Of the fastest CPU's MHz. Only told: without a fixed governor, idle CPUs change all the time."""
    cpu_pressure: float | None = _limit(5, "%")
    """Of the host's CPU time that others used. The seed's load balancer had 0.4 % usr."""
    cpu_waiting: float | None = _limit(25, "%")
    """Of the time in which a task of the load balancer waited for a CPU (PSI). A judgement."""
    tuning_drift: float | None = _limit(0, "count")
    """Settings that changed by themselves."""
    clock_skew: float | None = _limit(1, "s")
    """Only told: records of two hosts cannot be laid side by side to better than this."""
    clock_step: float | None = _limit(0.25, "s")
    """wrk measures with this clock. NTP slews both clocks alike; this is for reading one after the other."""
    pods_changed: float | None = _limit(0, "count")
    """Pods that are gone, new or elsewhere."""
    foreign_connections: float | None = _limit(10, "%")
    """Of the run's connections, beside two per second that the pods of an idle cluster open."""
    foreign_packets: float | None = _limit(10, "%")
    """Of the packets that the benchmarker's traffic explains, beside 1,000 per second. A judgement."""
    route_changed: float | None = _limit(0, "count")
    """Next hops that are another one, or were redirected. The seed: 49 runs fell by > 20 % by one."""
    path_missed: float | None = _limit(10, "%")
    """Of the run's connections that the backend did not see. wrk drops at most threads - 1."""
    path_elsewhere: float | None = _limit(0, "count")
    """Connections of the service that another host took."""
    uneven: float | None = _limit(25, "%")
    """Of the most loaded pod above the mean. Only told."""
    uneven_chance: float | None = _limit(0.01, "%")
    """Probability of the connections' spread by chance alone: kube-proxy deals by chance, so once in 10,000 runs."""
    keepalive_skew: float | None = _limit(0, "%")
    """Of the most loaded pod above the mean when connections are dealt out in turn. Only told."""
    link: float | None = _limit(97, "%")
    """Of the NIC's speed, framing included. The seed: 98.0-98.5 % where runs no longer vary, 96.6 % where they do."""
    lb_cpu: float | None = _limit(95, "%")
    """irq + soft + sys of the busiest CPU. Ticks resolve 1 % in a 1 s run."""
    client_cpu: float | None = _limit(95, "%")
    """All states but idle and iowait of the benchmarker's busiest CPU."""
    worker_cpu: float | None = _limit(95, "%")
    """As `client_cpu`."""
    wire_bytes: float | None = _limit(0.5, "%")
    """Between two points. The seed's 7 bytes of Host header are 0.9 %, and made proxy "faster" by 0.8 %."""


def parse_limits(section: Section) -> Limits:
    """Give the limits of the inventory's section `[limits]`: its keys override the defaults.

    Raises ConfigError with file, key, value, what is allowed and the nearest known key.
    """
    units: dict[str, Unit] = {known.name: known.metadata["unit"] for known in fields(Limits)}
    section.allow(*units)
    return Limits(**{key: _parse(section, key, value, units[key]) for key, value in section.table.items()})


def _parse(section: Section, key: str, value: object, unit: Unit) -> float | None:
    if value == "off":
        return None
    number = _number(value, unit)
    if number is None or number > _LARGEST[unit]:
        raise section.error(key, f"is {value!r}", _ALLOWED[unit])
    return number


def _number(value: object, unit: Unit) -> float | None:
    """Give a value in the limit's own unit; None for what it cannot be."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _NUMBER.fullmatch(value if isinstance(value, str) else _plain(value))
    if match is None:
        return None
    number = float(match[1])
    # A bare 2 could be 2 % or 200 %: it has to say which. 0 is 0 in any unit.
    allowed = {"%": ("%",), "s": ("s", "ms", ""), "count": ("",)}[unit]
    if match[2] not in allowed and not (number == 0 and match[2] == ""):
        return None
    if unit == "count" and not number.is_integer():
        return None
    return number / 1000 if match[2] == "ms" else number


def _plain(value: float) -> str:
    """Spell a TOML number without an exponent; what is not finite stays a word."""
    return str(value) if isinstance(value, int) else format(value, "f").rstrip("0").rstrip(".")
