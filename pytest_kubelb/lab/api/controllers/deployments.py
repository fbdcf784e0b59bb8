"""Deployment -> ReplicaSets, one per pod template, scaled as its strategy allows. Touches the API."""

from collections.abc import Sequence

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.controllers.ownership import controlled, owner_key, template_hash
from pytest_kubelb.lab.api.controllers.rollout import Progress, max_surge, max_unavailable, next_replicas
from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import (
    Key,
    KubeObject,
    condition_of,
    is_deleting,
    key_of,
    merged_conditions,
    owner_reference,
    timestamp,
    with_metadata,
    with_spec,
    without_zeros,
)
from pytest_kubelb.lab.api.recorder import Recorder
from pytest_kubelb.lab.api.resources import DEPLOYMENTS, REPLICASETS
from pytest_kubelb.lab.api.status import ApiError

_REVISION = "deployment.kubernetes.io/revision"
_COMPONENT = "deployment-controller"


class DeploymentController:
    """Makes ReplicaSets follow Deployments."""

    def __init__(self, api: ClusterApi, recorder: Recorder) -> None:
        self._api = api
        self._store = api.store
        self._recorder = recorder
        self._dirty: dict[Key, None] = {}

    def observe(self, change: Change) -> None:
        """Note that a Deployment changed, or a ReplicaSet of one."""
        if change.resource == DEPLOYMENTS and change.kind != "DELETED":
            self._dirty[key_of(change.object)] = None
        elif change.resource == REPLICASETS:
            owner = owner_key(self._store, DEPLOYMENTS, change.object)
            if owner is not None:
                self._dirty[owner] = None

    def reconcile(self) -> bool:
        """Bring every Deployment that is noted one step further."""
        busy = bool(self._dirty)
        while self._dirty:
            key = next(iter(self._dirty))
            del self._dirty[key]
            deployment = self._store.find(DEPLOYMENTS, *key)
            if deployment is not None and not is_deleting(deployment):
                self._sync(deployment)
        return busy

    def _sync(self, deployment: KubeObject) -> None:
        sets = sorted(controlled(self._api, REPLICASETS, deployment), key=_revision)
        new = next((rs for rs in reversed(sets) if _same_template(rs, deployment)), None)
        old = [rs for rs in sets if new is None or rs["metadata"]["uid"] != new["metadata"]["uid"]]
        if deployment["spec"].get("paused"):
            self._write_status(deployment, new, sets)
            return
        if new is None:
            new = self._create(deployment, old)
        elif old and _revision(new) <= _revision(old[-1]):
            new = self._api.update(REPLICASETS, _with_revision(new, _revision(old[-1]) + 1))
        if new is None:
            return
        wanted, old_wanted = next_replicas(deployment, _progress(new), [_progress(rs) for rs in old])
        new = self._scale(deployment, new, wanted)
        old = [self._scale(deployment, rs, count) for rs, count in zip(old, old_wanted, strict=True)]
        self._prune(deployment, old)
        self._write_status(deployment, new, [*old, new])

    def _create(self, deployment: KubeObject, old: Sequence[KubeObject]) -> KubeObject | None:
        template, name = deployment["spec"]["template"], deployment["metadata"]["name"]
        digest = template_hash(template)
        labels = {**(template["metadata"].get("labels") or {}), "pod-template-hash": digest}
        replicas, _ = next_replicas(deployment, Progress(0, 0, 0), [_progress(rs) for rs in old])
        selector = deployment["spec"]["selector"]
        body = {
            "metadata": {
                "name": f"{name}-{digest}",
                "labels": labels,
                "annotations": {_REVISION: str(max(map(_revision, old), default=0) + 1)},
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": replicas,
                "selector": {
                    **selector,
                    "matchLabels": {**(selector.get("matchLabels") or {}), "pod-template-hash": digest},
                },
                "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
            },
        }
        try:
            created = self._api.create(
                REPLICASETS, deployment["metadata"]["namespace"], _annotated(body, deployment)
            )
        except ApiError as error:
            self._refused(deployment, f"{name}-{digest}", error)
            return None
        if replicas:
            self._tell_scaling(deployment, created, 0, replicas)
        return created

    def _refused(self, deployment: KubeObject, name: str, error: ApiError) -> None:
        message = f'Failed to create new replica set "{name}": {error.message}'
        condition = {
            "type": "Progressing",
            "status": "False",
            "reason": "ReplicaSetCreateError",
            "message": message,
        }
        status = deployment.get("status", {})
        conditions = merged_conditions(
            status.get("conditions") or (), [{**condition, "lastUpdateTime": timestamp()}]
        )
        self._api.write_status(DEPLOYMENTS, deployment, {**status, "conditions": conditions})
        self._recorder.warning(_COMPONENT, deployment, "ReplicaSetCreateError", message)

    def _scale(self, deployment: KubeObject, replica_set: KubeObject, wanted: int) -> KubeObject:
        before = replica_set["spec"]["replicas"]
        if before != wanted:
            self._tell_scaling(deployment, replica_set, before, wanted)
        scaled = _annotated(with_spec(replica_set, replicas=wanted), deployment)
        if before == wanted and scaled["metadata"].get("annotations") == replica_set["metadata"].get(
            "annotations"
        ):
            return replica_set
        namespace, name = key_of(replica_set)
        return self._api.replace(REPLICASETS, namespace, name, scaled)

    def _tell_scaling(
        self, deployment: KubeObject, replica_set: KubeObject, before: int, wanted: int
    ) -> None:
        direction = "up" if wanted > before else "down"
        message = (
            f"Scaled {direction} replica set {replica_set['metadata']['name']} from {before} to {wanted}"
        )
        self._recorder.normal(_COMPONENT, deployment, "ScalingReplicaSet", message)

    def _prune(self, deployment: KubeObject, old: Sequence[KubeObject]) -> None:
        empty = [
            rs
            for rs in old
            if not rs["spec"]["replicas"] and not rs.get("status", {}).get("replicas") and not is_deleting(rs)
        ]
        for replica_set in empty[: max(len(empty) - deployment["spec"]["revisionHistoryLimit"], 0)]:
            self._api.delete(REPLICASETS, *key_of(replica_set), DeleteOptions())

    def _write_status(
        self, deployment: KubeObject, new: KubeObject | None, sets: Sequence[KubeObject]
    ) -> None:
        spec = deployment["spec"]
        totals = {
            field: sum(rs.get("status", {}).get(field, 0) for rs in sets)
            for field in ("replicas", "readyReplicas", "availableReplicas", "terminatingReplicas")
        }
        updated = new.get("status", {}).get("replicas", 0) if new is not None else 0
        available = totals["availableReplicas"]
        counters = {
            "observedGeneration": deployment["metadata"]["generation"],
            **totals,
            "updatedReplicas": updated,
            "unavailableReplicas": max(spec["replicas"] - available, 0),
        }
        failure = condition_of(new, "ReplicaFailure") if new is not None else None
        conditions = [_available(deployment, available)]
        if new is not None:
            done = updated == spec["replicas"] == totals["replicas"] and available >= spec["replicas"]
            conditions.append(_progressing(new, done=done))
        if failure is not None:
            conditions.append(
                {field: failure[field] for field in ("type", "status", "reason", "message")}
                | {"lastUpdateTime": timestamp()}
            )
        old_conditions = deployment.get("status", {}).get("conditions") or ()
        merged = merged_conditions(old_conditions, conditions, drop=() if failure else ("ReplicaFailure",))
        status = {
            **without_zeros(counters),
            "terminatingReplicas": totals["terminatingReplicas"],
            "conditions": merged,
        }
        self._api.write_status(DEPLOYMENTS, deployment, status)
        if new is not None and deployment["metadata"].get("annotations", {}).get(_REVISION) != str(
            _revision(new)
        ):
            current = self._store.get(DEPLOYMENTS, *key_of(deployment))
            self._api.update(DEPLOYMENTS, _with_revision(current, _revision(new)))


