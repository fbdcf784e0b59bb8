"""Writing objects by the rules of their kind.

Names, defaults, validation, admission, generation, deletion. Touches the store.

The server and the controllers write through it alike, so that a quota stops a controller as it stops a user.
"""

import secrets
from collections.abc import Callable

from pytest_kubelb.lab.api.defaults import initial_status, with_defaults
from pytest_kubelb.lab.api.deletion import DeleteOptions, delete_object
from pytest_kubelb.lab.api.known_fields import with_known_fields
from pytest_kubelb.lab.api.objects import (
    KubeObject,
    is_deleting,
    merged_conditions,
    with_metadata,
    with_spec,
)
from pytest_kubelb.lab.api.pod_security import why_insecure
from pytest_kubelb.lab.api.quotas import check_quota
from pytest_kubelb.lab.api.resources import DEPLOYMENTS, NAMESPACES, NODES, PODS, SERVICES, Resource
from pytest_kubelb.lab.api.scale import with_scale
from pytest_kubelb.lab.api.service_ips import ServiceIps
from pytest_kubelb.lab.api.shapes import check_shape
from pytest_kubelb.lab.api.status import (
    ApiError,
    UndecodableError,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_kind,
    invalid_patch,
    invalid_value,
)
from pytest_kubelb.lab.api.store import Store
from pytest_kubelb.lab.api.validation import creation_causes, update_causes

_SUFFIX_ALPHABET = (
    "bcdfghjklmnpqrstvwxz2456789"  # of k8s.io/apimachinery/pkg/util/rand: no vowels, no look-alikes
)
_SUFFIX_LENGTH = 5
_LONGEST_BASE = 63 - _SUFFIX_LENGTH
_SERVER_OWNED = (
    "namespace",
    "name",
    "generateName",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def generated_name(base: str) -> str:
    """Append five random characters to `base`, cut to leave room for them, as the real API server does."""
    return base[:_LONGEST_BASE] + "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))


class Registry:
    """The only writer of specs into a store."""

    def __init__(self, store: Store, service_ips: ServiceIps) -> None:
        self.store = store
        self._service_ips = service_ips

    def create(
        self, resource: Resource, namespace: str, body: object, *, dry_run: bool = False
    ) -> KubeObject:
        """Create an object; raises ApiError 400, 403, 404 (namespace), 409 or 422."""
        obj = self._placed(resource, namespace, with_known_fields(resource, check_shape(resource, body)))
        if obj["metadata"].get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        obj = with_metadata(obj, managedFields=None, selfLink=None, deletionGracePeriodSeconds=None)
        obj = self._new(resource, obj)
        name = str(obj["metadata"].get("name", ""))
        self._check_namespace(resource, namespace, name)
        causes = creation_causes(resource, obj)
        if causes:
            raise invalid(resource, name, causes)
        if resource == PODS:
            why = why_insecure(self.store.get(NAMESPACES, "", namespace), obj)
            if why is not None:
                raise forbidden(resource, name, why)
        check_quota(self.store, resource, obj)
        if resource == SERVICES:
            obj = self._service_ips.allocated(obj)
        return self.store.create(resource, obj, dry_run=dry_run)

    def create_by_update(
        self, resource: Resource, namespace: str, name: str, body: object, *, dry_run: bool = False
    ) -> KubeObject:
        """Create the object that a PUT names and that is not there; raises what `create` does, 409 for a uid."""
        obj = self._placed(resource, namespace, with_known_fields(resource, check_shape(resource, body)))
        metadata = obj["metadata"]
        if metadata.get("name") != name:
            given = metadata.get("name", "")
            raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
        if metadata.get("uid"):
            path = f"/registry/{resource.plural}/{namespace}/{name}"
            raise conflict(
                resource,
                name,
                f"StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: ",
            )
        return self.create(resource, namespace, with_metadata(obj, resourceVersion=None), dry_run=dry_run)

    def replace(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: object,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> KubeObject:
        """Replace an object, its status or its scale; raises ApiError 400, 404, 409 or 422."""
        stored = self.store.get(resource, namespace, name)
        if subresource == "scale":
            scaled = with_scale(stored, body if isinstance(body, dict) else {"kind": None})
            return self._replace(resource, stored, scaled, dry_run=dry_run)
        obj = self._placed(resource, namespace, with_known_fields(resource, check_shape(resource, body)))
        if obj["metadata"].get("name") != name:
            given = obj["metadata"].get("name", "")
            raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
        if (
            subresource == "finalize"
            and is_deleting(stored)
            and not (obj.get("spec") or {}).get("finalizers")
        ):
            return self.store.remove(resource, namespace, name)
        if subresource == "status":
            version = obj["metadata"].get("resourceVersion")
            obj = {**with_metadata(stored, resourceVersion=version), "status": obj.get("status") or {}}
            return self.store.update(resource, obj, dry_run=dry_run)
        return self._replace(resource, stored, obj, dry_run=dry_run)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Callable[[KubeObject], object],
        *,
        subresource: str = "",
        view: Callable[[KubeObject], KubeObject] = lambda obj: obj,
        dry_run: bool = False,
    ) -> KubeObject:
        """Replace an object by what `change` makes of `view` of it.

        A version that the patch names must be the current one.
        """
        stored = self.store.get(resource, namespace, name)
        changed = change(view(stored))
        _check_same_uid(resource, stored, changed)
        try:
            return self.replace(resource, namespace, name, changed, subresource=subresource, dry_run=dry_run)
        except UndecodableError as error:
            raise invalid_patch(changed, error) from error

    def read(self, resource: Resource, namespace: str, name: str) -> KubeObject:
        """Give a stored object; raises 404."""
        return self.store.get(resource, namespace, name)

    def update(self, resource: Resource, obj: KubeObject) -> KubeObject:
        """Write a changed copy of a stored object; for the controllers, who change what needs no checking."""
        return self.store.update(resource, obj)

    def bind(self, pod: KubeObject, node: str) -> KubeObject:
        """Give the pod to a node; raises 404, 409 when it has changed since or has a node."""
        if pod["spec"].get("nodeName"):
            raise conflict(
                PODS,
                pod["metadata"]["name"],
                f"pod {pod['metadata']['name']} is already assigned to node {pod['spec']['nodeName']!r}",
            )
        status = pod.get("status", {})
        scheduled = {"type": "PodScheduled", "status": "True"}
        conditions = merged_conditions(status.get("conditions") or (), [scheduled])
        return self.store.update(
            PODS, {**with_spec(pod, nodeName=node), "status": {**status, "conditions": conditions}}
        )

    def finalize(self, namespace: str) -> None:
        """Let a Namespace go that is being deleted and is empty; raises 404."""
        self.store.remove(NAMESPACES, "", namespace)

    def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions
    ) -> tuple[KubeObject, bool]:
        """Delete an object, or begin to; gives the object and whether it is gone already."""
        return delete_object(self.store, resource, self.store.get(resource, namespace, name), options)

    def write_status(self, resource: Resource, obj: KubeObject, status: KubeObject) -> None:
        """Set the status of `obj` whatever its version is by now.

        Nothing when it has been deleted or made anew.
        """
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        stored = self.store.find(resource, namespace, name)
        if stored is not None and stored["metadata"]["uid"] == obj["metadata"]["uid"]:
            self.store.update(resource, {**stored, "status": status})

    def _placed(self, resource: Resource, namespace: str, obj: KubeObject) -> KubeObject:
        if not resource.namespaced:
            return with_metadata(obj, namespace=None)
        if obj["metadata"].get("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        return with_metadata(obj, namespace=namespace)

    def _new(self, resource: Resource, obj: KubeObject) -> KubeObject:
        metadata = obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            namespace, name = metadata.get("namespace", ""), generated_name(metadata["generateName"])
            while self.store.find(resource, namespace, name) is not None:
                name = generated_name(metadata["generateName"])
            obj = with_metadata(obj, name=name)
        if resource == NAMESPACES and metadata.get("name"):
            obj = with_metadata(
                obj,
                labels={**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]},
            )
        obj = with_defaults(resource, obj)
        status = None if resource == NODES else initial_status(resource, obj)
        return obj if status is None else {**obj, "status": status}

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        if not resource.namespaced:
            return
        stored = self.store.get(NAMESPACES, "", namespace)
        if is_deleting(stored):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            error = forbidden(resource, name, why)
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            error.details = {**(error.details or {}), "causes": [cause]}
            raise error

    def _replace(
        self, resource: Resource, stored: KubeObject, obj: KubeObject, *, dry_run: bool
    ) -> KubeObject:
        obj = with_metadata(
            obj, managedFields=None, **{field: stored["metadata"].get(field) for field in _SERVER_OWNED}
        )
        if "status" in resource.subresources or "status" in stored:
            obj = {**obj, "status": stored.get("status", {})}
        if resource == SERVICES:
            obj = _with_kept_address(obj, stored)
        obj = with_defaults(resource, obj)
        if not resource.unconditional_update and obj["metadata"].get("resourceVersion") in (None, "", "0"):
            cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid_kind(resource.plural, resource.group, stored["metadata"]["name"], [cause])
        causes = update_causes(resource, obj, stored)
        if causes:
            raise invalid(resource, stored["metadata"]["name"], causes)
        if resource.has_generation and _counts_as_change(resource, obj, stored):
            obj = with_metadata(obj, generation=stored["metadata"].get("generation", 0) + 1)
        updated = self.store.update(resource, obj, dry_run=dry_run)
        stopping = updated["metadata"].get("deletionGracePeriodSeconds", 0) > 0
        waits = updated["metadata"].get("finalizers") or resource == NAMESPACES or stopping
        if is_deleting(updated) and not waits and not dry_run:
            self.store.remove(resource, updated["metadata"].get("namespace", ""), updated["metadata"]["name"])
        return updated


