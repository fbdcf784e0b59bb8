"""What a session with these settings would need of the testbed. Pure: touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_kubelb.holding import manifest_of, used_hosts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.matrix import Point
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.inventory import Inventory, IpvsSpec, ProxySpec
    from pytest_kubelb.tuning.knobs import Knobs


@dataclass(frozen=True)
class Wanted:
    """The testbed, and how far a session would go with it."""

    inventory: Inventory
    backends: tuple[str, ...]
    pods: int
    """The most pods of any point."""
    connections: int
    """The most connections that wrk would open at any point."""
    overlays: tuple[str, ...]
    tunings: tuple[str, ...]
    used: tuple[str, ...]
    """The hosts that a session logs in to: one of the others that cannot be reached stops nothing."""
    holder: str = ""
    """Who asks, as the lock calls it, where a session asks that holds the lock itself."""

    @classmethod
    def from_settings(cls, settings: Settings, inventory: Inventory) -> Wanted:
        """Give what `settings` ask of the testbed that `inventory` describes."""
        return cls(
            inventory=inventory,
            backends=settings.backend,
            pods=max(settings.pods),
            connections=max(settings.connections.at(pods) for pods in settings.pods),
            overlays=settings.overlay,
            tunings=settings.tuning,
            used=used_hosts(inventory, settings.tuning),
        )

    @classmethod
    def from_points(
        cls, settings: Settings, inventory: Inventory, points: Sequence[Point], holder: str
    ) -> Wanted:
        """Give what the points of a session need, which markers may have asked for beside the settings."""
        tunings = tuple(dict.fromkeys(point.tuning for point in points))
        return cls(
            inventory=inventory,
            backends=tuple(dict.fromkeys(point.backend for point in points)),
            pods=max(point.pods for point in points),
            connections=max(settings.connections.at(point.pods) for point in points),
            overlays=tuple(dict.fromkeys(point.overlay for point in points)),
            tunings=tunings,
            used=used_hosts(inventory, tunings),
            holder=holder,
        )

    @property
    def ipvs(self) -> IpvsSpec | None:
        """The virtual server, where it is measured."""
        return self.inventory.ipvs if "ipvs" in self.backends else None

    @property
    def proxy(self) -> ProxySpec | None:
        """The Service through kube-proxy, where it is measured."""
        return self.inventory.proxy if "proxy" in self.backends else None

    @property
    def namespace(self) -> str:
        """The one namespace of the workload."""
        return self.inventory.cluster.namespace

    def knobs(self, host: str) -> list[Knobs]:
        """Give what the tuning profiles set on a host."""
        profiles = (self.inventory.tunings[name] for name in self.tunings)
        return [profile.by_host[host] for profile in profiles if host in profile.by_host]

    def pod_spec(self) -> dict[str, Any]:
        """Give the spec of one pod of the workload, as the cluster will get it."""
        template = manifest_of(self.inventory, "preflight").deployment()["spec"]["template"]
        return dict(template["spec"])

    def workload_name(self) -> str:
        """Give the name of Deployment and Service."""
        return manifest_of(self.inventory, "preflight").name
