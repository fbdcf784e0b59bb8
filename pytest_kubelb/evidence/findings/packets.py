"""Findings about packets that a host lost on the way: NIC, backlog, IP, check sums. Pure; touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

BACKGROUND_FRAMES_PER_S: Final = 10.0
"""Frames of protocols that nobody on the host speaks; each is counted as received and dropped."""
HEAVY_SQUEEZE: Final = 50.0
"""% of the NET_RX softirqs from which on squeezes are more than the busy host they tell of."""
FEWEST_SQUEEZES: Final = 100
"""A few squeezes of a few softirqs are no share."""

_CHECKSUMS: Final = ("Tcp.InCsumErrors", "Udp.InCsumErrors", "Icmp.InCsumErrors")
_DISCARDS: Final = ("Ip.InDiscards", "Ip.OutDiscards", "Ip.OutNoRoutes")
_LOSSES: Final = frozenset((*_CHECKSUMS, *_DISCARDS, "softnet.dropped"))


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `nic_drops`, `softnet_drops`, `softnet_squeezed`, `ip_discards` and `checksum_errors` of every host."""
    lb = run.roles.get("load_balancer", ())
    for host, delta in run.hosts.items():
        if not delta.counters.keys().isdisjoint(_LOSSES):
            yield from _lost(run, delta)
        if delta.counters.get("softnet.time_squeeze", 0) >= FEWEST_SQUEEZES:
            yield from _squeezed(run, delta, forwards=host in lb)
        yield from _nic_drops(run, delta)


def _lost(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    packets = sum(wire.packets for wire in run.wires[delta.host])
    limits = run.limits
    for signal, names, limit, what, remedy in (
        (
            "softnet_drops",
            ("softnet.dropped",),
            limits.softnet_drops,
            "were dropped because a CPU's backlog was full",
            "raise net.core.netdev_max_backlog or spread the load with RPS",
        ),
        (
            "ip_discards",
            _DISCARDS,
            limits.ip_discards,
            "were discarded by IP",
            "look at `nstat` for the reason: memory, or a route that is missing",
        ),
        (
            "checksum_errors",
            _CHECKSUMS,
            limits.checksum_errors,
            "came with a wrong check sum",
            "look for a bad cable, NIC or offload (`ethtool -k`)",
        ),
    ):
        number = sum(delta.counters.get(name, 0) for name in names)
        if names is _DISCARDS:
            # Where the pods are on the load balancer's own LAN, it wants to redirect the benchmarker to them, and its
            # address translation drops that redirect (nf_nat_icmp_reply_translation): counted as sent and discarded.
            number -= min(delta.counters.get("Ip.OutDiscards", 0), delta.counters.get("Icmp.OutRedirects", 0))
        if limit is None or number <= 0:
            continue
        share = signals.percent(number, packets)
        if share > limit:
            yield signals.validity(
                signal,
                delta.host,
                share,
                limit,
                "%",
                f"{number} packets of {packets} {what} on {delta.host}, {share:.3g} % where {limit:g} % "
                f"are allowed: {remedy}",
            )


def _squeezed(run: RunEvidence, delta: HostDelta, *, forwards: bool) -> Iterator[Finding]:
    limit, number = run.limits.softnet_squeezed, delta.counters.get("softnet.time_squeeze", 0)
    softirqs = sum(delta.softirqs_per_s.get("NET_RX", ())) * delta.seconds
    if limit is None or not softirqs:
        return
    share = 100 * number / softirqs
    if share > limit:
        # The load balancer that has more to do than it can is what is to be measured.
        heavy = share > max(HEAVY_SQUEEZE, limit) and not forwards
        yield signals.validity(
            "softnet_squeezed",
            delta.host,
            share,
            limit,
            "%",
            f"{number} of {softirqs:.0f} NET_RX softirqs on {delta.host} ended with packets left, "
            f"{share:.3g} % where {limit:g} % are allowed: raise net.core.netdev_budget or spread the load "
            "over more CPUs",
            effect="contaminated" if heavy else "none",
        )


def _nic_drops(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    limit = run.limits.nic_drops
    if limit is None:
        return
    for wire in run.wires[delta.host]:
        if not wire.drops or wire.drops <= BACKGROUND_FRAMES_PER_S * delta.seconds:
            continue
        share = signals.percent(wire.drops, wire.packets)
        if share > limit:
            yield signals.validity(
                "nic_drops",
                delta.host,
                share,
                limit,
                "%",
                f"{wire.nic} of {delta.host} dropped or damaged {wire.drops} packets of {wire.packets}, "
                f"{share:.3g} % where {limit:g} % are allowed: enlarge its rings (`ethtool -G`), or look "
                "at cable and switch (`ethtool -S`)",
            )
