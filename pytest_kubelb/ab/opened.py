"""Open what both sides need, each part once, and put it all back. Touches the testbed through its parts.

Where the sides share something (hosts, cluster, pods, backend), it is the same for both: pods that sit on other nodes
would be a difference nobody asked for. Sides that differ in image or port of the workload, or in the Service's port
or address, have a Deployment and a Service each, which are both up all the time.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_kubelb import backends, defaults
from pytest_kubelb.ab.turn import OpenSide
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.overlay import Overlay
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.convergence import SCALE_TIMEOUT_S
from pytest_kubelb.holding import manifest_of
from pytest_kubelb.matrix import Point
from pytest_kubelb.measuring import LoadGenerator
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.testbed.identity import identity_of
from pytest_kubelb.testbed.locking import locked
from pytest_kubelb.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from pytest_kubelb.ab.request import Request
    from pytest_kubelb.ab.side import Side
    from pytest_kubelb.backends.base import Backend
    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.cluster.manifests import Manifest
    from pytest_kubelb.holding import OnEvent
    from pytest_kubelb.opening import Interrupts
    from pytest_kubelb.testbed.hosts import Host
    from pytest_kubelb.testbed.inventory import Inventory
    from pytest_kubelb.testbed.locking import Lock

_T = TypeVar("_T")


@contextmanager
def open_sides(
    sides: Sequence[Side], request: Request, session: str, on_event: OnEvent, interrupts: Interrupts
) -> Iterator[tuple[OpenSide, OpenSide]]:
    """Open the testbed of both sides with their pods up; no backend is programmed yet.

    At the end everything is put back, the last first, whatever signal comes meanwhile. Raises TestbedError.
    """
    with interrupts.closing() as stack:
        parts = _Parts(stack, sides, session, on_event)
        parts.connect()
        if request.settings.preflight == "on":
            parts.require_ready(request)
        a, b = (parts.open(side, request.pods, request.overlay) for side in sides)
        a.meet(b)
        b.meet(a)
        yield a, b


class _Parts:
    """The parts that have been opened, each under what tells it from others; `stack` puts them back."""

    def __init__(self, stack: ExitStack, sides: Sequence[Side], session: str, on_event: OnEvent) -> None:
        self._stack = stack
        self._sides = sides
        self._session = session
        self._on_event = on_event
        self._opened: dict[object, Any] = {}
        self._locks: dict[Path, Lock] = {}
        self._deployed: list[tuple[object, Manifest]] = []

    def connect(self) -> None:
        """Connect to every host that is used, take its testbed for this session, and note its facts."""
        used: dict[Path, list[str]] = {}
        inventories: dict[Path, Inventory] = {}
        for side in self._sides:
            used.setdefault(_ssh_config(side), []).extend(_used_hosts(side))
            inventories.setdefault(_ssh_config(side), side.inventory)
        for config, repeated in used.items():
            names = tuple(dict.fromkeys(repeated))
            hosts = self._stack.enter_context(Hosts(config, names))
            self._opened["hosts", config] = hosts
            inventory, mine = inventories[config], {name: hosts[name] for name in names}
            where = (
                inventory.cluster.kubeconfig.resolve(),
                inventory.cluster.context,
                inventory.cluster.namespace,
            )
            self._locks[config] = self._once(("lock", where), partial(self._locked, inventory, mine))
            tuner = Tuner(mine, self._session, self._on_event)
            tuner.refuse_leftovers()
            self._stack.callback(tuner.restore)
            self._opened["tuner", config] = tuner
            self._on_event("testbed", dict(defaults.pytest_kubelb_host_facts(hosts, names)))

    def require_ready(self, request: Request) -> None:
        """Check what each side needs, as a session does; raises TestbedError before anything is touched."""
        from pytest_kubelb.preflight.session import require_ready
        from pytest_kubelb.preflight.wanted import Wanted

        checked: list[Wanted] = []
        for side in self._sides:
            point = _point(side, request.pods, request.overlay)
            holder = identity_of(self._session)
            wanted = Wanted.from_points(request.settings, side.inventory, [point], holder)
            wanted = replace(wanted, used=_used_hosts(side))
            if wanted in checked:
                continue
            checked.append(wanted)
            hosts: Hosts = self._opened["hosts", _ssh_config(side)]
            api = self._once(("api", _cluster(side)), partial(self._api, side.inventory))
            require_ready(hosts, api, wanted, self._on_event, "--preflight=off")

    def _locked(self, inventory: Inventory, hosts: Mapping[str, Host]) -> Lock:
        return self._stack.enter_context(locked(inventory, self._session, hosts, self._on_event))

    def open(self, side: Side, pods: int, overlay: str) -> OpenSide:
        """Open one side: its pods run when this returns."""
        inventory = side.inventory
        hosts = self._opened["hosts", _ssh_config(side)]
        tuner: Tuner = self._opened["tuner", _ssh_config(side)]
        benchmarker = hosts[inventory.roles.benchmarker]
        workload, endpoints = self._pods(side, pods, overlay)

        def tune(name: str) -> None:
            if name != tuner.profile:
                tuner.apply(inventory.tunings[name])

        if inventory.proxy is not None:
            # Where the other side's Service has the address, the cluster chose one.
            inventory = replace(inventory, proxy=replace(inventory.proxy, cluster_ip=workload.cluster_ip))
        return OpenSide(
            side.letter,
            _point(side, pods, overlay),
            benchmarker,
            self._backend(side.backend, inventory, hosts, workload),
            self._load(benchmarker),
            endpoints,
            tune,
            self._locks[_ssh_config(side)].check,
            self._on_event,
        )

    def _pods(self, side: Side, pods: int, overlay: str) -> tuple[Workload, tuple[Endpoint, ...]]:
        cluster = _cluster(side)
        api = self._once(("api", cluster), lambda: self._api(side.inventory))
        self._once(("overlay", cluster), lambda: self._overlay(api, side.inventory, overlay))
        manifest = manifest_of(side.inventory, self._session)

        def deploy() -> tuple[Workload, tuple[Endpoint, ...]]:
            workload = Workload(api, self._beside_others(cluster, manifest, side.letter))
            self._stack.callback(workload.delete)
            workload.deploy()
            return workload, workload.scale(pods, timeout_s=SCALE_TIMEOUT_S)

        return self._once(("workload", cluster, manifest), deploy)

    def _beside_others(self, cluster: object, manifest: Manifest, letter: str) -> Manifest:
        """Give the manifest under a name and an address that the other side has not taken."""
        if any(
            (cluster, manifest.cluster_ip) == (where, other.cluster_ip) for where, other in self._deployed
        ):
            manifest = replace(manifest, cluster_ip=None)
        if self._deployed:
            manifest = replace(manifest, name=f"{manifest.name}-{letter}")
        self._deployed.append((cluster, manifest))
        return manifest

    def _api(self, inventory: Inventory) -> Api:
        def note(text: str) -> None:
            self._on_event("kubernetes", {"text": text})

        cluster = inventory.cluster
        return self._stack.enter_context(Api(cluster.kubeconfig, cluster.context, on_event=note))

    def _overlay(self, api: Api, inventory: Inventory, name: str) -> Overlay:
        overlay = Overlay(
            api,
            inventory.flannel,
            identity=identity_of(self._session),
            namespace=inventory.cluster.namespace,
        )
        self._stack.callback(overlay.restore)
        overlay.set(name)
        return overlay

    def _backend(self, name: str, inventory: Inventory, hosts: Hosts, workload: Workload) -> Backend:
        def make() -> Backend:
            backend = backends.load(name).on_testbed(inventory, hosts)
            backend.session = self._session
            self._stack.callback(backend.clear)
            return backend

        roles = inventory.roles
        spec = {"ipvs": inventory.ipvs, "proxy": inventory.proxy}.get(name)
        return self._once((name, id(hosts), roles.load_balancer, roles.benchmarker, spec, id(workload)), make)

    def _load(self, benchmarker: Any) -> LoadGenerator:
        def make() -> LoadGenerator:
            load = LoadGenerator(benchmarker, self._session)
            self._stack.callback(load.remove)
            load.open()
            return load

        return self._once(("load", id(benchmarker)), make)

    def _once(self, key: object, make: Callable[[], _T]) -> _T:
        if key not in self._opened:
            self._opened[key] = make()
        found: _T = self._opened[key]
        return found


def _point(side: Side, pods: int, overlay: str) -> Point:
    return Point(side.backend, pods, overlay, side.tuning)


def _used_hosts(side: Side) -> tuple[str, ...]:
    """Give the hosts that are logged in to: those of the data path and of the tuning, for there is no evidence."""
    roles, tuned = side.inventory.roles, side.inventory.tunings[side.tuning].by_host
    return tuple(dict.fromkeys((roles.load_balancer, roles.benchmarker, *tuned)))


def _cluster(side: Side) -> tuple[Path, str | None]:
    return side.inventory.cluster.kubeconfig.resolve(), side.inventory.cluster.context


def _ssh_config(side: Side) -> Path:
    # Two inventories of one testbed may name it along two ways.
    return side.inventory.testbed.ssh_config.resolve()
