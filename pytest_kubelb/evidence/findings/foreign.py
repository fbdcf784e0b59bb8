"""Findings about traffic on the load balancer that is not the run's. Pure; touches nothing.

The load balancer passes every packet of the benchmarker twice, once on each side, so it should have sent and
received two for each one that the benchmarker sent or received.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

SIGNAL: Final = "foreign_traffic"
IDLE_CONNECTIONS_PER_S: Final = 2.0
"""That the pods of a cluster at rest open to its services (API server, DNS)."""
IDLE_PACKETS_PER_S: Final = 1000.0
"""Of ssh, the evidence, kubelet and flannel: a tenth of a percent of what fills a 1 Gbit/s link."""
PASSES: Final = 2


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `foreign_traffic` of each load balancer, by its services' connections, by ipvs's, else by packets."""
    for delta in run.of_role("load_balancer"):
        yield from list(_connections(run, delta)) or list(_unexplained(run, delta)) or _packets(run, delta)


def _connections(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit, services = run.limits.foreign_connections, delta.connections
    if limit is None or not services or (len(services) == 1 and run.service in services):
        return
    others = {service: number for service, number in services.items() if service != run.service and number}
    number = sum(others.values())
    if number <= IDLE_CONNECTIONS_PER_S * delta.seconds:
        return
    share = signals.percent(number, run.connections)
    if share > limit:
        busiest = max(others, key=lambda service: others[service])
        yield signals.validity(
            SIGNAL,
            delta.host,
            share,
            limit,
            "%",
            f"{number} connections went through other services of {delta.host} (most of them, "
            f"{others[busiest]}, through {busiest}), {share:.3g} % of the run's {run.connections} where "
            f"{limit:g} % are allowed: stop who uses them",
        )


def _unexplained(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    """Compare what ipvs took with what the benchmarker opened: both are as of now, a service's part of it is late."""
    limit, number = run.limits.foreign_connections, delta.counters.get("ipvs.conns", 0)
    opened = sum(at.counters.get("Tcp.ActiveOpens", 0) for at in run.of_role("benchmarker"))
    over = number - opened
    if limit is None or not opened or over <= IDLE_CONNECTIONS_PER_S * delta.seconds:
        return
    share = signals.percent(over, run.connections)
    if share > limit:
        yield signals.validity(
            SIGNAL,
            delta.host,
            share,
            limit,
            "%",
            f"ipvs on {delta.host} took {number} connections and the benchmarker opened {opened}, so {over} "
            f"are others', {share:.3g} % of the run's {run.connections} where {limit:g} % are allowed: find "
            "who else uses it (`ipvsadm -Lnc`)",
        )


def _packets(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit = run.limits.foreign_packets
    if limit is None:
        return
    seen = sum(wire.packets for wire in run.wires[delta.host])
    explained = PASSES * sum(wire.packets for at in run.of_role("benchmarker") for wire in run.wires[at.host])
    over = seen - explained
    if not explained or over <= IDLE_PACKETS_PER_S * delta.seconds:
        return
    share = 100 * over / explained
    if share > limit:
        yield signals.validity(
            SIGNAL,
            delta.host,
            share,
            limit,
            "%",
            f"{delta.host} passed {seen} packets and the benchmarker's traffic explains {explained} of "
            f"them, {share:.3g} % more where {limit:g} % are allowed: find who else sends through it "
            "(`iftop`, `tcpdump`)",
        )
