"""Kubernetes objects as plain JSON dicts: reading them, and making changed copies. Touches nothing.

An object that is in the store is never changed in place: watchers, snapshots and the history share it. Every
change makes new dicts along its path and shares the rest.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KubeObject = dict[str, Any]
"""A Kubernetes object as its JSON is: `apiVersion`, `kind`, `metadata` and what its kind adds."""

Key = tuple[str, str]
"""Namespace and name; the namespace of a cluster-scoped object is the empty string."""


def timestamp(offset_s: float = 0) -> str:
    """Now, or `offset_s` seconds from now, as metav1.Time is written: RFC 3339, UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset_s))


def key_of(obj: KubeObject) -> Key:
    """Namespace and name of an object."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def labels_of(obj: KubeObject) -> Mapping[str, str]:
    """Give the object's labels, empty when it has none."""
    return obj["metadata"].get("labels") or {}


def uid_of(obj: KubeObject) -> str:
    """Give the object's uid."""
    return str(obj["metadata"]["uid"])


def owner_uids(obj: KubeObject) -> list[str]:
    """Give the uids of the objects that own this one."""
    return [reference["uid"] for reference in obj["metadata"].get("ownerReferences") or ()]


def controller_uid(obj: KubeObject) -> str | None:
    """Give the uid of the one owner that controls this object, if any."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference["uid"])
    return None


def owner_reference(owner: KubeObject) -> KubeObject:
    """Give the reference that a controller writes into what it creates for `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def object_reference(obj: KubeObject) -> KubeObject:
    """Give the reference to `obj` that Events and EndpointSlices carry."""
    metadata = obj["metadata"]
    reference = {
        "kind": obj["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {name: value for name, value in reference.items() if value}


def is_deleting(obj: KubeObject) -> bool:
    """Whether deletion was asked for and is not finished."""
    return "deletionTimestamp" in obj["metadata"]


def with_metadata(obj: KubeObject, **fields: object) -> KubeObject:
    """Give a copy with these metadata fields; None removes a field."""
    metadata = {**obj["metadata"], **fields}
    return {**obj, "metadata": {name: value for name, value in metadata.items() if value is not None}}


def with_spec(obj: KubeObject, **fields: object) -> KubeObject:
    """Give a copy with these fields in its spec."""
    return {**obj, "spec": {**obj.get("spec", {}), **fields}}


def without_zeros(status: Mapping[str, Any]) -> KubeObject:
    """Give a status as the real API prints it.

    Counters that are zero and empty lists are left out (Go's `omitempty`).
    """
    return {name: value for name, value in status.items() if value not in (0, None, [], {}, "")}


def condition_of(obj: KubeObject, kind: str) -> KubeObject | None:
    """Give the condition of type `kind` in the object's status, if it has one."""
    for condition in obj.get("status", {}).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return None


def merged_conditions(
    old: Iterable[KubeObject], new: Sequence[KubeObject], drop: Iterable[str] = ()
) -> list[KubeObject]:
    """Put the conditions `new` into `old` and leave out those of the types `drop`.

    Transition times are kept where the status is the same.

    A condition whose status, reason and message are unchanged is kept as it is, so that writing it again is
    no change at all.
    """
    result = {condition.get("type", ""): condition for condition in old}
    for kind in drop:
        result.pop(kind, None)
    for condition in new:
        before = result.get(condition["type"])
        if before is not None and all(
            before.get(field) == condition.get(field) for field in ("status", "reason", "message")
        ):
            continue
        now = timestamp()
        held = before is not None and before.get("status") == condition["status"]
        since = before.get("lastTransitionTime", now) if before is not None and held else now
        stamped = {**condition, "lastTransitionTime": since}
        if "lastUpdateTime" in condition:
            stamped["lastUpdateTime"] = now
        result[condition["type"]] = stamped
    return list(result.values())


def pod_is_ready(pod: KubeObject) -> bool:
    """Whether the pod's Ready condition is true."""
    condition = condition_of(pod, "Ready")
    return condition is not None and condition.get("status") == "True"


def pod_is_active(pod: KubeObject) -> bool:
    """Whether the pod counts as a replica: neither finished nor being deleted."""
    return not is_deleting(pod) and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
