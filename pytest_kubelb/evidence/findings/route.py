"""Finding about the benchmarker's next hop to the target: another one, or a redirected one. Pure; touches nothing.

The seed lost 49 of its 420 proxy runs to this: the client took an ICMP redirect, went past the load balancer's address
translation, and its connections died until the redirect expired after 300 s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

_HOP: Final = re.compile(r"\b(via|dev) (?:inet6? )?(\S+)")
# iproute2 spells RTCF_REDIRECTED so, and RTCF_DOREDIRECT, which is harmless here, `redirect`.
_REDIRECTED: Final = re.compile(r"<[^>]*\bredirected\b[^>]*>")


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `route_changed` of each benchmarker."""
    if run.limits.route_changed is None:
        return
    for delta in run.of_role("benchmarker"):
        before, after = delta.routes
        redirects = delta.counters.get("Icmp.InRedirects", 0)
        if before == after and "redirected" not in before and not redirects:
            continue
        yield from _changed(run, delta, redirects)


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
