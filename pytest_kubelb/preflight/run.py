"""Ask every host and the cluster at once, and judge what they answered. Touches them, reading."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pytest_kubelb.preflight import answer, benchmarker, cluster, hosts, load_balancer
from pytest_kubelb.preflight.question import question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.preflight.answer import HostAnswer
    from pytest_kubelb.preflight.check import Check
    from pytest_kubelb.preflight.cluster import ClusterAnswer
    from pytest_kubelb.preflight.wanted import Wanted

RETRY_FOR_S = 1.0
"""A preflight does not wait long for an API server that is away."""


def check(wanted: Wanted) -> list[Check]:
    """Give every check of the testbed, in the order of the roles.

    Raises ConfigError when the ssh_config or the kubeconfig cannot be used at all.
    """
    from pytest_kubelb.testbed.hosts import Hosts

    place = wanted.inventory.cluster
    names = wanted.inventory.roles.hosts
    with (
        Hosts(wanted.inventory.testbed.ssh_config, names) as opened,
        ThreadPoolExecutor(len(names), thread_name_prefix="kubelb-doctor") as pool,
    ):
        # The load balancer first: in a guest of its own it takes longest.
        slowest_first = sorted(names, key=lambda name: name != wanted.inventory.roles.load_balancer)
        asked = {
            name: pool.submit(answer.ask, opened[name], question(wanted, name)) for name in slowest_first
        }
        # The hosts are asked already while the client is imported, which takes as long as asking the cluster.
        from pytest_kubelb.cluster.client import Api

        with Api(place.kubeconfig, place.context, on_event=lambda _: None, retry_for_s=RETRY_FOR_S) as api:
            told = cluster.ask(api, wanted)
        return judge({name: asked[name].result() for name in names}, told, wanted)


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
