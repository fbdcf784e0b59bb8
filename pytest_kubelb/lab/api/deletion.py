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
from pytest_kubelb.lab.api.status import (
    bad_request,
    conflict,
    forbidden,
    invalid_options,
    invalid_value,
    precondition_failed,
    unsupported_value,
)
from pytest_kubelb.lab.api.store import Store

FOREGROUND = "foregroundDeletion"
"""The finalizer of an object that waits for its dependents to go first."""

ORPHAN = "orphan"
"""The finalizer of an object whose dependents are to be let go first; a real API server sets it."""

_POLICIES = ("Foreground", "Background", "Orphan", "nil")
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
        ApiError: 400 for a grace period that is no integer, 422 for another value that is not allowed.

    """
    given = body if isinstance(body, dict) else {}
    preconditions = given.get("preconditions") or {}
    grace = given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    if grace is not None:
        try:
            grace = int(str(grace))
        except ValueError:
            struct = "Go struct field DeleteOptions.gracePeriodSeconds of type int64"
            raise bad_request(f"json: cannot unmarshal string into {struct}") from None
        grace = 1 if grace < 0 else grace  # a negative one counts as one second since v1.23
    policy = given.get("propagationPolicy") or query.get("propagationPolicy")
    orphan = given.get("orphanDependents", query.get("orphanDependents"))
    causes = []
    if policy is not None and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid_value("propagationPolicy", policy, why))
    if policy is None:
        policy = "Orphan" if str(orphan).lower() == "true" else "Background"
    if policy not in _POLICIES[:-1]:
        causes.append(unsupported_value("propagationPolicy", policy, _POLICIES))
    asked = given.get("dryRun") or query.get("dryRun") or []
    dry_run = [asked] if isinstance(asked, str) else list(asked)
    if any(each != "All" for each in dry_run):
        causes.append(unsupported_value("dryRun", dry_run, ["All"]))
    if causes:
        raise invalid_options("DeleteOptions", causes)
    return DeleteOptions(
        grace, policy, preconditions.get("uid"), preconditions.get("resourceVersion"), bool(dry_run)
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
    removed = store.remove(resource, namespace, name)
    return (_marked(removed, 0, []) if resource == PODS else removed), True


def _check_preconditions(resource: Resource, stored: KubeObject, options: DeleteOptions) -> None:
    metadata = stored["metadata"]
    checks = (
        ("UID", options.uid, metadata["uid"], "have been deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"], "have been modified"),
    )
    for what, wanted, actual, might in checks:
        if wanted is not None and wanted != actual:
            why = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({actual})"
            raise precondition_failed(resource, metadata["name"], f"{why}. The object might {might}")


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
