"""Making, scaling and deleting the workload, with our own client on every API server alike."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    SERVICES,
    Resource,
    Target,
)
from pytest_kubelb.cluster.watch import Watcher
from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Contract


def test_a_new_workload_has_an_address_and_no_pods(contract: Contract) -> None:
    workload = contract.workload()
    workload.deploy()
    service = contract.api.find(SERVICES, "kubelb", contract.namespace)
    assert service is not None
    assert workload.cluster_ip == service["spec"]["clusterIP"] != ""
    assert contract.names(PODS) == []
    assert contract.events == []


@pytest.mark.usefixtures("pods")
def test_scaling_gives_exactly_the_ready_endpoints_each_time(contract: Contract) -> None:
    workload = contract.workload()
    workload.deploy()
    for pods in (0, 1, 4, 40, 4, 0):
        endpoints = workload.scale(pods, timeout_s=contract.subject.pods_within_s)
        assert len({endpoint.ip for endpoint in endpoints}) == len(endpoints) == pods
        assert all(endpoint.node for endpoint in endpoints)
        running = workload.running()
        assert {endpoint.pod for endpoint in endpoints} == set(running)
        for endpoint in endpoints:
            assert running[endpoint.pod] == f"{endpoint.node}/{endpoint.ip}"
    assert contract.events == []


@pytest.mark.usefixtures("pods")
def test_the_slices_name_each_pod_by_its_uid_and_go_with_the_service(contract: Contract) -> None:
    workload = contract.workload()
    workload.deploy()
    contract.scale(workload, 3)
    chosen = Target(ENDPOINT_SLICES, contract.namespace, labels="kubernetes.io/service-name=kubelb")
    slices = contract.api.list(chosen)["items"]
    assert {one["addressType"] for one in slices} == {"IPv4"}
    assert {port["port"] for one in slices for port in one["ports"]} == {80}
    named = {each["targetRef"]["uid"] for one in slices for each in one["endpoints"]}
    pods = contract.api.list(Target(PODS, contract.namespace))["items"]
    assert named == {pod["metadata"]["uid"] for pod in pods}
    workload.delete()
    with Watcher(contract.api, [chosen]) as watcher:
        watcher.wait_for(lambda state: True if state[0] == {} else None, 30)


@pytest.mark.usefixtures("pods")
def test_deleting_leaves_nothing_of_ours_and_everything_of_others(contract: Contract) -> None:
    theirs = {"metadata": {"name": "theirs"}, "spec": {"ports": [{"port": 1}]}}
    contract.api.create(SERVICES, theirs, contract.namespace)
    workload = contract.workload()
    workload.deploy()
    contract.scale(workload, 2)
    workload.delete()
    workload.delete()
    assert contract.names(SERVICES) == ["theirs"]
    assert contract.names(DEPLOYMENTS) == contract.names(PODS) == []


@pytest.mark.parametrize(("resource", "kind"), [(DEPLOYMENTS, "Deployment"), (SERVICES, "Service")])
@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "Helm"}])
def test_an_object_of_our_name_that_is_not_ours_is_an_error_and_stays(
    contract: Contract, resource: Resource, kind: str, labels: dict[str, str]
) -> None:
    manifest = contract.manifest()
    foreign = manifest.deployment() if resource is DEPLOYMENTS else manifest.service()
    foreign["metadata"]["labels"] = labels
    made = contract.api.create(resource, foreign, contract.namespace)
    workload = contract.workload()
    for act in (workload.deploy, workload.delete):
        with pytest.raises(TestbedError, match=f"^{kind} kubelb in namespace .* is left alone"):
            act()
    found = contract.api.find(resource, "kubelb", contract.namespace)
    assert found is not None
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["spec"] == made["spec"]


@pytest.mark.usefixtures("controllers")
def test_what_a_dead_session_left_is_replaced_and_said_to_be(contract: Contract) -> None:
    contract.workload("dead").deploy()
    contract.workload("s2").deploy()
    assert [event for event in contract.events if "replacing" in event] == [
        "kubernetes: replacing deployments kubelb of session dead",
        "kubernetes: replacing services kubelb of session dead",
    ]
    for resource in (DEPLOYMENTS, SERVICES):
        found = contract.api.find(resource, "kubelb", contract.namespace)
        assert found is not None
        assert found["metadata"]["labels"]["kubelb.dev/session"] == "s2"


def while_scaling(contract: Contract, meddle: Callable[[], object]) -> str:
    """Scale to pods that no node takes, meddle once the first of them is there, and give the error's sentence."""
    workload = contract.workload()
    workload.deploy()
    # Never ready, and no reason is named for it: a gate that nobody opens.
    gated = {"spec": {"template": {"spec": {"schedulingGates": [{"name": "kubelb.dev/never"}]}}}}
    contract.api.patch(DEPLOYMENTS, "kubelb", gated, contract.namespace)

    def once_there_is_a_pod() -> None:
        with Watcher(contract.api, [Target(PODS, contract.namespace)]) as watcher:
            watcher.wait_for(lambda state: bool(state[0]) or None, 30)
        meddle()

    meddler = threading.Thread(target=once_there_is_a_pod)
    meddler.start()
    try:
        with pytest.raises(TestbedError) as caught:
            workload.scale(2, timeout_s=60)
    finally:
        meddler.join()
    return str(caught.value)


@pytest.mark.usefixtures("controllers")
def test_a_deployment_that_someone_deletes_meanwhile_is_said_to_be(contract: Contract) -> None:
    def meddle() -> None:
        found = contract.api.find(DEPLOYMENTS, "kubelb", contract.namespace)
        assert found is not None
        contract.api.delete(DEPLOYMENTS, found)

    assert "was deleted by someone else during a scale" in while_scaling(contract, meddle)
    with pytest.raises(TestbedError, match=r"kubernetes: patch deployments/scale kubelb .*404"):
        contract.workload().scale(2, timeout_s=10)


@pytest.mark.usefixtures("controllers")
def test_a_deployment_that_someone_scales_meanwhile_is_said_to_be(contract: Contract) -> None:
    def meddle() -> None:
        scale = {"spec": {"replicas": 5}}
        contract.api.patch(DEPLOYMENTS, "kubelb", scale, contract.namespace, subresource="scale")

    assert "was scaled by someone else to 5 pods, 2 are wanted" in while_scaling(contract, meddle)


@pytest.mark.usefixtures("pods")
def test_a_pod_that_someone_deletes_is_replaced_by_one_with_its_own_name(contract: Contract) -> None:
    workload = contract.workload()
    workload.deploy()
    before = {endpoint.pod for endpoint in workload.scale(2, timeout_s=contract.subject.pods_within_s)}
    victim = contract.api.find(PODS, min(before), contract.namespace)
    assert victim is not None
    contract.api.delete(PODS, victim)
    with Watcher(contract.api, [Target(PODS, contract.namespace)]) as watcher:
        watcher.wait_for(
            lambda state: True if state[0] is not None and min(before) not in state[0] else None, 60
        )
    after = {endpoint.pod for endpoint in workload.scale(2, timeout_s=contract.subject.pods_within_s)}
    assert len(after) == 2
    assert after & before == {max(before)}