def _check_same_uid(resource: Resource, stored: KubeObject, changed: object) -> None:
    metadata = changed.get("metadata") if isinstance(changed, dict) else None
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    if uid and uid != stored["metadata"]["uid"]:
        cause = invalid_value("metadata.uid", uid, "field is immutable")
        raise invalid(resource, stored["metadata"]["name"], [cause, cause])


def _with_kept_address(service: KubeObject, stored: KubeObject) -> KubeObject:
    """Give a Service whose address fields agree.

    What was left out is kept, what was changed alone moves the other.
    """
    spec, old = service.get("spec") or {}, stored["spec"]
    address, addresses = (
        spec.get("clusterIP") or old.get("clusterIP"),
        spec.get("clusterIPs") or old.get("clusterIPs"),
    )
    if not address or not addresses:
        return service
    if address != old.get("clusterIP") and addresses == old.get("clusterIPs"):
        addresses = [address]
    elif addresses != old.get("clusterIPs") and address == old.get("clusterIP"):
        address = addresses[0]
    return with_spec(service, clusterIP=address, clusterIPs=addresses)


def _counts_as_change(resource: Resource, new: KubeObject, old: KubeObject) -> bool:
    if resource == DEPLOYMENTS and new["metadata"].get("annotations") != old["metadata"].get("annotations"):
        return True
    return any(
        new.get(field) != old.get(field)
        for field in {*new, *old} - {"metadata", "status", "kind", "apiVersion"}
    )
