"""Deleting objects: preconditions, grace for pods, finalizers, and what happens to dependents.

Touches the store.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion. Background deletion
and the last steps of the foreground one are the garbage collector's work.
"""

from dataclasses import dataclass

from pytest_kubelb.lab.api.objects import (
    KubeObject,
    is_deleting,
    key_of,
    owner_uids,
    timestamp,
    uid_of,
    with_metadata,
)
from pytest_kubelb.lab.api.resources import NAMESPACES, PODS, RESOURCES, Resource
from pytest_kubelb.lab.api.status import bad_request, conflict, forbidden
from pytest_kubelb.lab.api.store import Store

FOREGROUND = "foregroundDeletion"
"""The finalizer of an object that waits for its dependents to go first."""

_POLICIES = ("Background", "Foreground", "Orphan")
_KEPT_NAMESPACES = ("default", "kube-system", "kube-public")


@dataclass(frozen=True)
class DeleteOptions:
    """What a DELETE asks for, from its body or its query."""

    grace_s: int | None = None
    """Seconds a pod gets to stop; None for what its spec says."""
    propagation: str = "Background"
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False


def parse_delete_options(body: object, query: KubeObject) -> DeleteOptions:
    """Options of a DELETE; what the body says wins over the query.

    Raises:
        ApiError: 400 for a negative or odd grace period, or an unknown propagation policy.

    """
    given = body if isinstance(body, dict) else {}
    preconditions = given.get("preconditions") or {}
    grace = given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    if grace is not None:
        if not str(grace).isdecimal():
            raise bad_request(
                f"invalid gracePeriodSeconds {grace!r}: must be an integer that is not negative"
            )
        grace = int(grace)
    policy = given.get("propagationPolicy") or query.get("propagationPolicy")
    if policy is None:
        orphan = str(given.get("orphanDependents", query.get("orphanDependents", ""))).lower()
        policy = "Orphan" if orphan == "true" else "Background"
    if policy not in _POLICIES:
        raise bad_request(
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "{policy}": '
            f"supported values: {', '.join(_POLICIES)}"
        )
    dry_run = bool(given.get("dryRun") or query.get("dryRun"))
    return DeleteOptions(
        grace, policy, preconditions.get("uid"), preconditions.get("resourceVersion"), dry_run
    )


def delete_object(
    store: Store, resource: Resource, stored: KubeObject, options: DeleteOptions
) -> tuple[KubeObject, bool]:
    """Delete `stored` or begin to; gives it as it is then, and whether it is gone.

    Raises:
        ApiError: 409 when a precondition fails or a namespace is already going, 403 for the cluster's own
        namespaces.

    """
    namespace, name = key_of(stored)
    _check_preconditions(resource, stored, options)
    if options.dry_run:
        return stored, True
    if resource == NAMESPACES:
        return _terminate_namespace(store, stored), False
    if options.propagation == "Orphan":
        _orphan_dependents(store, uid_of(stored))
        stored = store.get(resource, namespace, name)
    finalizers = list(stored["metadata"].get("finalizers") or ())
    if options.propagation == "Foreground" and FOREGROUND not in finalizers:
        finalizers.append(FOREGROUND)
    if resource == PODS:
        grace_s = _grace_s(stored, options)
        if grace_s > 0 or finalizers:
            return store.update(resource, _marked(stored, grace_s, finalizers)), False
    elif finalizers:
        return store.update(resource, _marked(stored, 0, finalizers)), False
    return store.remove(resource, namespace, name), True


def _check_preconditions(resource: Resource, stored: KubeObject, options: DeleteOptions) -> None:
    metadata = stored["metadata"]
    checks = (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"]),
    )
    for what, wanted, actual in checks:
        if wanted is not None and wanted != actual:
            why = f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {actual}"
            raise conflict(resource, metadata["name"], why)


def _terminate_namespace(store: Store, stored: KubeObject) -> KubeObject:
    name = stored["metadata"]["name"]
    if name in _KEPT_NAMESPACES:
        raise forbidden(NAMESPACES, name, "this namespace may not be deleted")
    if is_deleting(stored):
        why = (
            "The system is ensuring all content is removed from this namespace.  "
            "Upon completion, this namespace will automatically be purged by the system."
        )
        raise conflict(NAMESPACES, name, why)
    marked = with_metadata(stored, deletionTimestamp=timestamp())
    return store.update(
        NAMESPACES, {**marked, "status": {**stored.get("status", {}), "phase": "Terminating"}}
    )


def _grace_s(pod: KubeObject, options: DeleteOptions) -> int:
    finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    if finished or not pod["spec"].get("nodeName"):
        return 0
    grace_s: int = pod["spec"].get("terminationGracePeriodSeconds", 30)
    if options.grace_s is not None:
        grace_s = options.grace_s
    already_s: int = pod["metadata"].get("deletionGracePeriodSeconds", grace_s)
    return min(grace_s, already_s)


def _marked(stored: KubeObject, grace_s: int, finalizers: list[str]) -> KubeObject:
    metadata = stored["metadata"]
    generation = metadata.get("generation")
    if generation is not None and not is_deleting(stored):
        generation += 1
    return with_metadata(
        stored,
        finalizers=finalizers or None,
        generation=generation,
        deletionTimestamp=timestamp(grace_s)
        if metadata.get("deletionGracePeriodSeconds") != grace_s
        else metadata["deletionTimestamp"],
        deletionGracePeriodSeconds=grace_s,
    )


def _orphan_dependents(store: Store, uid: str) -> None:
    for resource in RESOURCES:
        for dependent in store.all(resource):
            if uid in owner_uids(dependent):
                kept = [ref for ref in dependent["metadata"]["ownerReferences"] if ref["uid"] != uid]
                store.update(resource, with_metadata(dependent, ownerReferences=kept or None))
