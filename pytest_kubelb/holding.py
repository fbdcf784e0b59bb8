"""Hold a testbed for one session: open its parts in parallel, and hand everything back as it was.

Touches it through its parts.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
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
from pytest_kubelb.testbed.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_kubelb.matrix import Point
    from pytest_kubelb.testbed.inventory import Inventory

    OnEvent = Callable[[str, Mapping[str, object]], None]  # the name of what happened, and its details

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeldTestbed:
    """A testbed that is ours for the session."""

    convergence: Convergence
    load: LoadGenerator
    facts: Mapping[str, object]
    """What `host_facts` gave: JSON values by name."""


@contextmanager
def hold(
    inventory: Inventory,
    chosen: Sequence[str],
    known: Mapping[str, str],
    session: str,
    on_event: OnEvent,
    host_facts: Callable[[Hosts, Sequence[str]], Mapping[str, object]] = lambda hosts, names: {},  # noqa: ARG005
) -> Iterator[HeldTestbed]:
    """Open the testbed for the backends `chosen` out of `known` (name -> `module:Class`), and put it back at the end.

    `host_facts` is asked meanwhile, for the names of the hosts that are used. Every step of putting back is tried,
    whatever the others did; raises TestbedError with the first that failed.
    """
    roles = inventory.roles
    used = [roles.load_balancer, roles.benchmarker]
    with ExitStack() as stack:
        hosts = stack.enter_context(Hosts(inventory.testbed.ssh_config, used))
        api = stack.enter_context(
            Api(
                inventory.cluster.kubeconfig,
                inventory.cluster.context,
                on_event=lambda text: on_event("kubernetes", {"text": text}),
            )
        )
        workload = Workload(api, manifest_of(inventory, session))
        overlay = Overlay(api)
        made = {name: backends.load(name, known).on_testbed(inventory, hosts) for name in chosen}
        stack.callback(_put_back, [overlay.restore, workload.delete, *(each.clear for each in made.values())])
        with ThreadPoolExecutor(3 + len(made)) as pool:
            deployed = pool.submit(workload.deploy)
            prepared = [pool.submit(backend.prepare) for backend in made.values()]
            facts = pool.submit(host_facts, hosts, used)
            load = pool.submit(LoadGenerator, hosts[roles.benchmarker], session).result()
            stack.callback(load.remove)
            for step in (deployed, *prepared):
                step.result()

        def on_converged(point: Point, seconds: Mapping[str, float]) -> None:
            on_event("converged", {"point": point.axes(), **seconds})

        yield HeldTestbed(
            Convergence(hosts[roles.benchmarker], workload, overlay, made, on_converged),
            load,
            facts.result(),
        )


def manifest_of(inventory: Inventory, session: str) -> Manifest:
    """Give the workload that the inventory describes, owned by `session`."""
    return Manifest(
        session=session.lower(),
        namespace=inventory.cluster.namespace,
        image=inventory.workload.image,
        port=inventory.workload.port,
        service_port=inventory.proxy.port if inventory.proxy else None,
        cluster_ip=inventory.proxy.cluster_ip if inventory.proxy else None,
    )


def _put_back(steps: Sequence[Callable[[], None]]) -> None:
    """Take the steps at once, since they touch different things, and raise the first error after all have ended."""
    with ThreadPoolExecutor(len(steps)) as pool:
        results = [pool.submit(step) for step in steps]
    errors = [error for result in results if (error := result.exception()) is not None]
    for error in errors[1:]:
        log.error("%s", error)
    if errors:
        raise errors[0]
