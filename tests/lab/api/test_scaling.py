"""A Deployment is scaled and its pods, endpoints and status follow."""

from collections import Counter
from typing import Any

from pytest_kubelb.lab.api.kubelet import PodFailure

from .cluster import WORKERS, deployment, service
from .conftest import Kube


def exactly(kube: Kube, count: int) -> None:
    """Pods and EndpointSlices agree, pod by pod."""
    pods = kube.wait_pods(count)
    endpoints = kube.endpoints()
    ready = [endpoint for endpoint in endpoints if endpoint.conditions.ready]
    assert {e.addresses[0] for e in ready} == {pod.status.pod_ip for pod in pods}
    assert {(e.target_ref.name, e.target_ref.uid, e.node_name) for e in endpoints} == {
        (pod.metadata.name, pod.metadata.uid, pod.spec.node_name) for pod in pods
    }


def test_scaling_0_1_4_40_4_0_ends_with_exactly_these_pods_and_endpoints(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))
    kube.wait_ready(0)
    for count in (1, 4, 40, 4, 0):
        kube.scale(count)
        kube.wait_ready(count)
        exactly(kube, count)
    assert sorted(kube.cluster.kubelet.started) == sorted(kube.cluster.kubelet.stopped)


def test_forty_pods_are_started_as_one_batch(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=40))
    kube.wait_ready(40)
    assert kube.cluster.kubelet.most_at_once == 40


def test_pods_are_spread_evenly_over_the_workers_and_stay_so_when_scaled_down(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=40))
    kube.wait_ready(40)
    per_node = Counter(pod.spec.node_name for pod in kube.pods())
    assert set(per_node) == set(WORKERS)
    assert max(per_node.values()) - min(per_node.values()) <= 1
    kube.scale(9)
    kube.wait_ready(9)
    per_node = Counter(pod.spec.node_name for pod in kube.wait_pods(9))
    assert sorted(per_node.values()) == [1, 1, 1, 2, 2, 2]


def test_names_and_labels_are_those_of_a_real_deployment(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment())
    kube.wait_ready(1)
    (pod,) = kube.pods()
    digest = pod.metadata.labels["pod-template-hash"]
    base, _, suffix = pod.metadata.name.rpartition("-")
    assert base == f"web-{digest}"
    assert len(suffix) == 5
    assert pod.metadata.owner_references[0].kind == "ReplicaSet"
    assert pod.status.host_ip.startswith("192.168.0.")


def test_the_status_says_what_a_real_one_says(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=4))
    found = kube.wait_ready(4)
    assert found.status.available_replicas == 4
    assert found.status.unavailable_replicas is None
    assert found.metadata.annotations["deployment.kubernetes.io/revision"] == "1"
    conditions = {
        c.type: (c.status, c.reason)
        for c in kube.apps.read_namespaced_deployment("web", "bench").status.conditions
    }
    assert conditions == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }


def test_the_scale_subresource_reads_writes_and_leaves_zero_out(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=2))
    kube.wait_ready(2)
    scale: Any = kube.apps.read_namespaced_deployment_scale("web", "bench")
    assert (scale.spec.replicas, scale.status.replicas, scale.status.selector) == (2, 2, "app=web")
    scale.spec.replicas = 0
    answer = kube.apps.replace_namespaced_deployment_scale("web", "bench", scale)
    assert answer.spec.replicas is None
    kube.wait_ready(0)


def test_a_new_template_is_rolled_out_without_falling_below_what_is_allowed(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=8))
    kube.wait_ready(8)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]}}}}
    kube.apps.patch_namespaced_deployment("web", "bench", patch)
    kube.wait_ready(8)
    assert {pod.spec.containers[0].image for pod in kube.wait_pods(8)} == {"nginx:1.27"}
    sets = kube.apps.list_namespaced_replica_set("bench").items
    assert sorted(rs.spec.replicas for rs in sets) == [0, 8]


def test_a_rollout_of_an_image_that_cannot_be_pulled_keeps_the_old_pods_serving(kube: Kube) -> None:
    kube.cluster.kubelet.failures["nginx:none"] = PodFailure("ErrImagePull", "not found")
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=8))
    kube.wait_ready(8)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:none"}]}}}}
    kube.apps.patch_namespaced_deployment("web", "bench", patch)
    pods = kube.wait_pods(10)
    old = [pod for pod in pods if pod.spec.containers[0].image == "nginx:1.22"]
    assert len(old) == 6
    undo = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.22"}]}}}}
    kube.apps.patch_namespaced_deployment("web", "bench", undo)
    kube.wait_ready(8)
    assert {pod.spec.containers[0].image for pod in kube.wait_pods(8)} == {"nginx:1.22"}
