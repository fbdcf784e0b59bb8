"""Deleting: with grace, under a controller's feet, with dependents, of whole namespaces."""

import json
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from .cluster import deployment, service, status_of, until
from .conftest import Kube


def test_a_pod_deleted_by_somebody_else_is_replaced(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=3))
    kube.wait_ready(3)
    victim = kube.pods()[0].metadata.name
    answer = kube.core.delete_namespaced_pod(victim, "bench")
    assert answer.metadata.deletion_timestamp is not None
    until(lambda: victim not in {pod.metadata.name for pod in kube.pods()})
    kube.wait_ready(3)
    assert victim not in {endpoint.target_ref.name for endpoint in kube.endpoints()}


def test_a_pod_can_be_taken_away_at_once_and_by_eviction(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=2))
    kube.wait_ready(2)
    first, second = (pod.metadata.name for pod in kube.pods())
    kube.core.delete_namespaced_pod(first, "bench", grace_period_seconds=0)
    assert first not in {pod.metadata.name for pod in kube.pods()}
    kube.core.create_namespaced_pod_eviction(
        second, "bench", {"metadata": {"name": second, "namespace": "bench"}}
    )
    until(lambda: second not in {pod.metadata.name for pod in kube.pods()})
    kube.wait_ready(2)
    assert {first, second} <= set(kube.cluster.kubelet.stopped)


def test_a_pod_deleted_while_it_starts_is_stopped_once_it_has_started(kube: Kube) -> None:
    kube.cluster.kubelet.start_s = 0.3
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=3))
    until(lambda: kube.cluster.kubelet.most_at_once == 3)
    kube.scale(0)
    kube.wait_pods(0)
    assert len(kube.cluster.kubelet.started) == 3
    assert sorted(kube.cluster.kubelet.started) == sorted(kube.cluster.kubelet.stopped)


def test_a_precondition_that_does_not_hold_is_a_conflict(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment())
    with pytest.raises(ApiException) as caught:
        kube.apps.delete_namespaced_deployment("web", "bench", body={"preconditions": {"uid": "another"}})
    assert caught.value.status == 409
    assert "the UID in the precondition (another) does not match" in status_of(caught.value)["message"]


@pytest.mark.parametrize("policy", ["Background", "Foreground", None])
def test_deleting_a_deployment_takes_its_replica_sets_and_pods_along(kube: Kube, policy: str | None) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=5))
    kube.wait_ready(5)
    options: dict[str, Any] = {} if policy is None else {"propagation_policy": policy}
    answer = kube.apps.delete_namespaced_deployment("web", "bench", _preload_content=False, **options)
    if policy != "Foreground":
        assert json.loads(answer.data)["status"] == "Success"
    until(lambda: not kube.pods() and not kube.apps.list_namespaced_replica_set("bench").items)
    until(lambda: not kube.apps.list_namespaced_deployment("bench").items)


def test_an_owner_deleted_in_the_foreground_stays_until_its_dependents_are_gone(kube: Kube) -> None:
    owner = kube.core.create_namespaced_config_map("bench", {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    body = {
        "metadata": {"name": "dependent", "ownerReferences": [reference], "finalizers": ["example.com/wait"]}
    }
    kube.core.create_namespaced_config_map("bench", body)
    kube.core.delete_namespaced_config_map("owner", "bench", propagation_policy="Foreground")
    until(lambda: kube.core.read_namespaced_config_map("dependent", "bench").metadata.deletion_timestamp)
    assert kube.core.read_namespaced_config_map("owner", "bench").metadata.finalizers == [
        "foregroundDeletion"
    ]
    kube.core.patch_namespaced_config_map("dependent", "bench", {"metadata": {"finalizers": None}})
    until(
        lambda: (
            [m.metadata.name for m in kube.core.list_namespaced_config_map("bench").items]
            == ["kube-root-ca.crt"]
        )
    )


def test_orphaned_pods_stay_and_are_adopted_by_a_deployment_that_selects_them(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=2))
    kube.wait_ready(2)
    before = {pod.metadata.name for pod in kube.pods()}
    kube.apps.delete_namespaced_deployment("web", "bench", propagation_policy="Orphan")
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=2))
    kube.wait_ready(2)
    assert {pod.metadata.name for pod in kube.pods()} == before


def test_an_object_whose_owner_never_was_is_collected(kube: Kube) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "no-such-uid"}
    kube.core.create_namespaced_config_map(
        "bench", {"metadata": {"name": "a", "ownerReferences": [reference]}}
    )
    until(lambda: "a" not in {m.metadata.name for m in kube.core.list_namespaced_config_map("bench").items})


def test_deleting_a_collection_takes_what_the_selector_picks(kube: Kube) -> None:
    for name, mine in (("a", "yes"), ("b", "yes"), ("c", "no")):
        kube.core.create_namespaced_config_map(
            "bench", {"metadata": {"name": name, "labels": {"mine": mine}}}
        )
    kube.core.delete_collection_namespaced_config_map("bench", label_selector="mine=yes")
    assert {m.metadata.name for m in kube.core.list_namespaced_config_map("bench").items} == {
        "c",
        "kube-root-ca.crt",
    }


def test_deleting_a_namespace_empties_it_first_and_refuses_new_content(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    held = {"metadata": {"name": "held", "finalizers": ["example.com/wait"]}}
    kube.core.create_namespaced_config_map("bench", held)
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=4))
    kube.wait_ready(4)
    kube.core.delete_namespace("bench")
    with pytest.raises(ApiException) as caught:
        kube.core.create_namespaced_config_map("bench", {"metadata": {"name": "late"}})
    assert caught.value.status == 403
    assert (
        "unable to create new content in namespace bench because it is being terminated"
        in status_of(caught.value)["message"]
    )
    kube.wait_pods(0)
    kube.core.patch_namespaced_config_map("held", "bench", {"metadata": {"finalizers": None}})
    until(lambda: "bench" not in {n.metadata.name for n in kube.core.list_namespace().items})
    assert len(kube.cluster.kubelet.stopped) == 4
    kube.core.create_namespace({"metadata": {"name": "bench"}})
    assert not kube.pods()


def test_the_clusters_own_namespaces_cannot_be_deleted(kube: Kube) -> None:
    with pytest.raises(ApiException) as caught:
        kube.core.delete_namespace("default")
    assert caught.value.status == 403
