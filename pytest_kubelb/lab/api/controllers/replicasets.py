"""ReplicaSet -> pods: creates those that are missing, deletes those that are too many, and counts.

Touches the API.
"""

from collections import Counter
from collections.abc import Sequence

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.controllers.ownership import controlled, owner_key
from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import (
    Key,
    KubeObject,
    is_deleting,
    key_of,
    labels_of,
    merged_conditions,
    owner_reference,
    pod_is_active,
    pod_is_ready,
    uid_of,
    without_zeros,
)
from pytest_kubelb.lab.api.recorder import Recorder
from pytest_kubelb.lab.api.resources import PODS, REPLICASETS, RESOURCEQUOTAS
from pytest_kubelb.lab.api.status import ApiError

_COMPONENT = "replicaset-controller"
_BURST = 500  # pods created at a time, as by the real controller; the rest follows when these are there
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSetController:
    """Makes pods follow ReplicaSets."""

    def __init__(self, api: ClusterApi, recorder: Recorder) -> None:
        self._api = api
        self._store = api.store
        self._recorder = recorder
        self._dirty: dict[Key, None] = {}
        self._refused: dict[Key, ApiError] = {}

    def observe(self, change: Change) -> None:
        """Note that a ReplicaSet changed, or a pod of one, or that a quota may have room again."""
        if change.resource == REPLICASETS:
            if change.kind == "DELETED":
                self._refused.pop(key_of(change.object), None)
            else:
                self._dirty[key_of(change.object)] = None
        elif change.resource == PODS:
            owner = owner_key(self._store, REPLICASETS, change.object)
            if owner is not None:
                self._dirty[owner] = None
            if change.kind == "DELETED":
                self._retry_refused(change.object["metadata"]["namespace"])
        elif (
            change.resource == RESOURCEQUOTAS
            and (change.previous or {}).get("spec") != change.object.get("spec")
        ) or (change.resource == RESOURCEQUOTAS and change.kind == "DELETED"):
            self._retry_refused(change.object["metadata"]["namespace"])

    def reconcile(self) -> bool:
        """Bring every ReplicaSet that is noted to its count."""
        busy = bool(self._dirty)
        while self._dirty:
            key = next(iter(self._dirty))
            del self._dirty[key]
            replica_set = self._store.find(REPLICASETS, *key)
            if replica_set is not None:
                self._sync(replica_set)
        return busy

    def _retry_refused(self, namespace: str) -> None:
        for key in [key for key in self._refused if key[0] == namespace]:
            del self._refused[key]
            self._dirty[key] = None

    def _sync(self, replica_set: KubeObject) -> None:
        key = key_of(replica_set)
        pods = controlled(self._api, PODS, replica_set)
        active = [pod for pod in pods if pod_is_active(pod)]
        surplus = len(active) - replica_set["spec"]["replicas"]
        if is_deleting(replica_set):
            surplus = 0
        if surplus >= 0:
            self._refused.pop(key, None)
        if surplus > 0:
            gone = {uid_of(pod) for pod in self._delete(replica_set, active, surplus)}
            active = [pod for pod in active if uid_of(pod) not in gone]
        elif surplus < 0 and key not in self._refused:
            active = [*active, *self._create(replica_set, min(-surplus, _BURST))]
        self._write_status(replica_set, active, terminating=sum(is_deleting(pod) for pod in pods))

    def _create(self, replica_set: KubeObject, count: int) -> list[KubeObject]:
        namespace, name = key_of(replica_set)
        template = replica_set["spec"]["template"]
        references = [owner_reference(replica_set)]
        created: list[KubeObject] = []
        for _ in range(count):
            metadata = {**template["metadata"], "generateName": f"{name}-", "ownerReferences": references}
            try:
                pod = self._api.create(PODS, namespace, {"metadata": metadata, "spec": template["spec"]})
            except ApiError as error:
                self._refused[name_key := (namespace, name)] = error
                self._recorder.warning(
                    _COMPONENT,
                    replica_set,
                    "FailedCreate",
                    f"Error creating: {self._refused[name_key].message}",
                )
                break
            created.append(pod)
            self._recorder.normal(
                _COMPONENT, replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}"
            )
        return created

    def _delete(
        self, replica_set: KubeObject, active: Sequence[KubeObject], surplus: int
    ) -> list[KubeObject]:
        victims = deletion_order(active)[:surplus]
        for pod in victims:
            self._api.delete(PODS, *key_of(pod), DeleteOptions())
            self._recorder.normal(
                _COMPONENT, replica_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}"
            )
        return victims

    def _write_status(
        self, replica_set: KubeObject, active: Sequence[KubeObject], *, terminating: int
    ) -> None:
        ready = sum(map(pod_is_ready, active))
        template_labels = (replica_set["spec"]["template"]["metadata"].get("labels") or {}).items()
        refusal = self._refused.get(key_of(replica_set))
        failure = []
        if refusal is not None:
            failure = [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": refusal.message,
                }
            ]
        old = replica_set.get("status", {}).get("conditions") or ()
        counters = {
            "fullyLabeledReplicas": sum(template_labels <= labels_of(pod).items() for pod in active),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": replica_set["metadata"]["generation"],
            "conditions": merged_conditions(old, failure, drop=() if failure else ("ReplicaFailure",)),
        }
        status = {"replicas": len(active), "terminatingReplicas": terminating, **without_zeros(counters)}
        self._api.write_status(REPLICASETS, replica_set, status)


def deletion_order(pods: Sequence[KubeObject]) -> list[KubeObject]:
    """Pods in the order in which a scale-down takes them.

    As k8s.io/kubernetes/pkg/controller.ActivePodsWithRanks: without a node, not running, not ready, lowest
    deletion cost, on the most crowded node, youngest first. Crowding is counted anew after every choice, so
    that what remains stays spread.
    """
    crowd = Counter(pod["spec"].get("nodeName") for pod in pods)
    left, ordered = list(pods), []
    while left:
        victim = min(left, key=lambda pod: _rank(pod, crowd[pod["spec"].get("nodeName")]))
        left.remove(victim)
        crowd[victim["spec"].get("nodeName")] -= 1
        ordered.append(victim)
    return ordered


def _rank(pod: KubeObject, crowd: int) -> tuple[bool, bool, bool, int, int, int]:
    cost = (pod["metadata"].get("annotations") or {}).get(_DELETION_COST, "0")
    return (
        bool(pod["spec"].get("nodeName")),
        pod.get("status", {}).get("phase") == "Running",
        pod_is_ready(pod),
        int(cost) if cost.lstrip("+-").isdecimal() else 0,
        -crowd,
        -int(pod["metadata"]["resourceVersion"]),
    )
