"""Writing to another API server, each answer put into the mirror. Touches that server.

Only what differs is written, as a merge patch: fields that we do not know stay as they are, and an object that
is as it should be costs no request.
"""

from collections.abc import Callable

from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.objects import (
    KubeObject,
    is_deleting,
    key_of,
    merged_conditions,
    uid_of,
    with_metadata,
    with_spec,
)
from pytest_kubelb.lab.api.remote.connection import MERGE_PATCH, Connection, path_of
from pytest_kubelb.lab.api.remote.differences import difference
from pytest_kubelb.lab.api.remote.mirror import Mirror
from pytest_kubelb.lab.api.resources import EVENTS, NAMESPACES, PODS, Resource
from pytest_kubelb.lab.api.status import ApiError, conflict

_TRIES = 5


class RemoteApi:
    """A `ClusterApi` whose server is elsewhere."""

    def __init__(self, mirror: Mirror, connection: Connection) -> None:
        self._mirror = mirror
        self._connection = connection

    @property
    def store(self) -> Mirror:
        """The objects there are, as far as we were told."""
        return self._mirror

    def read(self, resource: Resource, namespace: str, name: str) -> KubeObject:
        """Give an object as it is now; watches of other resources may be ahead of what the mirror has of this one."""
        return self._mirror.seen(resource, self._connection.send("GET", path_of(resource, namespace, name)))

    def create(self, resource: Resource, namespace: str, body: KubeObject) -> KubeObject:
        """Create an object; its name is the server's where the body has a `generateName`."""
        full = {"kind": resource.kind, "apiVersion": resource.api_version, **body}
        return self._mirror.seen(resource, self._connection.send("POST", path_of(resource, namespace), full))

    def replace(self, resource: Resource, namespace: str, name: str, body: KubeObject) -> KubeObject:
        """Replace all of an object but its status."""
        full = {"kind": resource.kind, "apiVersion": resource.api_version, **body}
        answer = self._connection.send("PUT", path_of(resource, namespace, name), full)
        return self._mirror.seen(resource, answer)

    def patch(
        self, resource: Resource, namespace: str, name: str, change: Callable[[KubeObject], KubeObject]
    ) -> KubeObject:
        """Replace an object by what `change` makes of it; read anew when it has changed meanwhile."""
        found = self._mirror.get(resource, namespace, name)
        for _ in range(_TRIES - 1):
            try:
                return self.update(resource, change(found))
            except ApiError as error:
                if error.code != 409:
                    raise
            found = self.read(resource, namespace, name)
        return self.update(resource, change(found))

    def update(self, resource: Resource, obj: KubeObject) -> KubeObject:
        """Write a changed copy of an object of the mirror, its status left out."""
        place = key_of(obj)
        stored = self._mirror.get(resource, *place)
        version = obj["metadata"].get("resourceVersion")
        if version != stored["metadata"]["resourceVersion"] or uid_of(obj) != uid_of(stored):
            raise conflict(resource, place[1])
        changes = difference(_without_status(stored), _without_status(obj))
        if not changes:
            return stored
        changes["metadata"] = {**changes.get("metadata", {}), "resourceVersion": version}
        return self._patch(resource, stored, "", changes)

    def write_status(self, resource: Resource, obj: KubeObject, status: KubeObject) -> None:
        """Set the status of `obj` whatever its version is by now; nothing when it is gone or made anew."""
        stored = self._mirror.find(resource, *key_of(obj))
        if stored is None or uid_of(stored) != uid_of(obj):
            return
        changes = difference(stored.get("status") or {}, status)
        if not changes:
            return
        try:
            self._patch(resource, stored, "status", {"metadata": {"uid": uid_of(obj)}, "status": changes})
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def bind(self, pod: KubeObject, node: str) -> KubeObject:
        """Give the pod to a node."""
        namespace, name = key_of(pod)
        binding = {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": {"name": name, "uid": uid_of(pod)},
            "target": {"kind": "Node", "apiVersion": "v1", "name": node},
        }
        self._connection.send("POST", path_of(PODS, namespace, name, "binding"), binding)
        status = pod.get("status", {})
        conditions = merged_conditions(
            status.get("conditions") or (), [{"type": "PodScheduled", "status": "True"}]
        )
        bound = {**with_spec(pod, nodeName=node), "status": {**status, "conditions": conditions}}
        return self._mirror.assumed(PODS, bound)

    def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions
    ) -> tuple[KubeObject, bool]:
        """Delete an object, or begin to; one that is gone already counts as deleted."""
        stored = self._mirror.get(resource, namespace, name)
        body: KubeObject = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": options.propagation,
            "preconditions": {"uid": options.uid or uid_of(stored)},
        }
        if options.grace_s is not None:
            body["gracePeriodSeconds"] = options.grace_s
        try:
            answer = self._connection.send("DELETE", path_of(resource, namespace, name), body)
        except ApiError as error:
            if error.code != 404:
                raise
            answer = {"kind": "Status"}
        if answer.get("kind") != "Status" and _lingers(resource, answer):
            return self._mirror.seen(resource, answer), False
        self._mirror.deleted(resource, stored)
        return stored, True

    def finalize(self, namespace: str) -> None:
        """Let a Namespace go that is being deleted and is empty but for its Events, which are not mirrored."""
        stored = self._mirror.get(NAMESPACES, "", namespace)
        self._connection.send("DELETE", path_of(EVENTS, namespace))
        self._connection.send(
            "PUT", path_of(NAMESPACES, "", namespace, "finalize"), with_spec(stored, finalizers=[])
        )
        self._mirror.deleted(NAMESPACES, stored)

    def _patch(
        self, resource: Resource, stored: KubeObject, subresource: str, changes: KubeObject
    ) -> KubeObject:
        path = path_of(resource, *key_of(stored), subresource)
        answer = self._connection.send("PATCH", path, changes, MERGE_PATCH)
        if is_deleting(answer) and not _lingers(resource, answer):  # it has lost its last finalizer
            self._mirror.deleted(resource, stored)
            return answer
        return self._mirror.seen(resource, answer)


def _without_status(obj: KubeObject) -> KubeObject:
    bare = {field: value for field, value in obj.items() if field != "status"}
    return with_metadata(bare, resourceVersion=None)


def _lingers(resource: Resource, obj: KubeObject) -> bool:
    """Whether an object that is being deleted is still there after the write that gave it."""
    metadata = obj["metadata"]
    waits = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds", 0) > 0
    return bool(waits) or resource is NAMESPACES
