"""Nodes as the lab describes them, as Node objects, and what keeps a pod off one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_kubelb.lab.api.objects import KubeObject, labels_of, timestamp
from pytest_kubelb.lab.api.selectors import requirements_of, selects

CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane"
_CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@dataclass(frozen=True)
class NodeSpec:
    """One node of the cluster."""

    name: str
    address: str
    """Its InternalIP, which is also the IP of pods on the host network."""
    pod_cidr: str | None = None
    control_plane: bool = False
    """Labelled and tainted as such: ordinary pods stay off."""
    cordoned: bool = False
    """Marked unschedulable: only daemons run there."""
    labels: Mapping[str, str] = field(default_factory=dict)
    cpu: str = "8"
    memory: str = "16Gi"
    max_pods: int = 110


def node_object(spec: NodeSpec, version: str) -> KubeObject:
    """Give the Node that a kubelet of `version` would register for `spec`, ready."""
    labels = {
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        **spec.labels,
    }
    node_spec: KubeObject = {}
    if spec.pod_cidr is not None:
        node_spec |= {"podCIDR": spec.pod_cidr, "podCIDRs": [spec.pod_cidr]}
    if spec.control_plane:
        labels[CONTROL_PLANE_TAINT] = ""
        node_spec["taints"] = [{"key": CONTROL_PLANE_TAINT, "effect": "NoSchedule"}]
    capacity = {"cpu": spec.cpu, "memory": spec.memory, "pods": str(spec.max_pods)}
    if spec.cordoned:
        node_spec["unschedulable"] = True
    now = timestamp()
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
    }
    return {
        "metadata": {"name": spec.name, "labels": labels},
        "spec": node_spec,
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": spec.address},
                {"type": "Hostname", "address": spec.name},
            ],
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "nodeInfo": {
                "kubeletVersion": version,
                "kubeProxyVersion": version,
                "operatingSystem": "linux",
                "architecture": "amd64",
                "osImage": "pytest-kubelb lab",
                "containerRuntimeVersion": "netns://1",
                "kernelVersion": "",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }


def internal_ip(node: KubeObject) -> str:
    """Give the address of a Node, empty when it has none."""
    addresses = node.get("status", {}).get("addresses") or ()
    return next((str(entry["address"]) for entry in addresses if entry["type"] == "InternalIP"), "")


def why_not(pod: KubeObject, node: KubeObject) -> str | None:
    """Why a pod may not run on a node, in the scheduler's words; None when it may.

    Room and spread are not looked at.
    """
    tolerations = pod["spec"].get("tolerations") or []
    if node["spec"].get("unschedulable") and not _tolerated(_CORDON, tolerations):
        return "node(s) were unschedulable"
    if not tolerates(pod, node):
        return "node(s) had untolerated taint(s)"
    if not is_affine(pod, node):
        return "node(s) didn't match Pod's node affinity/selector"
    return None


def tolerates(pod: KubeObject, node: KubeObject) -> bool:
    """Whether the pod tolerates every taint of the node that keeps pods off, a cordon counted as one."""
    tolerations = pod["spec"].get("tolerations") or []
    taints = [t for t in node["spec"].get("taints") or () if t.get("effect") in ("NoSchedule", "NoExecute")]
    if node["spec"].get("unschedulable"):
        taints.append(_CORDON)
    return all(_tolerated(taint, tolerations) for taint in taints)


def is_affine(pod: KubeObject, node: KubeObject) -> bool:
    """Whether the node is one that the pod's nodeSelector and required node affinity ask for."""
    wanted = (pod["spec"].get("nodeSelector") or {}).items()
    return wanted <= labels_of(node).items() and _affine(pod["spec"].get("affinity") or {}, node)


def _tolerated(taint: KubeObject, tolerations: list[KubeObject]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: KubeObject, taint: KubeObject) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    key, operator = toleration.get("key"), toleration.get("operator") or "Equal"
    if not key:
        return bool(operator == "Exists")
    if key != taint["key"]:
        return False
    return operator == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")


def _affine(affinity: KubeObject, node: KubeObject) -> bool:
    required = (affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    fields = {"metadata.name": node["metadata"]["name"]}
    return any(
        selects(requirements_of(term.get("matchExpressions") or ()), labels_of(node))
        and selects(requirements_of(term.get("matchFields") or ()), fields)
        for term in required.get("nodeSelectorTerms") or ()
    )
