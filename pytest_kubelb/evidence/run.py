"""What is known of one run when it has ended, and what the findings make of it. Values only; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_kubelb.evidence.wire import wires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.limits import Limits
    from pytest_kubelb.evidence.spec import NodeSpec
    from pytest_kubelb.evidence.wire import Wire
    from pytest_kubelb.load.result import WrkResult
    from pytest_kubelb.record.finding import Finding


@dataclass(frozen=True)
class RunEvidence:
    """One run. What was not read is empty or None, and its signals are silent."""

    point: Mapping[str, str | int]
    """`Point.axes()`."""
    backend: str
    """Its name: `ipvs`."""
    service: str
    """The key of this backend's service in `HostDelta.connections`: `ipvs 192.168.0.111:8888`."""
    endpoints: tuple[str, ...]
    """Pod addresses of the point."""
    pods_before: Mapping[str, str]
    """Pod name -> `node/ip`, as the cluster says before the run."""
    pods_after: Mapping[str, str]
    """The same after it."""
    connections: int
    """That wrk was asked to open."""
    duration_s: float
    """That wrk was asked to last."""
    wall_s: float
    """That its process lasted, by the benchmarker's clock."""
    wrk_cpu_s: float | None
    """User and system time of wrk itself."""
    result: WrkResult | None
    """What wrk said; None when it failed."""
    roles: Mapping[str, tuple[str, ...]]
    """`load_balancer`, `benchmarker`, `workers`, `control_plane` -> host names."""
    hosts: Mapping[str, HostDelta]
    specs: Mapping[str, NodeSpec]
    limits: Limits

    def of_role(self, role: str) -> tuple[HostDelta, ...]:
        """Give what happened on each host of a role that was read."""
        return self._by_role.get(role, ())

    @cached_property
    def _by_role(self) -> Mapping[str, tuple[HostDelta, ...]]:
        hosts = self.hosts
        return {
            role: tuple([hosts[name] for name in names if name in hosts])
            for role, names in self.roles.items()
        }

    @cached_property
    def load_s(self) -> float:
        """Seconds of load: wrk's own measure; without a result what it was asked for."""
        return (
            self.result.duration_s
            if self.result is not None and self.result.duration_s > 0
            else self.duration_s
        )

    @cached_property
    def wires(self) -> Mapping[str, tuple[Wire, ...]]:
        """Give each host's NICs that end in a wire and carried anything."""
        return {host: tuple(wires(delta, self.specs.get(host))) for host, delta in self.hosts.items()}

    @cached_property
    def shared(self) -> frozenset[str]:
        """Hosts whose kernel, and so whose CPUs, a host of another role uses as well."""
        first: dict[str, str] = {}
        mixed: set[str] = set()
        for role, names in self.roles.items():
            for name in names:
                boot_id = self.hosts[name].boot_id if name in self.hosts else ""
                if boot_id and first.setdefault(boot_id, role) != role:
                    mixed.add(boot_id)
        if not mixed:
            return frozenset()
        return frozenset(name for name, delta in self.hosts.items() if delta.boot_id in mixed)


@dataclass(frozen=True)
class Examined:
    """What the evidence says of a run."""

    findings: tuple[Finding, ...]
    ceiling: str
    """One of `record.finding.CEILINGS`."""
    wire_bytes_per_request: float | None
    """On the benchmarker's NICs, both directions, framing included; None when it is not known."""
    validity: str
    """`valid`, `stalled`, `contaminated` or `failed`; whether the run was a warm-up is not known here."""
    reason: str | None
    """Why it is not valid, one sentence that begins with the signal."""
