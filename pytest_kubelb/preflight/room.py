"""Judge whether the cluster has room for the pods: nodes that take them, and quotas. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER
from pytest_kubelb.cluster.quantity import parse
from pytest_kubelb.preflight.check import Check, fail, ok, warning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pytest_kubelb.cluster.resources import Json

_ENDED: Final = ("Succeeded", "Failed")
_CORDON: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def is_ready(node: Json) -> bool:
    """Tell whether the kubelet says that its node is Ready."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def takes(node: Json, pod_spec: Mapping[str, Any]) -> bool:
    """Tell whether the scheduler may put such a pod on the node: cordon, taints, node selector and the nodes' names."""
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    taints = [t for t in spec.get("taints") or () if t.get("effect") in ("NoSchedule", "NoExecute")]
    if spec.get("unschedulable"):
        taints.append(_CORDON)
    tolerations = pod_spec.get("tolerations") or ()
    wanted = (pod_spec.get("nodeSelector") or {}).items()
    named = _nodes_named(pod_spec)
    return (
        wanted <= labels.items()
        and (not named or node["metadata"]["name"] in named)
        and all(any(_tolerates(t, taint) for t in tolerations) for taint in taints)
    )


def _nodes_named(pod_spec: Mapping[str, Any]) -> set[str]:
    """Give the nodes that the pod is restricted to, as `cluster.manifests` writes it; none where it is not."""
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or ()
    return {name for term in terms for each in term["matchFields"] for name in each["values"]}


def _why_not(node: Json, pod_spec: Mapping[str, Any]) -> str:
    unselected = not takes(node, {**pod_spec, "tolerations": [{"operator": "Exists"}]})
    return "it has not the labels of workload.node_selector" if unselected else "cordoned or tainted"


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """As https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ has it."""
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    if toleration["key"] != taint.get("key"):
        return False
    return exists or (toleration.get("value") or "") == (taint.get("value") or "")


def judge_nodes(
    nodes: Sequence[Json], workers: Sequence[str], pod_spec: Mapping[str, Any]
) -> Iterator[Check]:
    """Give the checks of the nodes: those of the inventory are there, Ready and take pods."""
    by_name = {node["metadata"]["name"]: node for node in nodes}
    good = []
    for name in workers:
        node = by_name.get(name)
        if node is None:
            yield fail(
                "nodes", "cluster", f"the worker {name} is no node",
                f"name in roles.workers what `kubectl get nodes` lists ({', '.join(sorted(by_name))}), or give the"
                " host's node in [cluster.nodes]",
            )  # fmt: skip
        elif not is_ready(node):
            remedy = f"see `kubectl describe node {name}`, or take it out of roles.workers"
            yield fail("nodes", "cluster", f"{name} is not Ready", remedy)
        elif not takes(node, pod_spec):
            remedy = (
                f"`kubectl uncordon {name}`, see workload.node_selector and workload.tolerations, or take it out of"
                " roles.workers"
            )
            yield warning("nodes", "cluster", f"{name} takes no pods: {_why_not(node, pod_spec)}", remedy)
        else:
            good.append(name)
    if good:
        yield ok("nodes", "cluster", f"{len(good)} of {len(workers)} workers Ready: {', '.join(good)}")


def judge_room(
    nodes: Sequence[Json], pods: Sequence[Json] | None, wanted_pods: int, pod_spec: Mapping[str, Any]
) -> Check:
    """Give the check of the room: what is allocatable minus what runs; `pods` is None where that cannot be seen.

    Pods of kubelb itself do not count: the next session takes their place.
    """
    usable = [node for node in nodes if is_ready(node) and takes(node, pod_spec)]
    on: dict[object, list[Json]] = {node["metadata"]["name"]: [] for node in usable}
    for pod in pods or ():
        if _counts(pod, on):
            on[pod["spec"]["nodeName"]].append(pod["spec"])
    rooms = [_rooms(node, on[node["metadata"]["name"]], pod_spec) for node in usable]
    free = sum(max(0, min(room.values())) for room in rooms)
    allocatable, running = sum(map(_pods_of, usable)), sum(map(len, on.values()))
    told = f"{free} ({allocatable} allocatable on {len(usable)} nodes, {running} running)"
    if pods is None:
        told = f"{free} on {len(usable)} nodes"
    scarce = dict.fromkeys(item for room in rooms for item in room if room[item] < room["pods"])
    told += f"; {', '.join(scarce)} leaves no more" if scarce else ""
    if free < wanted_pods:
        remedy = (
            "add nodes, lower workload.resources.requests, or ask for fewer pods with KUBELB_PODS or defaults.pods"
            if scarce
            else "add nodes, raise maxPods of their kubelets, or ask for fewer with KUBELB_PODS or defaults.pods"
        )
        return fail("room", "cluster", f"{wanted_pods} pods are wanted, and there is room for {told}", remedy)
    unseen = "" if pods is not None else "; what runs in other namespaces may not be seen"
    return ok("room", "cluster", f"{wanted_pods} pods are wanted, room for {told}{unseen}")


