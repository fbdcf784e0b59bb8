"""Which node a pod runs on: where it may and fits, where fewest of its kind are, in turn. Touches the API.

Honours scheduling gates, nodeSelector, required node affinity, taints, unschedulable nodes, cpu, memory and pod
count of the nodes, and topologySpreadConstraints.
https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.controllers.spread import skewed
from pytest_kubelb.lab.api.nodes import why_not
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import (
    Key,
    KubeObject,
    controller_uid,
    is_deleting,
    key_of,
    labels_of,
    merged_conditions,
)
from pytest_kubelb.lab.api.quantities import parse_quantity
from pytest_kubelb.lab.api.recorder import Recorder
from pytest_kubelb.lab.api.resources import NODES, PODS

_COMPONENT = "default-scheduler"
_RESOURCES = ("cpu", "memory")


@dataclass
class _Room:
    """A node and what is on it, counted up while a batch is placed."""

    node: KubeObject
    order: int
    pods: list[KubeObject]

    @property
    def name(self) -> str:
        return str(self.node["metadata"]["name"])

    def lacks(self, pod: KubeObject) -> str | None:
        """Give what the pod needs and the node has not left, in the scheduler's words."""
        allocatable = self.node.get("status", {}).get("allocatable") or {}
        if len(self.pods) + 1 > (parse_quantity(allocatable.get("pods", "110")) or 0):
            return "Too many pods"
        for resource in _RESOURCES:
            needed = _request(pod, resource)
            if needed and needed + sum(_request(p, resource) for p in self.pods) > (
                parse_quantity(allocatable.get(resource)) or 0
            ):
                return f"Insufficient {resource}"
        return None


class Scheduler:
    """Binds pods to nodes."""

    def __init__(self, api: ClusterApi, recorder: Recorder) -> None:
        self._api = api
        self._store = api.store
        self._recorder = recorder
        self._pending: dict[Key, None] = {}
        self._unschedulable: dict[Key, None] = {}
        self._turn = 0

    def observe(self, change: Change) -> None:
        """Note that a pod wants a node, or that there may be room for those that found none."""
        key = key_of(change.object)
        if change.resource == PODS:
            if change.kind == "DELETED":
                self._pending.pop(key, None)
                self._unschedulable.pop(key, None)
                self._retry()
            elif _became_ready(change):
                self._pending[key] = None
        elif change.resource == NODES:
            before, after = change.previous or {}, change.object
            if before.get("spec") != after.get("spec") or before.get("metadata", {}).get(
                "labels"
            ) != labels_of(after):
                self._retry()

    def reconcile(self) -> bool:
        """Place the pods that are waiting, in the order in which they came."""
        pending, self._pending = self._pending, {}
        waiting = [pod for key in pending if (pod := self._store.find(PODS, *key)) is not None]
        waiting = [pod for pod in waiting if not pod["spec"].get("nodeName") and not is_deleting(pod)]
        if waiting:
            rooms = self._rooms()
            for pod in waiting:
                self._place(pod, rooms)
        return bool(pending)

    def _retry(self) -> None:
        self._pending |= self._unschedulable
        self._unschedulable = {}

    def _rooms(self) -> list[_Room]:
        rooms = {
            node["metadata"]["name"]: _Room(node, order, [])
            for order, node in enumerate(self._store.all(NODES))
        }
        for pod in self._store.all(PODS):
            room = rooms.get(pod["spec"].get("nodeName", ""))
            if room is not None and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
                room.pods.append(pod)
        return list(rooms.values())

    def _place(self, pod: KubeObject, rooms: Sequence[_Room]) -> None:
        reasons = {room.name: why_not(pod, room.node) or room.lacks(pod) for room in rooms}
        for name in skewed(pod, [(room.node, room.pods) for room in rooms]):
            reasons[name] = reasons[name] or "node(s) didn't match pod topology spread constraints"
        possible = [room for room in rooms if reasons[room.name] is None]
        if not possible:
            self._tell_unschedulable(pod, Counter(str(reason) for reason in reasons.values()))
            return
        best = min(possible, key=lambda room: self._preference(pod, room, len(rooms)))
        self._turn = best.order + 1
        bound = self._api.bind(pod, best.name)
        best.pods.append(bound)
        self._recorder.normal(
            _COMPONENT, bound, "Scheduled", f"Successfully assigned {'/'.join(key_of(pod))} to {best.name}"
        )

    def _preference(self, pod: KubeObject, room: _Room, nodes: int) -> tuple[int, int, int]:
        owner = controller_uid(pod)
        alike = sum(
            owner is not None and controller_uid(other) == owner and not is_deleting(other)
            for other in room.pods
        )
        return alike, len(room.pods), (room.order - self._turn) % nodes

    def _tell_unschedulable(self, pod: KubeObject, reasons: Counter[str]) -> None:
        nodes = sum(reasons.values())
        listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
        message = (
            f"0/{nodes} nodes are available: {listed}." if nodes else "no nodes available to schedule pods"
        )
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        status = pod.get("status", {})
        merged = merged_conditions(status.get("conditions") or (), [condition])
        self._api.write_status(PODS, pod, {**status, "conditions": merged})
        self._unschedulable[key_of(pod)] = None
        self._recorder.warning(_COMPONENT, pod, "FailedScheduling", message)


def _became_ready(change: Change) -> bool:
    """Whether a pod wants a node since this change: it is new, or the last of its scheduling gates was opened."""
    spec, before = change.object["spec"], change.previous
    if spec.get("nodeName") or spec.get("schedulingGates"):
        return False
    return before is None or bool(before["spec"].get("schedulingGates"))


def _request(pod: KubeObject, resource: str) -> Fraction:
    containers = pod["spec"]["containers"]
    amounts = ((c.get("resources") or {}).get("requests", {}).get(resource) for c in containers)
    return sum((parse_quantity(amount) or Fraction(0) for amount in amounts), Fraction(0))
