"""DaemonSet -> one pod on every node it may run on, replaced a few at a time. Touches the API."""

from collections.abc import Sequence

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.controllers.ownership import controlled, owner_key, template_hash
from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.nodes import why_not
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
    without_zeros,
)
from pytest_kubelb.lab.api.recorder import Recorder
from pytest_kubelb.lab.api.resources import DAEMONSETS, NODES, PODS
from pytest_kubelb.lab.api.status import ApiError

_COMPONENT = "daemonset-controller"
_HASH_LABEL = "controller-revision-hash"

# What the real controller lets its pods run in spite of; a cordoned node keeps its daemons.
_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{condition}", "operator": "Exists", "effect": effect}
    for condition, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("network-unavailable", "NoSchedule"),
    )
]


class DaemonSetController:
    """Makes pods follow DaemonSets and nodes."""

    def __init__(self, api: ClusterApi, recorder: Recorder) -> None:
        self._api = api
        self._store = api.store
        self._recorder = recorder
        self._dirty: dict[Key, None] = {}

    def observe(self, change: Change) -> None:
        """Note that a DaemonSet changed, a pod of one, or the nodes."""
        if change.resource == DAEMONSETS and change.kind != "DELETED":
            self._dirty[key_of(change.object)] = None
        elif change.resource == PODS:
            owner = owner_key(self._store, DAEMONSETS, change.object)
            if owner is not None:
                self._dirty[owner] = None
        elif change.resource == NODES:
            self._dirty |= {key_of(daemon_set): None for daemon_set in self._store.all(DAEMONSETS)}

    def reconcile(self) -> bool:
        """Bring every DaemonSet that is noted one step further."""
        busy = bool(self._dirty)
        while self._dirty:
            key = next(iter(self._dirty))
            del self._dirty[key]
            daemon_set = self._store.find(DAEMONSETS, *key)
            if daemon_set is not None and not is_deleting(daemon_set):
                self._sync(daemon_set)
        return busy

    def _sync(self, daemon_set: KubeObject) -> None:
        digest = template_hash(daemon_set["spec"]["template"])
        pods = controlled(self._api, PODS, daemon_set)
        active = [pod for pod in pods if pod_is_active(pod)]
        candidate = self._body(daemon_set, digest)
        wanted = [
            node["metadata"]["name"] for node in self._store.all(NODES) if why_not(candidate, node) is None
        ]
        placed = {pod["spec"].get("nodeName"): pod for pod in active}
        busy_nodes = {pod["spec"].get("nodeName") for pod in pods}
        for pod in active:
            if pod["spec"].get("nodeName") not in wanted:
                self._api.delete(PODS, *key_of(pod), DeleteOptions())
        for name in wanted:
            # While the old pod is going the node's ports are still its own.
            if name not in busy_nodes:
                self._create(daemon_set, candidate, name)
        self._roll(daemon_set, [placed[name] for name in wanted if name in placed], len(wanted), digest)
        self._write_status(daemon_set, wanted, digest)

    def _body(self, daemon_set: KubeObject, digest: str) -> KubeObject:
        template = daemon_set["spec"]["template"]
        metadata = {
            **template["metadata"],
            "generateName": f"{daemon_set['metadata']['name']}-",
            "labels": {**(template["metadata"].get("labels") or {}), _HASH_LABEL: digest},
            "ownerReferences": [owner_reference(daemon_set)],
        }
        tolerations = [*(template["spec"].get("tolerations") or ()), *_TOLERATIONS]
        return {"metadata": metadata, "spec": {**template["spec"], "tolerations": tolerations}}

    def _create(self, daemon_set: KubeObject, body: KubeObject, node: str) -> None:
        bound = {**body, "spec": {**body["spec"], "nodeName": node}}
        try:
            pod = self._api.create(PODS, daemon_set["metadata"]["namespace"], bound)
        except ApiError as error:
            self._recorder.warning(_COMPONENT, daemon_set, "FailedCreate", f"Error creating: {error.message}")
        else:
            self._recorder.normal(
                _COMPONENT, daemon_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}"
            )

    def _roll(self, daemon_set: KubeObject, pods: Sequence[KubeObject], wanted: int, digest: str) -> None:
        """Delete pods of an older template.

        Those that do not serve at once, the others as long as enough are left.
        """
        strategy = daemon_set["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        old = [pod for pod in pods if labels_of(pod).get(_HASH_LABEL) != digest]
        unready_old = [pod for pod in old if not pod_is_ready(pod)]
        serving = sum(map(pod_is_ready, pods))
        spare = max(_share(strategy["rollingUpdate"]["maxUnavailable"], wanted) - (wanted - serving), 0)
        for pod in [*unready_old, *[pod for pod in old if pod_is_ready(pod)][:spare]]:
            self._api.delete(PODS, *key_of(pod), DeleteOptions())

    def _write_status(self, daemon_set: KubeObject, wanted: Sequence[str], digest: str) -> None:
        active = [pod for pod in controlled(self._api, PODS, daemon_set) if pod_is_active(pod)]
        here = [pod for pod in active if pod["spec"].get("nodeName") in wanted]
        ready = sum(map(pod_is_ready, here))
        optional = {
            "observedGeneration": daemon_set["metadata"]["generation"],
            "updatedNumberScheduled": sum(labels_of(pod).get(_HASH_LABEL) == digest for pod in here),
            "numberAvailable": ready,
            "numberUnavailable": len(wanted) - ready,
            "conditions": merged_conditions(daemon_set.get("status", {}).get("conditions") or (), []),
        }
        required = {
            "currentNumberScheduled": len(here),
            "desiredNumberScheduled": len(wanted),
            "numberMisscheduled": len(active) - len(here),
            "numberReady": ready,
        }
        self._api.write_status(DAEMONSETS, daemon_set, {**required, **without_zeros(optional)})


def _share(value: object, of: int) -> int:
    """Give a count, or a percentage of `of` rounded up as the DaemonSet controller does; at least one."""
    if isinstance(value, str) and value.endswith("%"):
        return max(-(-int(value[:-1]) * of // 100), 1)
    return max(int(str(value)), 1)
