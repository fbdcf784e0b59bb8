"""Deploying, scaling and cleaning up, against the embedded control plane over HTTPS."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.resources import DEPLOYMENTS, NODES, PODS, SERVICES, Json, Resource, Target
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.api.kubelet import PodFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Bench

QUOTAS = Resource("", "v1", "resourcequotas")
LIMIT_S = 20.0


def objects(bench: Bench) -> list[str]:
    kinds = (DEPLOYMENTS, SERVICES, PODS)
    return [
        item["metadata"]["name"] for kind in kinds for item in bench.api.list(Target(kind, "bench"))["items"]
    ]


def while_scaling(bench: Bench, meddle: Callable[[], object]) -> str:
    """Scale to 2 pods whose containers never start, meddle meanwhile, and return the error's sentence."""
    bench.cluster.kubelet.failures["nginx:1.22"] = PodFailure("ContainerCreating", "slow")
    workload = bench.workload()
    workload.deploy()
    timer = threading.Timer(0.2, meddle)
    timer.start()
    try:
        with pytest.raises(TestbedError) as caught:
            workload.scale(2, timeout_s=LIMIT_S)
    finally:
        timer.join()
    return str(caught.value)


def test_scaling_gives_exactly_the_ready_endpoints_each_time(bench: Bench) -> None:
    workload = bench.workload()
    workload.deploy()
    assert workload.cluster_ip == "10.254.0.10"
    for pods in (0, 1, 4, 40, 4, 0):
        endpoints = workload.scale(pods, timeout_s=LIMIT_S)
        assert len({endpoint.ip for endpoint in endpoints}) == len(endpoints) == pods
        assert all(endpoint.pod and endpoint.node for endpoint in endpoints)
    assert bench.events == []


def test_pods_are_spread_evenly_over_the_workers(bench: Bench) -> None:
    workload = bench.workload()
    workload.deploy()
    nodes = Counter(endpoint.node for endpoint in workload.scale(12, timeout_s=LIMIT_S))
    assert set(nodes.values()) == {2}


def test_deleting_leaves_nothing_of_ours_and_everything_of_others(bench: Bench) -> None:
    bench.api.create(SERVICES, {"metadata": {"name": "theirs"}, "spec": {"ports": [{"port": 1}]}}, "bench")
    workload = bench.workload()
    workload.deploy()
    workload.scale(3, timeout_s=LIMIT_S)
    workload.delete()
    workload.delete()
    assert objects(bench) == ["theirs"]


@pytest.mark.parametrize(("kind", "said"), [(DEPLOYMENTS, "Deployment"), (SERVICES, "Service")])
@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "Helm"}])
def test_an_object_of_our_name_that_is_not_ours_is_an_error_and_stays(
    bench: Bench, kind: Resource, said: str, labels: dict[str, str]
) -> None:
    manifest = bench.workload()._manifest
    foreign = manifest.deployment() if kind is DEPLOYMENTS else manifest.service()
    foreign["metadata"]["labels"] = labels
    made = bench.api.create(kind, foreign, "bench")
    workload = bench.workload()
    for act in (workload.deploy, workload.delete):
        with pytest.raises(TestbedError, match=f"^{said} kubelb in namespace bench has .* is left alone"):
            act()
    found = bench.api.find(kind, "kubelb", "bench")
    assert found is not None
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


def test_two_workloads_of_one_session_stand_side_by_side_with_pods_of_their_own(bench: Bench) -> None:
    first = bench.workload()
    second = Workload(bench.api, Manifest("s1", "bench", "nginx:1.27", name="kubelb-b"))
    for workload in (first, second):
        workload.deploy()
    assert first.cluster_ip != second.cluster_ip
    endpoints = [set(workload.scale(2, timeout_s=LIMIT_S)) for workload in (first, second)]
    assert len(endpoints[0] | endpoints[1]) == 4
    first.delete()
    assert all(name.startswith("kubelb-b") for name in objects(bench))
    second.delete()
    assert objects(bench) == []


def test_what_a_dead_session_left_under_another_name_is_removed_too(bench: Bench) -> None:
    dead = Workload(bench.api, Manifest("dead", "bench", "nginx:1.27", name="kubelb-b"))
    dead.deploy()
    dead.scale(2, timeout_s=LIMIT_S)
    bench.workload("s2").deploy()
    assert "kubernetes: replacing deployments kubelb-b of session dead" in bench.events
    assert objects(bench) == ["kubelb", "kubelb"]


def test_what_a_dead_session_left_is_replaced_and_said_to_be(bench: Bench) -> None:
    dead = bench.workload("dead")
    dead.deploy()
    dead.scale(4, timeout_s=LIMIT_S)
    workload = bench.workload("s2")
    workload.deploy()
    assert "kubernetes: replacing deployments kubelb of session dead" in bench.events
    assert len(workload.scale(4, timeout_s=LIMIT_S)) == 4
    dead.delete()
    assert len(objects(bench)) == 6


