"""Finding about the ways of the packets: the benchmarker's next hop, and every host's routes. Pure; touches nothing.

The seed lost 49 of its 420 proxy runs to this: the client took an ICMP redirect, went past the load balancer's address
translation, and its connections died until the redirect expired after 300 s.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

_IPV4: Final = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", re.ASCII)
_HOP: Final = re.compile(r"\b(via|dev) (?:inet6? )?(\S+)")
# iproute2 spells RTCF_REDIRECTED so, and RTCF_DOREDIRECT, which is harmless here, `redirect`.
_REDIRECTED: Final = re.compile(r"<[^>]*\bredirected\b[^>]*>")


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `route_changed` of each benchmarker, and of each host whose route to a pod or to the target changed."""
    if run.limits.route_changed is None:
        return
    told = set()
    for delta in run.of_role("benchmarker"):
        before, after = delta.routes
        redirects = delta.counters.get("Icmp.InRedirects", 0)
        if before == after and "redirected" not in before and not redirects:
            continue
        for finding in _changed(run, delta, redirects):
            told.add(delta.host)
            yield finding
    yield from (each for each in _lost(run, run.limits.route_changed) if each.host not in told)


def _lost(run: RunEvidence, limit: float) -> Iterator[Finding]:
    target = run.service.partition(" ")[2].rpartition(":")[0]
    wanted = [IPv4Address(each) for each in (*run.endpoints, target) if _IPV4.fullmatch(each)]
    for host, delta in run.hosts.items():
        changed = [
            f"{network} from {before} to {after}"
            for network, (before, after) in delta.ways.items()
            if any(address in IPv4Network(network) for address in wanted)
        ]
        if len(changed) > limit:
            told = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
            yield signals.validity(
                "route_changed",
                host,
                len(changed),
                limit,
                "",
                f"the route of {host} to {told} changed during the run where {limit:g} changes are allowed: see whether"
                f" its links are up and who else sets its routes (`ip -4 route` and `ip -br link` on {host})",
            )


def _changed(run: RunEvidence, delta: HostDelta, redirects: int) -> Iterator[Finding]:
    before, after = (_hop(route) for route in delta.routes)
    redirected = any(_REDIRECTED.search(route) for route in delta.routes)
    number = int(before != after) + int(redirected)
    limit = run.limits.route_changed
    if limit is None or not before or number <= limit:
        return
    what = (
        f"the next hop from {delta.host} to the target changed from {before} to {after or 'none'}"
        if before != after
        else f"the next hop from {delta.host} to the target, {before}, is a redirected one"
    )
    heard = f" ({redirects} ICMP redirects came)" if redirects else ""
    yield signals.validity(
        "route_changed",
        delta.host,
        number,
        limit,
        "",
        f"{what}{heard} where {limit:g} changes are allowed: set net.ipv4.conf.*.accept_redirects=0 on "
        f"{delta.host} and send_redirects=0 on the load balancer, and flush the route cache (`ip route "
        "flush cache`)",
    )


def _hop(route: str) -> str:
    """Give `192.168.0.111 dev eth0`, or `dev eth0`, of what `ip route get` printed; cache flags are left out."""
    found = dict(_HOP.findall(route))
    return " ".join(
        part for part in (found.get("via", ""), f"dev {found['dev']}" if "dev" in found else "") if part
    )
