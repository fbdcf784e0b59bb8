"""The objects of the cluster in memory, with one resourceVersion and a bounded history for watches.

Touches nothing.

It knows nothing of kinds: what is allowed, defaulted or allocated is decided before (see `registry`).
"""

import uuid
from collections import deque

from pytest_kubelb.lab.api.object_table import Change, ChangeKind, ObjectTable
from pytest_kubelb.lab.api.objects import KubeObject, key_of, timestamp, with_metadata
from pytest_kubelb.lab.api.resources import RESOURCES, Resource
from pytest_kubelb.lab.api.status import already_exists, conflict, expired

# A real server's watch cache does not reach back to version 1 either, so that a watch from there expires here
# too.
_FIRST_VERSION = 1000


class Store(ObjectTable):
    """The objects of a cluster whose API is served from here: written to, each write with a version of its own."""

    def __init__(self, *, history: int = 256) -> None:
        """`history` is how many changes per resource a watch can go back."""
        super().__init__()
        self.version = _FIRST_VERSION
        self._history: dict[Resource, deque[Change]] = {
            resource: deque(maxlen=history) for resource in RESOURCES
        }
        self._forgotten: dict[Resource, int] = dict.fromkeys(RESOURCES, _FIRST_VERSION)

    def create(self, resource: Resource, obj: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Put a new object in, with uid, creation time and version; raises 409 AlreadyExists."""
        key = key_of(obj)
        if key in self._objects[resource]:
            raise already_exists(resource, key[1])
        created = with_metadata(
            {"kind": resource.kind, "apiVersion": resource.api_version, **obj},
            uid=str(uuid.uuid4()),
            creationTimestamp=timestamp(),
            generation=1 if resource.has_generation else None,
            deletionTimestamp=None,
        )
        if dry_run:
            return created
        created = self._versioned(created)
        self._put(resource, created)
        self._keep("ADDED", resource, created, None)
        return created

    def update(self, resource: Resource, obj: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Replace an object by a changed one; the same object again is not a write and keeps its version.

        Raises:
            ApiError: 404 when it is gone, 409 Conflict when `obj` carries another resourceVersion or uid than
            the stored one.

        """
        key = key_of(obj)
        stored = self.get(resource, *key)
        self._check_current(resource, stored, obj)
        replacement = with_metadata(
            {"kind": resource.kind, "apiVersion": resource.api_version, **obj},
            **{
                name: stored["metadata"].get(name) for name in ("uid", "creationTimestamp", "resourceVersion")
            },
        )
        if replacement == stored or dry_run:
            return replacement if dry_run else stored
        replacement = self._versioned(replacement)
        self._put(resource, replacement)
        self._keep("MODIFIED", resource, replacement, stored)
        return replacement

    def remove(self, resource: Resource, namespace: str, name: str) -> KubeObject:
        """Take an object out at once, whatever owns or finalizes it; raises 404."""
        stored = self.get(resource, namespace, name)
        self._take(resource, stored)
        removed = self._versioned(stored)
        self._keep("DELETED", resource, removed, stored)
        return removed

    def changes_since(self, resource: Resource, version: int) -> list[Change]:
        """Give the changes of a resource after `version`, oldest first.

        Raises 410 Expired when they are no longer all known.
        """
        if version < self._forgotten[resource]:
            raise expired(f"too old resource version: {version} ({self._forgotten[resource]})")
        return [change for change in self._history[resource] if change.version > version]

    def compact(self) -> None:
        """Forget the history: every watch from an earlier version expires, as after a compaction of etcd."""
        for resource in RESOURCES:
            self._history[resource].clear()
            self._forgotten[resource] = self.version

    def _check_current(self, resource: Resource, stored: KubeObject, obj: KubeObject) -> None:
        expected, actual = obj["metadata"], stored["metadata"]
        if expected.get("uid") not in (None, "", actual["uid"]):
            given, held = expected["uid"], actual["uid"]
            why = f"Precondition failed: UID in precondition: {given}, UID in object meta: {held}"
            raise conflict(resource, actual["name"], why)
        if expected.get("resourceVersion") not in (None, "", "0", actual["resourceVersion"]):
            raise conflict(resource, actual["name"])

    def _versioned(self, obj: KubeObject) -> KubeObject:
        self.version += 1
        return with_metadata(obj, resourceVersion=str(self.version))

    def _keep(
        self, kind: ChangeKind, resource: Resource, obj: KubeObject, previous: KubeObject | None
    ) -> None:
        change = Change(kind, resource, self.version, obj, previous)
        history = self._history[resource]
        if len(history) == history.maxlen:
            self._forgotten[resource] = history[0].version
        history.append(change)
        self._tell(change)
