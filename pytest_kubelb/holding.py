"""Hold a testbed for one session: open its parts in parallel, and hand everything back as it was.

Touches it through its parts.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb import backends
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.overlay import Overlay
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.convergence import Convergence
from pytest_kubelb.measuring import LoadGenerator
from pytest_kubelb.pools import pool
from pytest_kubelb.testbed import kube_proxy
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.testbed.identity import identity_of
from pytest_kubelb.testbed.locking import Lock, locked
from pytest_kubelb.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_kubelb.evidence.watch import Watch
    from pytest_kubelb.matrix import Point
    from pytest_kubelb.observing import Observer
    from pytest_kubelb.testbed.hosts import Completed
    from pytest_kubelb.testbed.inventory import Inventory

    OnEvent = Callable[[str, Mapping[str, object]], None]  # the name of what happened, and its details

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What a session is going to measure with."""

    session: str
    """The session's id."""
    backends: Sequence[str]
    known: Mapping[str, str]
    """Every backend that could be chosen: name -> `module:Class`."""
    tunings: Sequence[str] = ("none",)
    wait: bool = False
    """Whether to wait for the end of another session that holds the testbed; else that is an error."""


@dataclass(frozen=True)
class HeldTestbed:
    """A testbed that is ours for the session."""

    convergence: Convergence
    load: LoadGenerator
    observer: Observer | None
    """None where the inventory wants no evidence."""
    facts: Mapping[str, object]
    """What `host_facts` gave, JSON values by name, and as `kube_proxy` its mode on the load balancer."""
    lock: Lock
    """To be checked before and after every run."""


@contextmanager
def hold(
    inventory: Inventory,
    wanted: Wanted,
    on_event: OnEvent,
    host_facts: Callable[[Hosts, Sequence[str]], Mapping[str, object]] = lambda hosts, names: {},  # noqa: ARG005
    on_command: Callable[[Completed], None] | None = None,
    require_ready: Callable[[Hosts, Api], None] = lambda hosts, api: None,  # noqa: ARG005
) -> Iterator[HeldTestbed]:
    """Open the testbed for what is `wanted`, and put it back at the end.

    `host_facts` is asked meanwhile, for the names of the hosts that are used; `on_command` is told, in any thread, of
    every command that ended on a host. Every step of putting back is tried, whatever the others did; raises
    TestbedError with the first that failed. It is locked against other sessions before anything else is done, and then
    `require_ready` may look at it, reading, and raise TestbedError before anything is changed.
    """
    roles = inventory.roles
    used = used_hosts(inventory, wanted.tunings)
    with ExitStack() as stack:
        hosts = stack.enter_context(Hosts(inventory.testbed.ssh_config, used))
        hosts.tell_reconnects(lambda name: on_event("reconnected", {"host": name}))
        if on_command is not None:
            hosts.listen(on_command)
        lock = stack.enter_context(
            locked(
                inventory, wanted.session, {name: hosts[name] for name in used}, on_event, wait=wanted.wait
            )
        )
        api = stack.enter_context(
            Api(
                inventory.cluster.kubeconfig,
                inventory.cluster.context,
                on_event=lambda text: on_event("kubernetes", {"text": text}),
            )
        )
        workload = Workload(api, manifest_of(inventory, wanted.session))
        overlay = Overlay(
            api,
            inventory.flannel,
            identity=identity_of(wanted.session),
            namespace=inventory.cluster.namespace,
        )
        tuner = Tuner({name: hosts[name] for name in used}, wanted.session, on_event)
        made = {
            name: backends.load(name, wanted.known).on_testbed(inventory, hosts) for name in wanted.backends
        }
        for backend in made.values():
            backend.session = wanted.session
        with pool(7 + len(made), "kubelb-opening") as opening:
            ready = opening.submit(require_ready, hosts, api)
            free = opening.submit(tuner.refuse_leftovers)
            told = opening.submit(host_facts, hosts, used)
            mode = opening.submit(kube_proxy.mode, hosts[roles.load_balancer])
            watching = opening.submit(_watch, inventory, hosts, wanted.tunings)
            stack.callback(_close, watching)
            prepared = [opening.submit(backend.prepare) for backend in made.values()]
            for question in (ready, free):  # before anything is touched, so that there is nothing to put back
                question.result()
            steps = [tuner.restore, overlay.restore, workload.delete, *(each.clear for each in made.values())]
            stack.callback(_put_back, steps)
            load = LoadGenerator(hosts[roles.benchmarker], wanted.session)
            stack.callback(load.remove)
            for step in (opening.submit(load.open), opening.submit(workload.deploy), *prepared):
                step.result()
            for backend in made.values():
                backend.deployed(workload.cluster_ip)
            watch = watching.result()
        stack.callback(hosts.try_again)
        facts = {**told.result(), "kube_proxy": mode.result()}
        observer = None
        if watch is not None:
            observer = _observer(inventory, watch, workload, tuner, facts, on_event)

        def on_converged(point: Point, seconds: Mapping[str, float]) -> None:
            on_event("converged", {"point": point.axes(), **seconds})

        def tune(name: str) -> None:
            tuner.apply(inventory.tunings[name])

        yield HeldTestbed(
            Convergence(hosts[roles.benchmarker], workload, overlay, tune, made, on_converged),
            load,
            observer,
            facts,
            lock,
        )


