"""Findings about how the pods shared the load: connections, packets and bytes. Pure; touches nothing.

They are told and take nothing from a run: how evenly a load balancer deals is a property of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals
from pytest_kubelb.evidence.findings.chi_square import even_spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

LATEST_S: Final = 2.0
"""ipvs brings a pod's packets and bytes up to date every two seconds, and not those of all pods at once."""


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `uneven_connections`, `uneven_packets`, `uneven_bytes` and `keepalive_skew`."""
    yield from _keepalive_skew(run)
    if len(run.endpoints) < 2 or run.limits.uneven is None:
        return
    for delta in run.of_role("load_balancer"):
        if delta.endpoints and _whole(run, delta):
            yield from _connections(run, delta, run.limits.uneven)
            for counted in ("packets", "bytes"):
                yield from _per_connection(run, delta, run.limits.uneven, counted)


def _connections(run: RunEvidence, delta: HostDelta, limit: float) -> Iterator[Finding]:
    counts = [delta.endpoints.get(pod, {}).get("connections", 0) for pod in run.endpoints]
    total, most = sum(counts), max(counts)
    if not total:
        return
    over = 100 * (most * len(counts) / total - 1)
    if over <= limit:
        return
    chi_square, chance = even_spread(counts)
    rarest = run.limits.uneven_chance
    if rarest is not None and 100 * chance > rarest:
        return
    pod = run.endpoints[counts.index(most)]
    yield signals.fairness(
        "uneven_connections",
        delta.host,
        over,
        limit,
        "%",
        f"pod {pod} got {most} of {total} connections through {delta.host}, {over:.3g} % above the mean of "
        f"{total / len(counts):.1f} where {limit:g} % are allowed (chi-square {chi_square:.1f}, p = "
        f"{chance:.2g}): look at the scheduler, its weights and persistence",
    )


def _per_connection(run: RunEvidence, delta: HostDelta, limit: float, counted: str) -> Iterator[Finding]:
    """Compare what each pod's connections carried: with as many connections, a slow pod carries less."""
    carried: dict[str, float] = {}
    for pod in run.endpoints:
        entry = delta.endpoints.get(pod)
        if entry is not None and counted in entry and entry.get("connections", 0) > 0:
            carried[pod] = entry[counted] / entry["connections"]
    mean = sum(carried.values()) / len(carried) if carried else 0.0
    if len(carried) < 2 or not mean or not delta.seconds:
        return
    limit += 100 * LATEST_S / delta.seconds
    pod = max(carried, key=lambda name: carried[name])
    over = 100 * (carried[pod] / mean - 1)
    if over > limit:
        yield signals.fairness(
            f"uneven_{counted}",
            delta.host,
            over,
            limit,
            "%",
            f"a connection to pod {pod} through {delta.host} carried {carried[pod]:.0f} {counted}, "
            f"{over:.3g} % above the mean of {mean:.0f} where {limit:.3g} % are allowed: look for a slow or "
            "a remote pod",
        )


def _whole(run: RunEvidence, delta: HostDelta) -> bool:
    """Say whether the pods' connections are all there: ipvs counts its own at once, those of each pod later."""
    if not run.service.startswith("ipvs "):
        return True
    counted = sum(row.get("connections", 0) for row in delta.endpoints.values())
    return counted >= delta.counters.get("ipvs.conns", 0)


def _keepalive_skew(run: RunEvidence) -> Iterator[Finding]:
    limit, pods = run.limits.keepalive_skew, len(run.endpoints)
    if limit is None or not pods or run.connections <= 0 or run.connections % pods == 0:
        return
    most = -(-run.connections // pods)
    over = 100 * (most * pods / run.connections - 1)
    if over > limit:
        yield signals.fairness(
            "keepalive_skew",
            "",
            over,
            limit,
            "%",
            f"{run.connections} connections that are kept alive are no multiple of {pods} pods, so one has "
            f"{most} at least, {over:.3g} % above the mean where {limit:g} % are allowed: use "
            f"--kubelb-connections auto:{run.connections}",
        )
