"""Findings about the way of the connections: through this backend and only on the load balancer. Touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

UNREAD: Final = {"ipvs": ("ipvs:",), "proxy": ("proxy:", "iptables:")}
"""First word of a service's key -> how the reasons in `HostDelta.missing` begin that leave its counters unknown."""


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `path_missed`, `path_twice` and `path_elsewhere`."""
    balancers = run.of_role("load_balancer")
    yield from _missed(run, balancers)
    for delta in balancers:
        yield from _twice(run, delta)
    limit = run.limits.path_elsewhere
    if limit is None:
        return
    inside = run.roles.get("load_balancer", ())
    for host, delta in run.hosts.items():
        number = delta.connections.get(run.service, 0)
        if number > limit and host not in inside:
            yield signals.path(
                "path_elsewhere",
                host,
                number,
                limit,
                "connections",
                f"{number} connections to {run.service} were balanced by {host}, and not by the load "
                f"balancer, where {limit:g} may be: let the benchmarker's route lead to "
                f"{', '.join(inside) or 'it'} (`ip route get`)",
            )


def _missed(run: RunEvidence, balancers: tuple[HostDelta, ...]) -> Iterator[Finding]:
    limit = run.limits.path_missed
    if (
        limit is None
        or run.result is None
        or not balancers
        or any(_unread(run, delta) for delta in balancers)
    ):
        return
    # A connection whose SYN went again may not have come about before the end; `syn_retransmits` tells of those.
    waiting = sum(delta.counters.get("TcpExt.TCPSynRetrans", 0) for delta in run.of_role("benchmarker"))
    opened = run.connections - run.result.errors.connect - waiting
    seen = sum(delta.connections.get(run.service, 0) + _late(run, delta) for delta in balancers)
    missed = 100 * (opened - seen) / opened if opened > 0 else 0.0
    if missed > limit:
        host = balancers[0].host
        yield signals.path(
            "path_missed",
            host,
            missed,
            limit,
            "%",
            f"{run.service} on {host} took {seen} of the {opened} connections that wrk opened, "
            f"{missed:.3g} % went another way where {limit:g} % may: look at the benchmarker's route and "
            "at what else answers on that address",
        )


def _twice(run: RunEvidence, delta: HostDelta) -> Iterator[Finding]:
    """Give a finding when another backend's service took as many: each connection was balanced twice."""
    limit, own = run.limits.path_missed, delta.connections.get(run.service, 0)
    if limit is None or not own or len(delta.connections) < 2:
        return
    kind = run.service.partition(" ")[0]
    for service, number in delta.connections.items():
        apart = 100 * abs(number - own) / own
        if service.partition(" ")[0] != kind and apart <= limit:
            yield signals.path(
                "path_twice",
                delta.host,
                number,
                own * limit / 100,
                "connections",
                f"{service} took {number} connections on {delta.host} while {run.service} took {own}, "
                f"within {limit:g} % of each other: each seems to pass both, so take the other backend's "
                "service away",
            )


def _late(run: RunEvidence, delta: HostDelta) -> int:
    """Give how many connections ipvs took in all and has not yet counted for any service; they may be this one's."""
    if run.service.partition(" ")[0] != "ipvs":
        return 0
    counted = sum(number for service, number in delta.connections.items() if service.startswith("ipvs "))
    return max(0, delta.counters.get("ipvs.conns", 0) - counted)


def _unread(run: RunEvidence, delta: HostDelta) -> bool:
    if run.service in delta.connections:
        return False
    kind = run.service.partition(" ")[0]
    # A backend of another plugin keeps its connections where nobody looks.
    return kind not in UNREAD or any(reason.startswith(UNREAD[kind]) for reason in delta.missing)