def test_an_image_that_cannot_be_pulled_is_reported_with_the_pods_own_reason(bench: Bench) -> None:
    bench.cluster.kubelet.failures["nginx:none"] = PodFailure("ErrImagePull", "manifest unknown")
    workload = bench.workload(image="nginx:none")
    workload.deploy()
    with pytest.raises(TestbedError, match=r"to 2 pods cannot succeed: pod kubelb-\S+: .*manifest unknown"):
        workload.scale(2, timeout_s=LIMIT_S)


def test_a_crashing_container_is_reported_with_its_reason(bench: Bench) -> None:
    bench.cluster.kubelet.failures["nginx:bad"] = PodFailure("CrashLoopBackOff", "back-off 10s restarting")
    workload = bench.workload(image="nginx:bad")
    workload.deploy()
    with pytest.raises(TestbedError, match=r"CrashLoopBackOff: .*back-off"):
        workload.scale(1, timeout_s=LIMIT_S)


def test_pods_without_room_are_reported_as_unschedulable(bench: Bench) -> None:
    workload = bench.workload()
    workload.deploy()
    for node in bench.api.list(Target(NODES))["items"]:
        bench.api.patch(NODES, node["metadata"]["name"], {"spec": {"unschedulable": True}})
    with pytest.raises(TestbedError, match="Unschedulable: 0/7 nodes are available"):
        workload.scale(2, timeout_s=LIMIT_S)


def test_a_quota_that_refuses_pods_is_reported_with_its_name(bench: Bench) -> None:
    quota: Json = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "2"}}}
    bench.api.create(QUOTAS, quota, "bench")
    workload = bench.workload()
    workload.deploy()
    with pytest.raises(TestbedError, match=r"pods are refused: FailedCreate: .*exceeded quota: small"):
        workload.scale(3, timeout_s=LIMIT_S)
    assert len(workload.scale(2, timeout_s=LIMIT_S)) == 2


def test_a_deployment_that_someone_deletes_meanwhile_is_said_to_be(bench: Bench) -> None:
    def meddle() -> None:
        found = bench.api.find(DEPLOYMENTS, "kubelb", "bench")
        assert found is not None
        bench.api.delete(DEPLOYMENTS, found)

    assert "was deleted by someone else during a scale" in while_scaling(bench, meddle)
    with pytest.raises(TestbedError, match=r"kubernetes: patch deployments/scale kubelb .*404"):
        bench.workload().scale(2, timeout_s=LIMIT_S)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, r"^Deployment kubelb in namespace bench has .*managed-by=None.* is left alone"),
        (None, r"^Deployment kubelb in namespace bench was deleted by someone else and made anew"),
    ],
    ids=["without our label", "with our labels"],
)
def test_a_deployment_that_someone_made_in_the_place_of_ours_is_not_scaled(
    bench: Bench, labels: dict[str, str] | None, said: str
) -> None:
    workload = bench.workload()
    workload.deploy()
    ours = bench.api.find(DEPLOYMENTS, "kubelb", "bench")
    assert ours is not None
    bench.api.delete(DEPLOYMENTS, ours)
    theirs = workload._manifest.deployment()
    if labels is not None:
        theirs["metadata"]["labels"] = labels
    bench.api.create(DEPLOYMENTS, theirs, "bench")
    with pytest.raises(TestbedError, match=said):
        workload.scale(2, timeout_s=LIMIT_S)
    found = bench.api.find(DEPLOYMENTS, "kubelb", "bench")
    assert found is not None
    assert found["spec"]["replicas"] == 0


def test_a_deployment_that_someone_scales_meanwhile_is_said_to_be(bench: Bench) -> None:
    def meddle() -> None:
        bench.api.patch(DEPLOYMENTS, "kubelb", {"spec": {"replicas": 5}}, "bench", subresource="scale")

    assert "was scaled by someone else to 5 pods, 2 are wanted" in while_scaling(bench, meddle)


def test_the_time_out_says_how_many_are_ready(bench: Bench) -> None:
    bench.cluster.kubelet.failures["nginx:1.22"] = PodFailure("ContainerCreating", "slow")
    workload = bench.workload()
    workload.deploy()
    with pytest.raises(
        TestbedError, match=r"to 2 pods: 0 are ready after 0.3 s and the cluster names no reason"
    ):
        workload.scale(2, timeout_s=0.3)


def test_waiting_leaves_no_thread_behind(bench: Bench) -> None:
    workload = bench.workload()
    workload.deploy()
    workload.scale(2, timeout_s=LIMIT_S)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any("kubelb-watch" in one.name for one in threading.enumerate()):
        time.sleep(0.01)
    assert not [one for one in threading.enumerate() if "kubelb-watch" in one.name]