def _rooms(node: Json, running: Sequence[Mapping[str, Any]], pod_spec: Mapping[str, Any]) -> dict[str, int]:
    """Give how many more pods fit: by their number, and by each thing they request that the node tells of."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    found = {"pods": _pods_of(node) - len(running)}
    for item, amount in _requests(pod_spec).items():
        if item in allocatable and amount > 0:
            taken = sum((_requests(each).get(item, Fraction(0)) for each in running), Fraction(0))
            found[item] = int((parse(allocatable[item]) - taken) // amount)
    return found


def _requests(pod_spec: Mapping[str, Any]) -> dict[str, Fraction]:
    """Give what the containers of a pod request together."""
    found: dict[str, Fraction] = {}
    for container in pod_spec.get("containers") or ():
        for item, amount in ((container.get("resources") or {}).get("requests") or {}).items():
            found[item] = found.get(item, Fraction(0)) + parse(amount)
    return found


def _pods_of(node: Json) -> int:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    return int(parse(allocatable.get("pods", 0)))


def _counts(pod: Json, nodes: Collection[object]) -> bool:
    is_ours = (pod["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGER
    ended = (pod.get("status") or {}).get("phase") in _ENDED
    return not ended and not is_ours and (pod.get("spec") or {}).get("nodeName") in nodes


def judge_quotas(
    quotas: Sequence[Json], wanted_pods: int, pod_spec: Mapping[str, Any], where: str
) -> Iterator[Check]:
    """Give the checks of the namespace's quotas for that many pods, one Deployment and one Service."""
    needs = _needs(wanted_pods, pod_spec)
    for quota in quotas:
        name = quota["metadata"]["name"]
        status = quota.get("status") or {}
        hard, used = (
            status.get("hard") or (quota.get("spec") or {}).get("hard") or {},
            status.get("used") or {},
        )
        left = {item: parse(hard[item]) - parse(used.get(item, 0)) for item in hard}
        over = [item for item in hard if item in needs and needs[item] > left[item]]
        unnamed = [item for item in hard if item.startswith("limits.") and item not in needs]
        for item in over:
            found = f"ResourceQuota {name} leaves {float(left[item]):g} of {item}, needed are {float(needs[item]):g}"
            remedy = (
                f"have ResourceQuota {name} raised, or ask for fewer pods with KUBELB_PODS or defaults.pods"
            )
            yield fail("quota", where, found, remedy)
        if unnamed:
            found = f"ResourceQuota {name} wants {', '.join(unnamed)}, and the pods name none"
            remedy = "name them in [workload.resources.limits], or have a LimitRange added to the namespace"
            yield warning("quota", where, found, remedy)
        if not over and not unnamed:
            yield ok("quota", where, f"ResourceQuota {name} leaves enough")
    if not quotas:
        yield ok("quota", where, "none")


def _needs(pods: int, pod_spec: Mapping[str, Any]) -> dict[str, Fraction]:
    """Give what the workload adds to each thing that a quota counts, in base units."""
    needs = {"pods": pods, "count/pods": pods, "services": 1, "count/services": 1,
             "count/deployments.apps": 1, "count/replicasets.apps": 1}  # fmt: skip
    found = {item: Fraction(number) for item, number in needs.items()}
    for container in pod_spec.get("containers") or ():
        for kind in ("requests", "limits"):
            for item, amount in ((container.get("resources") or {}).get(kind) or {}).items():
                # A quota spells a request with its prefix or without it.
                for key in (f"{kind}.{item}", *((item,) if kind == "requests" else ())):
                    found[key] = found.get(key, Fraction(0)) + parse(amount) * pods
    return found
