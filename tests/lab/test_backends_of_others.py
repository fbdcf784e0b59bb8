"""What others decide: the Service's address, a load balancer that somebody else programs, kube-proxy's mode."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import holding
from pytest_kubelb.backends.ipvs import Ipvs
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.endpoints import ready_endpoints
from pytest_kubelb.cluster.resources import ENDPOINT_SLICES, Target
from pytest_kubelb.matrix import Point
from pytest_kubelb.testbed import inventory as inventory_file
from tests.lab.test_lab import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory


@pytest.fixture(scope="module")
def described(lab: Lab) -> Inventory:
    """The lab's inventory, with what is left to others."""
    found = inventory_file.load(lab.inventory)
    assert found.ipvs is not None
    assert found.proxy is not None
    return dataclasses.replace(
        found,
        ipvs=dataclasses.replace(found.ipvs, external=True),
        proxy=dataclasses.replace(found.proxy, cluster_ip=None),
    )


class Operator(threading.Thread):
    """Somebody else who programs the load balancer for whatever pods there are, a little late."""

    def __init__(self, api: Api, namespace: str, backend: Ipvs) -> None:
        super().__init__()
        self._api = api
        self._target = Target(ENDPOINT_SLICES, namespace)
        self._backend = backend
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.5):
            self._backend.program(ready_endpoints(self._api.list(self._target)["items"]))
        self._backend.clear()


@pytest.fixture
def operator(described: Inventory, hosts: Hosts) -> Iterator[Operator]:
    assert described.ipvs is not None
    spec = described.ipvs
    backend = Ipvs(hosts["k11"], vip=spec.vip, port=spec.port, pod_port=described.workload.port)
    backend.session = "somebody-else"
    with Api(described.cluster.kubeconfig, described.cluster.context, on_event=print) as api:
        thread = Operator(api, described.cluster.namespace, backend)
        yield thread
        thread.ended.set()
        if thread.is_alive():
            thread.join()


def test_the_cluster_chooses_the_address_and_kube_proxys_mode_is_told(
    described: Inventory, hosts: Hosts
) -> None:
    routes = hosts["k12"].run(["ip", "-4", "route"]).stdout
    wanted = holding.Wanted("of-others", ("proxy",), BACKENDS)
    with holding.hold(described, wanted, lambda *_: None) as held:
        target = held.convergence.converge(Point("proxy", 2, "vxlan"))
        assert target.url.startswith("http://10.254.")
        assert target.address.partition(":")[0] in hosts["k12"].run(["ip", "-4", "route"]).stdout
        assert held.facts["kube_proxy"] == "iptables"
    assert hosts["k12"].run(["ip", "-4", "route"]).stdout == routes


def test_a_load_balancer_of_somebody_else_is_waited_for_and_never_written(
    described: Inventory, operator: Operator
) -> None:
    wanted = holding.Wanted("of-others", ("ipvs",), BACKENDS)
    said: list[str] = []
    with holding.hold(
        described, wanted, lambda *_: None, on_command=lambda done: said.append(done.command)
    ) as held:
        operator.start()
        for pods in (2, 3):
            assert len(held.convergence.converge(Point("ipvs", pods, "vxlan")).endpoints) == pods
    assert not [command for command in said if "ipvsadm --restore" in command or "sysctl -q -w" in command]
