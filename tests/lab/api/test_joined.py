"""The same controllers with the API server elsewhere: they read from a mirror and write over HTTPS.

The server is the lab's own, bare, in another thread; `tests/lab/test_real_control_plane.py` has the real one. What
is checked is what can differ: everything arrives later, may have changed meanwhile, or fails to arrive.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from pytest_kubelb.lab.api.kubelet import PodFailure
from pytest_kubelb.lab.api.resources import CONFIGMAPS, DEPLOYMENTS, PODS

from .cluster import cluster, deployment, service, until
from .conftest import Kube, connect


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[Kube]:
    with cluster(tmp_path, joined=True) as running:
        connected = connect(running)
        with connected.client:
            connected.core.create_namespace({"metadata": {"name": "bench"}})
            yield connected


def agree(kube: Kube, count: int) -> bool:
    """Whether pods and endpoints are exactly so many, and the same."""
    pods = {(pod.metadata.uid, pod.status.pod_ip) for pod in kube.pods()}
    ready = {(e.target_ref.uid, e.addresses[0]) for e in kube.endpoints() if e.conditions.ready}
    return len(pods) == count and pods == ready


def test_scaling_0_1_4_40_4_0_ends_with_exactly_these_pods_and_endpoints(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))
    for count in (1, 4, 40, 4, 0):
        kube.scale(count)
        kube.wait_ready(count)
        until(partial(agree, kube, count))
    kubelet = kube.cluster.kubelet
    until(lambda: sorted(kubelet.started) == sorted(kubelet.stopped))
    assert len(kubelet.started) == 40  # each pod once: nothing was started twice


def test_the_mirror_is_what_the_server_has(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=7))
    kube.wait_ready(7)
    joined, served = kube.cluster.plane.joined, kube.cluster.plane.served

    def same() -> bool:
        return all(joined.store.all(kind) == served.all(kind) for kind in (PODS, DEPLOYMENTS, CONFIGMAPS))

    until(lambda: kube.cluster.run(same))


def test_others_who_write_the_same_objects_meanwhile_keep_what_they_wrote(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=10))
    for turn in range(30):
        kube.apps.patch_namespaced_deployment(
            "web", "bench", {"metadata": {"annotations": {f"turn-{turn}": "mine"}}}
        )
    found = kube.wait_ready(10)
    assert {f"turn-{turn}" for turn in range(30)} <= found.metadata.annotations.keys()


def test_a_quota_that_refuses_pods_is_the_replica_sets_condition_until_it_is_raised(kube: Kube) -> None:
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}
    kube.core.create_namespaced_resource_quota("bench", quota)
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=4))

    def condition() -> Any:
        status = kube.apps.read_namespaced_deployment("web", "bench").status
        return next((c for c in status.conditions or () if c.type == "ReplicaFailure"), None)

    assert "exceeded quota: few" in until(condition).message
    kube.core.patch_namespaced_resource_quota("few", "bench", {"spec": {"hard": {"pods": "4"}}})
    kube.wait_ready(4)
    until(lambda: condition() is None)


def test_a_pod_deleted_by_someone_else_is_replaced(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=3))
    kube.wait_ready(3)
    victim = kube.pods()[0].metadata.name
    kube.core.delete_namespaced_pod(victim, "bench", grace_period_seconds=0)
    until(lambda: victim not in [pod.metadata.name for pod in kube.pods()])
    kube.wait_ready(3)
    until(lambda: victim in kube.cluster.kubelet.stopped)


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_what_a_deployment_owns_goes_with_it(kube: Kube, policy: str) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=3))
    kube.wait_ready(3)
    kube.apps.delete_namespaced_deployment("web", "bench", propagation_policy=policy)
    kube.wait_pods(0)
    until(lambda: not kube.apps.list_namespaced_replica_set("bench").items)
    until(lambda: not kube.apps.list_namespaced_deployment("bench").items)


def test_a_namespace_is_emptied_and_goes_with_its_events(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=2))
    kube.wait_ready(2)
    until(lambda: kube.core.list_namespaced_event("bench").items)
    kube.core.delete_namespace("bench")

    def gone() -> bool:
        try:
            kube.core.read_namespace("bench")
        except ApiException as error:
            return bool(error.status == 404)
        return False

    until(gone)


def test_a_pod_without_room_is_told_why_and_scheduled_once_there_is(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(nodeSelector={"disk": "fast"}))

    def reason() -> Any:
        conditions = [c for pod in kube.pods() for c in pod.status.conditions or ()]
        return next((c.message for c in conditions if c.reason == "Unschedulable"), None)

    assert "0/7 nodes are available" in until(reason)
    kube.core.patch_node("k05", {"metadata": {"labels": {"disk": "fast"}}})
    kube.wait_ready(1)


def test_a_failing_container_is_reported_and_started_again(kube: Kube) -> None:
    kube.cluster.kubelet.failures["nginx:1.22"] = PodFailure("ImagePullBackOff", "no such image")
    kube.apps.create_namespaced_deployment("bench", deployment())

    def waiting() -> Any:
        return [c.state.waiting.reason for pod in kube.pods() for c in pod.status.container_statuses or ()]

    until(lambda: waiting() == ["ImagePullBackOff"])
    kube.cluster.kubelet.failures.clear()
    kube.wait_ready(1)


def test_changes_while_the_watches_were_cut_and_the_history_was_forgotten_are_found(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=3))
    kube.wait_ready(3)
    victim = kube.pods()[0].metadata.name

    def lose_a_pod_unseen() -> None:
        kube.cluster.plane.cut_watches()
        kube.cluster.plane.served.remove(PODS, "bench", victim)
        kube.cluster.plane.served.compact()

    kube.cluster.plane.run_in_server(lose_a_pod_unseen)
    until(lambda: victim in kube.cluster.kubelet.stopped)
    kube.wait_ready(3)


def test_what_is_to_be_written_while_the_server_is_away_is_written_when_it_is_back(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=2))
    kube.wait_ready(2)
    victim = kube.pods()[0]
    with kube.cluster.plane.server_away():
        failure = PodFailure("Error", "exit code 137")
        kube.cluster.run(
            lambda: kube.cluster.plane.controllers.container_failed(victim.metadata.uid, failure)
        )

    def restarts() -> Any:
        found = kube.core.read_namespaced_pod(victim.metadata.name, "bench")
        return found.status.container_statuses[0].restart_count

    until(lambda: restarts() == 1)
    kube.scale(3)
    kube.wait_ready(3)
