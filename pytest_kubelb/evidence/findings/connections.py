"""Findings about tables that fill (conntrack, ports, TIME_WAIT) and SYNs without an answer. Pure; touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

FIRST_SYN_TIMEOUT_S: Final = 1.0
"""RFC 6298, 2: what a connection waits when its first SYN is lost; TCP_TIMEOUT_INIT in the kernel."""


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give the conntrack signals of benchmarker and load balancer, and the socket signals of the benchmarker."""
    for role in ("benchmarker", "load_balancer"):
        for delta in run.of_role(role):
            yield from _conntrack(run, delta)
    for delta in run.of_role("benchmarker"):
        yield from _time_wait(run, delta)
        yield from _ports(run, delta)
        yield from _syn_retransmits(run, delta)


def _conntrack(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limits, counters, host = run.limits, delta.counters, delta.host
    dropped = counters.get("conntrack.drop", 0) + counters.get("conntrack.early_drop", 0)
    if limits.conntrack_drops is not None and dropped > limits.conntrack_drops:
        failed = counters.get("conntrack.insert_failed", 0)
        yield signals.validity(
            "conntrack_drops",
            host,
            dropped,
            limits.conntrack_drops,
            "packets",
            f"conntrack dropped {dropped} packets or entries on {host} where {limits.conntrack_drops:g} "
            "are allowed"
            + (f", and {failed} insertions failed" if failed else "")
            + ": raise net.netfilter.nf_conntrack_max",
        )
    largest = delta.levels.get("conntrack.max", 0.0)
    if limits.conntrack_full is None or not largest:
        return
    count = max(delta.levels.get("conntrack.count", 0.0), delta.levels_before.get("conntrack.count", 0.0))
    share = 100 * count / largest
    if share > limits.conntrack_full:
        yield signals.validity(
            "conntrack_full",
            host,
            share,
            limits.conntrack_full,
            "%",
            f"the conntrack table of {host} holds {count:.0f} of {largest:.0f} entries, {share:.3g} % where "
            f"{limits.conntrack_full:g} % are allowed: raise net.netfilter.nf_conntrack_max, or wait until "
            "old entries expire",
        )


def _time_wait(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit, host = run.limits.time_wait, delta.host
    waiting = max(delta.levels.get("sockets.tw", 0.0), delta.levels_before.get("sockets.tw", 0.0))
    if limit is None or not waiting:
        return
    room, of = _least_room(delta)
    share = signals.percent(waiting, room)
    if room and share > limit:
        yield signals.validity(
            "time_wait",
            host,
            share,
            limit,
            "%",
            f"{waiting:.0f} sockets of {host} are in TIME_WAIT, {share:.3g} % of the {room:.0f} {of} where "
            f"{limit:g} % are allowed: leave a minute between runs, or keep connections alive",
            effect="none",
        )


def _ports(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit, ports = run.limits.port_exhaustion, delta.levels.get("ports", 0.0)
    if limit is None or not ports:
        return
    waiting = delta.levels_before.get("sockets.tw", 0.0)
    share = 100 * (waiting + run.connections) / ports
    if share > limit:
        yield signals.validity(
            "port_exhaustion",
            delta.host,
            share,
            limit,
            "%",
            f"{run.connections} connections and {waiting:.0f} sockets in TIME_WAIT take {share:.3g} % of "
            f"the {ports:.0f} ports of {delta.host} where {limit:g} % are allowed: widen "
            "net.ipv4.ip_local_port_range or open fewer connections",
        )


def _syn_retransmits(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit, number = run.limits.syn_retransmits, delta.counters.get("TcpExt.TCPSynRetrans", 0)
    if limit is None or not number or run.connections <= 0:
        return
    share = signals.percent(number * FIRST_SYN_TIMEOUT_S, run.connections * run.load_s)
    if share > limit:
        yield signals.validity(
            "syn_retransmits",
            delta.host,
            share,
            limit,
            "%",
            f"{delta.host} sent {number} SYNs again, which cost {share:.3g} % of the time of "
            f"{run.connections} connections where {limit:g} % are allowed: look for drops on the way and "
            "full listen queues (`nstat -az TcpExtListenDrops`)",
        )


def _least_room(delta: HostDelta) -> tuple[float, str]:
    """Give the smaller of what bounds the sockets in TIME_WAIT, and its name; 0 when neither was read."""
    ports, largest = delta.levels.get("ports", 0.0), delta.levels.get("sockets.tw_max", 0.0)
    if ports and (not largest or ports <= largest):
        return ports, "ports"
    return largest, "that tcp_max_tw_buckets allows"
