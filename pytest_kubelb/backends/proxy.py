"""The backend `proxy`: the Service's ClusterIP, forwarded by kube-proxy's rules on the load balancer.

kube-proxy programs the load balancer by itself; what is done here is the route to the ClusterIP on the
benchmarker. Touches that one route, and puts back what was there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Self

from pytest_kubelb.backends.base import Backend, Remote, root_line, run_script, url_of
from pytest_kubelb.errors import ConfigError, TestbedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory

# What `ip route show` prints about a route's present state; `ip route add` takes none of these words.
_STATE_WORDS = frozenset({"dead", "linkdown", "offload", "offload_failed", "pervasive", "rt_trap", "trap"})


class Proxy(Backend):
    """The ClusterIP, through the load balancer. The first `activate` is one round trip, later ones none."""

    name: ClassVar[str] = "proxy"

    def __init__(self, benchmarker: Remote, *, cluster_ip: str, port: int, via: str) -> None:
        self.url = url_of(cluster_ip, port)
        self._host = benchmarker
        self._cluster_ip = cluster_ip
        self._via = via
        self._before: list[str] | None = None
        self._active = False

    @classmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> Self:
        """Make it from `[backends.proxy]`."""
        spec = inventory.proxy
        if spec is None:
            raise ConfigError(f"{inventory.file}: the backend proxy needs a section [backends.proxy]")
        return cls(
            hosts[inventory.roles.benchmarker], cluster_ip=spec.cluster_ip, port=spec.port, via=spec.via
        )

    def take_over(self, other: Backend) -> None:
        """Know of the benchmarker's route to this ClusterIP what `other` knows; it may lead elsewhere now."""
        if not isinstance(other, Proxy) or other is self or other._before is None:
            return
        if (other._host, other._cluster_ip) == (self._host, self._cluster_ip):
            self._before, self._active = other._before, other._active and other._via == self._via
            other._before, other._active = None, False

    def program(self, endpoints: Sequence[Endpoint]) -> None:
        """Do nothing: kube-proxy follows the EndpointSlices by itself."""

    def activate(self) -> None:
        """Route the ClusterIP through the load balancer, and read the route back."""
        if self._active:
            return
        target = f"{self._cluster_ip}/32"
        printed = run_script(
            self._host,
            [
                f"ip -4 route show exact {target}",
                "echo %%",
                root_line("ip", "-4", "route", "replace", target, "via", self._via),
                f"ip -json -4 route get {self._cluster_ip}",
            ],
        )
        before, _, after = printed.partition("%%\n")
        if self._before is None:
            self._before = routes_to_restore(before)
        gateway = next_hop(after)
        if gateway != self._via:
            raise TestbedError(
                f"host {self._host.name}: the way to {self._cluster_ip} leads through {gateway}, not through"
                f" {self._via} as was set; see 'ip rule' and the routes with a lower metric there"
            )
        self._active = True

    def clear(self) -> None:
        """Put back the routes to exactly this ClusterIP that the first `activate` found, usually none."""
        if self._before is None:
            return
        target = f"{self._cluster_ip}/32"
        lines = [root_line("ip", "-4", "route", "flush", "exact", target)]
        lines += [root_line("ip", "-4", "route", "add", *route.split()) for route in self._before]
        left = routes_to_restore(run_script(self._host, [*lines, f"ip -4 route show exact {target}"]))
        if left != self._before:
            raise TestbedError(
                f"host {self._host.name}: the routes to {self._cluster_ip} are now {left}, before they were"
                f" {self._before}; put them back by hand"
            )
        self._before = None
        self._active = False


def routes_to_restore(printed: str) -> list[str]:
    """Return the routes that `ip route show` printed as `ip route add` takes them."""
    routes = (
        " ".join(word for word in line.split() if word not in _STATE_WORDS) for line in printed.splitlines()
    )
    return [route for route in routes if route]


def next_hop(printed: str) -> str:
    """Return the gateway in the output of `ip -json route get`, "no gateway" for a direct route.

    Raises TestbedError when it is not that output.
    """
    try:
        (route,) = json.loads(printed)
        return str(route.get("gateway", "no gateway"))
    except (ValueError, AttributeError, TypeError) as error:
        raise TestbedError(
            f"'ip -json route get' printed {printed[:200]!r}, which is not one route; update iproute2 on the"
            " benchmarker (5.0 or later is needed)"
        ) from error
