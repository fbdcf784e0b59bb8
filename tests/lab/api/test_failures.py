"""Pods that cannot be: no node, no image, no quota, a crash; and what the cluster says about each."""

from typing import Any

import pytest

from pytest_kubelb.lab.api.kubelet import PodFailure

from .cluster import deployment, service, until
from .conftest import Kube


def events(kube: Kube, reason: str) -> list[Any]:
    return [event for event in kube.core.list_namespaced_event("bench").items if event.reason == reason]


def conditions(kube: Kube) -> dict[str, Any]:
    found = kube.apps.read_namespaced_deployment("web", "bench").status.conditions or ()
    return {condition.type: condition for condition in found}


def waiting_reason(kube: Kube) -> str | None:
    for pod in kube.pods():
        for status in pod.status.container_statuses or ():
            if status.state.waiting is not None:
                return str(status.state.waiting.reason)
    return None


def test_an_image_that_cannot_be_pulled_is_the_pods_waiting_reason_and_an_event(kube: Kube) -> None:
    kube.cluster.kubelet.failures["nginx:none"] = PodFailure("ErrImagePull", "nginx:none: not found")
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(image="nginx:none"))
    assert until(lambda: waiting_reason(kube)) == "ErrImagePull"
    (pod,) = kube.pods()
    assert pod.status.phase == "Pending"
    assert not kube.endpoints()
    assert "not found" in until(lambda: events(kube, "Failed"))[0].message
    assert conditions(kube)["Available"].status == "False"


def test_a_failed_pod_is_tried_again_and_runs_once_it_can(kube: Kube) -> None:
    kube.cluster.kubelet.failures["nginx:1.22"] = PodFailure("ImagePullBackOff", "registry is down")
    kube.apps.create_namespaced_deployment("bench", deployment())
    until(lambda: waiting_reason(kube))
    del kube.cluster.kubelet.failures["nginx:1.22"]
    kube.wait_ready(1)


def test_a_failed_pod_can_be_deleted_while_it_waits_for_its_next_try(kube: Kube) -> None:
    kube.cluster.kubelet.failures["nginx:1.22"] = PodFailure("CrashLoopBackOff", "exit code 1")
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=3))
    until(lambda: waiting_reason(kube) == "CrashLoopBackOff")
    kube.scale(0)
    kube.wait_pods(0)


def test_a_container_that_dies_leaves_the_ready_endpoints_and_comes_back(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=2))
    kube.wait_ready(2)
    victim = kube.pods()[0]
    kube.cluster.kubelet.failures["nginx:1.22"] = PodFailure("CrashLoopBackOff", "back-off restarting")
    failure = PodFailure("Error", "exit code 137")
    kube.cluster.run(lambda: kube.cluster.plane.controllers.container_failed(victim.metadata.uid, failure))
    until(lambda: [e.conditions.ready for e in kube.endpoints()].count(False) == 1)
    kube.cluster.kubelet.failures.clear()
    kube.wait_ready(2)
    until(lambda: all(e.conditions.ready for e in kube.endpoints()))
    restarted = kube.core.read_namespaced_pod(victim.metadata.name, "bench")
    assert restarted.status.container_statuses[0].restart_count >= 1


def test_a_pod_without_a_fitting_node_says_why_and_is_placed_when_one_fits(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(nodeSelector={"disk": "ssd"}))
    (pod,) = kube.wait_pods(1)
    scheduled = until(lambda: kube.pods()[0].status.conditions)[0]
    assert (pod.spec.node_name, scheduled.type, scheduled.status, scheduled.reason) == (
        None,
        "PodScheduled",
        "False",
        "Unschedulable",
    )
    assert scheduled.message == (
        "0/7 nodes are available: 1 node(s) had untolerated taint(s), "
        "6 node(s) didn't match Pod's node affinity/selector."
    )
    assert until(lambda: events(kube, "FailedScheduling"))[0].type == "Warning"
    kube.core.patch_node("k07", {"metadata": {"labels": {"disk": "ssd"}}})
    kube.wait_ready(1)
    assert kube.pods()[0].spec.node_name == "k07"


def test_cordoned_nodes_get_no_pods_and_tolerations_open_the_control_plane(kube: Kube) -> None:
    for node in ("k05", "k06", "k07", "k08", "k09"):
        kube.core.patch_node(node, {"spec": {"unschedulable": True}})
    toleration = {
        "key": "node-role.kubernetes.io/control-plane",
        "operator": "Exists",
        "effect": "NoSchedule",
    }
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=4, tolerations=[toleration]))
    kube.wait_ready(4)
    assert sorted(pod.spec.node_name for pod in kube.pods()) == ["k04", "k04", "k10", "k10"]


def test_a_request_that_no_node_has_is_unschedulable(kube: Kube) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "5"}}
    body["spec"]["replicas"] = 7
    kube.apps.create_namespaced_deployment("bench", body)
    message = until(lambda: events(kube, "FailedScheduling"))[0].message
    assert message == "0/7 nodes are available: 1 node(s) had untolerated taint(s), 6 Insufficient cpu."
    assert sum(bool(pod.spec.node_name) for pod in kube.pods()) == 6


@pytest.mark.parametrize(("policy", "placed"), [("Ignore", 6), ("Honor", 9)])
def test_a_spread_that_must_hold_counts_the_tainted_control_plane_unless_told_not_to(
    kube: Kube, policy: str, placed: int
) -> None:
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": policy,
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    kube.apps.create_namespaced_deployment(
        "bench", deployment(replicas=9, topologySpreadConstraints=[constraint])
    )
    until(lambda: sum(pod.status.phase == "Running" for pod in kube.pods()) == placed)
    waiting = [event.message for event in events(kube, "FailedScheduling")]
    assert bool(waiting) is (placed < 9)
    assert all("6 node(s) didn't match pod topology spread constraints" in message for message in waiting)


def test_a_quota_stops_the_pods_and_says_so_up_to_the_deployment(kube: Kube) -> None:
    kube.core.create_namespaced_resource_quota(
        "bench", {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "3"}}}
    )
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=5))
    failure: Any = until(lambda: conditions(kube).get("ReplicaFailure"))
    assert (failure.status, failure.reason) == ("True", "FailedCreate")
    assert "exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3" in failure.message
    assert len(kube.pods()) == 3
    assert until(lambda: events(kube, "FailedCreate"))[0].involved_object.kind == "ReplicaSet"
    used = until(lambda: kube.core.read_namespaced_resource_quota("few", "bench").status.used)
    assert used == {"pods": "3"}
    kube.core.patch_namespaced_resource_quota("few", "bench", {"spec": {"hard": {"pods": "10"}}})
    kube.wait_ready(5)
    assert "ReplicaFailure" not in conditions(kube)
