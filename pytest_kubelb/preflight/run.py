"""Ask every host and the cluster at once, and judge what they answered. Touches them, reading."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_kubelb.preflight import answer, benchmarker, cluster, hosts, load_balancer
from pytest_kubelb.preflight.question import question

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.preflight.answer import HostAnswer
    from pytest_kubelb.preflight.check import Check
    from pytest_kubelb.preflight.cluster import ClusterAnswer
    from pytest_kubelb.preflight.wanted import Wanted
    from pytest_kubelb.testbed.hosts import Hosts

RETRY_FOR_S = 1.0
"""A preflight does not wait long for an API server that is away."""


def check(wanted: Wanted) -> list[Check]:
    """Give every check of the testbed, in the order of the roles.

    Raises ConfigError when the ssh_config or the kubeconfig cannot be used at all.
    """
    from pytest_kubelb.testbed.hosts import Hosts

    place = wanted.inventory.cluster
    names = wanted.inventory.roles.hosts
    with Hosts(wanted.inventory.testbed.ssh_config, names) as opened, _asking(opened, names, wanted) as asked:
        # The hosts are asked already while the client is imported, which takes as long as asking the cluster.
        from pytest_kubelb.cluster.client import Api

        with Api(place.kubeconfig, place.context, on_event=lambda _: None, retry_for_s=RETRY_FOR_S) as api:
            told = cluster.ask(api, wanted)
        return judge({name: asked[name].result() for name in names}, told, wanted)


def check_opened(opened: Hosts, api: Api, wanted: Wanted) -> list[Check]:
    """Give the checks of the cluster and of the hosts that a session uses, over connections that are open."""
    with _asking(opened, wanted.used, wanted) as asked:
        told = cluster.ask(api, wanted)
        return judge({name: asked[name].result() for name in wanted.used}, told, wanted)


@contextmanager
def _asking(opened: Hosts, names: Sequence[str], wanted: Wanted) -> Iterator[dict[str, Future[HostAnswer]]]:
    """Give each host's answer as it comes. The load balancer is asked first: in a guest of its own it takes longest."""
    slowest_first = sorted(names, key=lambda name: name != wanted.inventory.roles.load_balancer)
    with ThreadPoolExecutor(len(names), thread_name_prefix="kubelb-preflight") as pool:
        yield {name: pool.submit(answer.ask, opened[name], question(wanted, name)) for name in slowest_first}


def judge(answers: Mapping[str, HostAnswer], told: ClusterAnswer, wanted: Wanted) -> list[Check]:
    """Give the checks out of all answers; pure."""
    roles = wanted.inventory.roles
    found: list[Check] = []
    for each in answers.values():
        found += hosts.judge(each, wanted)
    lb, client = answers[roles.load_balancer], answers[roles.benchmarker]
    if not lb.problem:
        found += load_balancer.judge(lb, wanted, cluster.pod_networks(told, wanted))
    if not client.problem:
        found += benchmarker.judge(client, wanted, load_balancer.host_addresses(lb))
    found += cluster.judge(told, wanted)
    return found
