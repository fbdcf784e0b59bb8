"""A DaemonSet has a pod on every node, and replaces them when its template changes."""

from typing import Any

from .cluster import WORKERS, until
from .conftest import Kube


def daemon_set() -> dict[str, Any]:
    return {
        "metadata": {"name": "kube-flannel-ds"},
        "spec": {
            "selector": {"matchLabels": {"app": "flannel"}},
            "template": {
                "metadata": {"labels": {"app": "flannel"}},
                "spec": {
                    "hostNetwork": True,
                    "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [{"name": "kube-flannel", "image": "flannel:v0.27"}],
                },
            },
        },
    }


def rolled_out(kube: Kube) -> bool:
    """Give what `kubectl rollout status` waits for."""
    found = kube.apps.read_namespaced_daemon_set("kube-flannel-ds", "bench")
    status = found.status
    return bool(
        status.observed_generation == found.metadata.generation
        and status.updated_number_scheduled == status.desired_number_scheduled == status.number_available == 7
    )


def test_every_node_gets_one_pod_on_its_own_address_even_when_cordoned(kube: Kube) -> None:
    kube.core.patch_node("k06", {"spec": {"unschedulable": True}})
    kube.apps.create_namespaced_daemon_set("bench", daemon_set())
    until(lambda: rolled_out(kube))
    pods = kube.pods("app=flannel")
    assert {pod.spec.node_name for pod in pods} == {"k04", *WORKERS}
    assert all(pod.status.pod_ip == pod.status.host_ip for pod in pods)


def test_a_restarted_template_replaces_every_pod(kube: Kube) -> None:
    kube.apps.create_namespaced_daemon_set("bench", daemon_set())
    until(lambda: rolled_out(kube))
    before = {pod.metadata.uid for pod in kube.pods("app=flannel")}
    annotation = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": annotation}}}}
    kube.apps.patch_namespaced_daemon_set("kube-flannel-ds", "bench", patch)
    until(lambda: rolled_out(kube) and len(kube.pods("app=flannel")) == 7)
    assert before.isdisjoint(pod.metadata.uid for pod in kube.pods("app=flannel"))


def test_a_node_that_comes_to_be_excluded_loses_its_pod(kube: Kube) -> None:
    kube.apps.create_namespaced_daemon_set("bench", daemon_set())
    until(lambda: rolled_out(kube))
    kube.apps.patch_namespaced_daemon_set(
        "kube-flannel-ds",
        "bench",
        {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "k05"}}}}},
    )
    until(lambda: [pod.spec.node_name for pod in kube.pods("app=flannel")] == ["k05"])