def _available(deployment: KubeObject, available: int) -> KubeObject:
    enough = available >= deployment["spec"]["replicas"] - max_unavailable(deployment)
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    message = f"Deployment {'has' if enough else 'does not have'} minimum availability."
    return {
        "type": "Available",
        "status": str(enough),
        "reason": reason,
        "message": message,
        "lastUpdateTime": timestamp(),
    }


def _progressing(new: KubeObject, *, done: bool) -> KubeObject:
    name = new["metadata"]["name"]
    reason = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
    message = (
        f'ReplicaSet "{name}" has successfully progressed.'
        if done
        else f'ReplicaSet "{name}" is progressing.'
    )
    return {
        "type": "Progressing",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastUpdateTime": timestamp(),
    }


def _progress(replica_set: KubeObject) -> Progress:
    status = replica_set.get("status", {})
    return Progress(
        replica_set["spec"]["replicas"], status.get("replicas", 0), status.get("availableReplicas", 0)
    )


def _revision(obj: KubeObject) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(_REVISION, "0")
    return int(text) if text.isdecimal() else 0


def _with_revision(obj: KubeObject, revision: int) -> KubeObject:
    return with_metadata(
        obj, annotations={**(obj["metadata"].get("annotations") or {}), _REVISION: str(revision)}
    )


def _annotated(replica_set: KubeObject, deployment: KubeObject) -> KubeObject:
    replicas = deployment["spec"]["replicas"]
    annotations = {
        **(replica_set["metadata"].get("annotations") or {}),
        "deployment.kubernetes.io/desired-replicas": str(replicas),
        "deployment.kubernetes.io/max-replicas": str(replicas + max_surge(deployment)),
    }
    return with_metadata(replica_set, annotations=annotations)


def _same_template(replica_set: KubeObject, deployment: KubeObject) -> bool:
    template = replica_set["spec"]["template"]
    labels = {k: v for k, v in (template["metadata"].get("labels") or {}).items() if k != "pod-template-hash"}
    wanted = deployment["spec"]["template"]
    theirs = {**wanted, "metadata": {**wanted["metadata"], "labels": wanted["metadata"].get("labels") or {}}}
    return {**template, "metadata": {**template["metadata"], "labels": labels}} == theirs