def used_hosts(inventory: Inventory, tunings: Sequence[str]) -> tuple[str, ...]:
    """Give the hosts that a session logs in to, each once: of its data path, its evidence and its tunings."""
    roles = inventory.roles
    workers = roles.workers if "workers" in inventory.evidence else ()
    tuned = [host for name in tunings for host in inventory.tunings[name].by_host]
    return tuple(dict.fromkeys((roles.load_balancer, roles.benchmarker, *workers, *tuned)))


def manifest_of(inventory: Inventory, session: str) -> Manifest:
    """Give the workload that the inventory describes, owned by `session`."""
    pods = inventory.workload
    return Manifest(
        session=session.lower(),
        namespace=inventory.cluster.namespace,
        image=pods.image,
        port=pods.port,
        nodes=inventory.worker_nodes,
        requests=pods.requests,
        limits=pods.limits,
        node_selector=pods.node_selector,
        tolerations=pods.tolerations,
        service_port=inventory.proxy.port if inventory.proxy else None,
        cluster_ip=inventory.proxy.cluster_ip if inventory.proxy else None,
    )


def _watch(inventory: Inventory, hosts: Hosts, tunings: Sequence[str]) -> Watch | None:
    """Open what reads the evidence; None where the inventory wants none and no tuning has to be watched."""
    if not inventory.evidence and not any(inventory.tunings[name].by_host for name in tunings):
        return None
    from pytest_kubelb.evidence.watch import Watch

    roles = _read_roles(inventory)
    sysctls: dict[str, list[str]] = {}
    for name in tunings:
        for host, knobs in inventory.tunings[name].by_host.items():
            sysctls.setdefault(host, []).extend(knobs.sysctls)
    watch = Watch({name: hosts[name] for members in roles.values() for name in members}, roles, sysctls)
    watch.open()
    return watch


def _close(watching: Future[Watch | None]) -> None:
    if watching.exception() is None and (watch := watching.result()) is not None:
        watch.close()


def _observer(
    inventory: Inventory,
    watch: Watch,
    workload: Workload,
    tuner: Tuner,
    facts: Mapping[str, object],
    on_event: OnEvent,
) -> Observer:
    from pytest_kubelb.evidence.spec import NodeSpec
    from pytest_kubelb.observing import Known, Observer

    told = facts.get("specs")
    specs = {name: NodeSpec.from_json(spec) for name, spec in told.items()} if isinstance(told, dict) else {}
    known = Known(_read_roles(inventory), specs, inventory.limits)
    return Observer(watch, workload.running, tuner.drifts, known, on_event)


def _read_roles(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Give the roles whose hosts are read around runs, and those hosts."""
    roles = {
        "load_balancer": (inventory.roles.load_balancer,),
        "benchmarker": (inventory.roles.benchmarker,),
        "workers": inventory.roles.workers,
    }
    return {role: names for role, names in roles.items() if role in inventory.evidence}


def _put_back(steps: Sequence[Callable[[], None]]) -> None:
    """Take the steps at once, since they touch different things, and raise the first error after all have ended."""
    with ThreadPoolExecutor(len(steps)) as pool:
        results = [pool.submit(step) for step in steps]
    errors = [error for result in results if (error := result.exception()) is not None]
    for error in errors[1:]:
        log.error("%s", error)
    if errors:
        raise errors[0]
