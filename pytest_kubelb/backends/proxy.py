"""The backend `proxy`: the Service's ClusterIP, forwarded by kube-proxy's rules on the load balancer.

kube-proxy programs the load balancer by itself; what is done here is the route to the ClusterIP on the
benchmarker. Touches that one route, and puts back what was there. What that was goes to the undo journal on the host
in the same round trip as the change.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, ClassVar, Self

from pytest_kubelb.backends.base import Backend, Remote, root_line, run_script, url_of
from pytest_kubelb.errors import ConfigError, TestbedError
from pytest_kubelb.load import json_fields
from pytest_kubelb.testbed import journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory
    from pytest_kubelb.testbed.journal import Journal

# What `ip route show` prints about a route's present state; `ip route add` takes none of these words.
_STATE_WORDS = frozenset({"dead", "linkdown", "offload", "offload_failed", "pervasive", "rt_trap", "trap"})


_ROUTE = re.compile(r"[A-Za-z0-9.:/_@-]+( [A-Za-z0-9.:/_@-]+)*", re.ASCII)


class Proxy(Backend):
    """The ClusterIP, through the load balancer. The first `activate` is one round trip, later ones none.

    Without `prepare`, or where the cluster chose the address after it, the first one is two.
    """

    name: ClassVar[str] = "proxy"
    follows = True

    def __init__(self, benchmarker: Remote, *, cluster_ip: str | None, port: int, via: str) -> None:
        """`cluster_ip` is None until `deployed` gives it."""
        self._host = benchmarker
        self._cluster_ip = ""
        self._port = port
        self._via = via
        self._before: list[str] | None = None
        self._active = False
        self._journal: Journal | None = None
        if cluster_ip is not None:
            self.deployed(cluster_ip)

    @classmethod
    def on_testbed(cls, inventory: Inventory, hosts: Hosts) -> Backend:
        """Make it from `[backends.proxy]`."""
        spec = inventory.proxy
        if spec is None:
            raise ConfigError(f"{inventory.file}: the backend proxy needs a section [backends.proxy]")
        return cls(
            hosts[inventory.roles.benchmarker], cluster_ip=spec.cluster_ip, port=spec.port, via=spec.via
        )

    @classmethod
    def from_journal(cls, benchmarker: Remote, left: Journal) -> Self:
        """Take over what a session left, to `put_back`. Raises TestbedError when its payload cannot be understood."""
        try:
            cluster_ip, before = _from_json(left.payload)
        except ValueError as error:
            raise TestbedError(
                f"host {benchmarker.name}: the journal of {journal.label(left)} cannot be read: {error}; "
                "restore it with the version of kubelb that wrote it"
            ) from error
        backend = cls(benchmarker, cluster_ip=cluster_ip, port=80, via="")
        backend._before, backend._journal = before, left
        return backend

    def deployed(self, cluster_ip: str) -> None:
        """Lead to this address, which the Service has."""
        if cluster_ip != self._cluster_ip:
            self._cluster_ip = cluster_ip
            self.url = url_of(cluster_ip, self._port)

    def prepare(self) -> None:
        """Read the route that there is, where the address is known already."""
        if self._cluster_ip:
            self._before = self._look()

    def take_over(self, other: Backend) -> None:
        """Know of the benchmarker's route to this ClusterIP what `other` knows; it may lead elsewhere now."""
        if not isinstance(other, Proxy) or other is self or other._before is None:
            return
        if (other._host, other._cluster_ip) == (self._host, self._cluster_ip):
            self._before, self._active = other._before, other._active and other._via == self._via
            self._journal = other._journal
            other._before, other._active, other._journal = None, False, None

    def program(self, endpoints: Sequence[Endpoint]) -> None:
        """Do nothing: kube-proxy follows the EndpointSlices by itself."""

    def activate(self) -> None:
        """Route the ClusterIP through the load balancer, and read the route back."""
        if self._active:
            return
        if self._before is None:
            self._before = self._look()
        stdin, lines = self._kept(self._before)
        lines += [
            root_line("ip", "-4", "route", "replace", self._target, "via", self._via),
            f"ip -json -4 route get {self._cluster_ip}",
        ]
        gateway = next_hop(run_script(self._host, lines, stdin=stdin))
        if gateway != self._via:
            raise TestbedError(
                f"host {self._host.name}: the way to {self._cluster_ip} leads through {gateway}, not through"
                f" {self._via} as was set; see 'ip rule' and the routes with a lower metric there"
            )
        self._active = True

    def clear(self) -> None:
        """Put back the routes to exactly this ClusterIP that were there before, usually none."""
        self.put_back()

    def put_back(self) -> tuple[str, ...]:
        """Do what `clear` does; gives what was put back, a line each."""
        if self._before is None:
            return ()
        if self._journal is not None:
            lines = [root_line("ip", "-4", "route", "flush", "exact", self._target)]
            lines += [root_line("ip", "-4", "route", "add", *route.split()) for route in self._before]
            show = f"ip -4 route show exact {self._target}"
            printed = run_script(self._host, [show, "echo %%", *lines, show])
            found, left = map(routes_to_restore, printed.partition("%%\n")[::2])
            if left != self._before:
                raise TestbedError(
                    f"host {self._host.name}: the routes to {self._cluster_ip} are now {left}, before they were"
                    f" {self._before}; put them back by hand"
                )
            run_script(self._host, [journal.NAMESPACE_LINE, *journal.remove_lines(self._journal)])
            said = () if found == left else (f"route to {self._cluster_ip}: {_said(found)} -> {_said(left)}",)
        else:
            said = ()
        self._before, self._active, self._journal = None, False, None
        return said

    @property
    def _target(self) -> str:
        return f"{self._cluster_ip}/32"

    def _look(self) -> list[str]:
        return routes_to_restore(run_script(self._host, [f"ip -4 route show exact {self._target}"]))

    def _kept(self, before: list[str]) -> tuple[str | None, list[str]]:
        """Give the journal as a line, and the script lines that write it; nothing where it is written."""
        if self._journal is not None:
            return None, []
        payload = {"cluster_ip": self._cluster_ip, "routes": before}
        made = journal.opened(self.session, journal.PROXY, self._host.name, payload, self._cluster_ip)
        self._journal = made
        return journal.encode(made), [journal.NAMESPACE_LINE, *journal.write_lines(made)]


def _from_json(payload: Mapping[str, object]) -> tuple[str, list[str]]:
    """Read the payload of a journal: root may be about to believe it. Raises ValueError that says what is odd."""
    cluster_ip, routes = payload.get("cluster_ip"), payload.get("routes")
    if not isinstance(cluster_ip, str) or not isinstance(routes, list):
        raise ValueError("it has no cluster_ip or no routes")
    ipaddress.IPv4Address(cluster_ip)
    for route in routes:
        if not isinstance(route, str) or not _ROUTE.fullmatch(route) or route.split()[0] != cluster_ip:
            raise ValueError(f"{route!r} is no route to {cluster_ip}")
    return cluster_ip, routes


def _said(routes: list[str]) -> str:
    return " and ".join(routes) or "none"


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
        (route,) = json_fields.decode(printed)
        return str(route.get("gateway", "no gateway"))
    except (ValueError, AttributeError, TypeError) as error:
        raise TestbedError(
            f"'ip -json route get' printed {printed[:200]!r}, which is not one route; update iproute2 on the"
            " benchmarker (5.0 or later is needed)"
        ) from error
