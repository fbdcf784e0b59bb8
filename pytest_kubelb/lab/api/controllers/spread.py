"""Topology spread constraints: on which nodes one more pod would make the spread too uneven. Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/. As there, and unlike
what one expects, nodes with taints the pod does not tolerate count as places with no pods, unless
`nodeTaintsPolicy` is Honor: a constraint over `kubernetes.io/hostname` with maxSkew 1 is stuck at one pod per
worker in a cluster whose control plane is tainted.
"""

from collections import Counter
from collections.abc import Sequence

from pytest_kubelb.lab.api.nodes import is_affine, tolerates
from pytest_kubelb.lab.api.objects import KubeObject, labels_of, pod_is_active
from pytest_kubelb.lab.api.selectors import Requirement, Selector, selector_of, selects

Places = Sequence[tuple[KubeObject, Sequence[KubeObject]]]
"""Every node with the pods on it."""


def skewed(pod: KubeObject, places: Places) -> set[str]:
    """Give the names of the nodes on which `pod` would break one of its constraints that must hold."""
    broken: set[str] = set()
    for constraint in pod["spec"].get("topologySpreadConstraints") or ():
        if constraint["whenUnsatisfiable"] == "DoNotSchedule":
            broken |= _breaking(pod, constraint, places)
    return broken


def _breaking(pod: KubeObject, constraint: KubeObject, places: Places) -> set[str]:
    topology, selector = constraint["topologyKey"], _selector(pod, constraint)
    counts: Counter[str] = Counter()
    for node, pods in places:
        domain = labels_of(node).get(topology)
        if domain is not None and _is_counted(pod, node, constraint):
            counts[domain] += sum(_matches(other, pod, selector) for other in pods)
    itself = int(selects(selector, labels_of(pod)))
    fewest = min(counts.values(), default=0)
    if len(counts) < constraint.get("minDomains", 1):
        fewest = 0
    broken = set()
    for node, _ in places:
        domain = labels_of(node).get(topology)
        if domain is None or counts[domain] + itself - fewest > constraint["maxSkew"]:
            broken.add(str(node["metadata"]["name"]))
    return broken


def _selector(pod: KubeObject, constraint: KubeObject) -> Selector:
    held = labels_of(pod)
    keys = [key for key in constraint.get("matchLabelKeys") or () if key in held]
    own = tuple(Requirement(key, "in", frozenset({held[key]})) for key in keys)
    return selector_of(constraint.get("labelSelector") or {}) + own


def _is_counted(pod: KubeObject, node: KubeObject, constraint: KubeObject) -> bool:
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not is_affine(pod, node):
        return False
    return constraint.get("nodeTaintsPolicy", "Ignore") == "Ignore" or tolerates(pod, node)


def _matches(other: KubeObject, pod: KubeObject, selector: Selector) -> bool:
    same_namespace = other["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and pod_is_active(other) and selects(selector, labels_of(other))
