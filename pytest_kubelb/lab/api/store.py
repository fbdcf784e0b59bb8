"""The objects of the cluster in memory, with one resourceVersion and a bounded history for watches.

Touches nothing.

It knows nothing of kinds: what is allowed, defaulted or allocated is decided before (see `registry`). All of
it runs in one thread; subscribers are called inside the write that they are told of, and must only take note
of it.
"""

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pytest_kubelb.lab.api.objects import Key, KubeObject, key_of, timestamp, with_metadata
from pytest_kubelb.lab.api.resources import RESOURCES, Resource
from pytest_kubelb.lab.api.status import already_exists, conflict, expired, not_found

ChangeKind = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True)
class Change:
    """One write, as the history keeps it and watches tell it."""

    kind: ChangeKind
    resource: Resource
    version: int
    object: KubeObject
    """The object after the write; for DELETED the last one there was, with the version of its deletion."""
    previous: KubeObject | None

    @cached_property
    def encoded(self) -> str:
        """The object as JSON, encoded once for all watches."""
        return json.dumps(self.object, separators=(",", ":"))


Subscriber = Callable[[Change], None]

# A real server's watch cache does not reach back to version 1 either, so that a watch from there expires here
# too.
_FIRST_VERSION = 1000


class Store:
    """Objects by resource, namespace and name. Objects handed out are shared: change copies."""

    def __init__(self, *, history: int = 1024) -> None:
        """`history` is how many changes per resource a watch can go back."""
        self.version = _FIRST_VERSION
        self._objects: dict[Resource, dict[Key, KubeObject]] = {resource: {} for resource in RESOURCES}
        self._history: dict[Resource, deque[Change]] = {
            resource: deque(maxlen=history) for resource in RESOURCES
        }
        self._forgotten: dict[Resource, int] = dict.fromkeys(RESOURCES, _FIRST_VERSION)
        self._uids: dict[str, tuple[Resource, Key]] = {}
        self._subscribers: list[tuple[Subscriber, frozenset[Resource] | None]] = []

    def find(self, resource: Resource, namespace: str, name: str) -> KubeObject | None:
        """Give the object, or None."""
        return self._objects[resource].get((namespace, name))

    def get(self, resource: Resource, namespace: str, name: str) -> KubeObject:
        """Give the object; raises 404 NotFound."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def by_uid(self, uid: str) -> tuple[Resource, KubeObject] | None:
        """Give the object of this uid and its resource, or None."""
        place = self._uids.get(uid)
        return None if place is None else (place[0], self._objects[place[0]][place[1]])

    def all(self, resource: Resource, namespace: str = "") -> list[KubeObject]:
        """All objects of a resource, in one namespace or (empty string) in all, by namespace and name."""
        items = sorted(self._objects[resource].items())
        return [obj for key, obj in items if not namespace or key[0] == namespace]

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
        self._objects[resource][key] = created
        self._uids[created["metadata"]["uid"]] = (resource, key)
        self._tell("ADDED", resource, created, None)
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
        self._objects[resource][key] = replacement
        self._tell("MODIFIED", resource, replacement, stored)
        return replacement

    def remove(self, resource: Resource, namespace: str, name: str) -> KubeObject:
        """Take an object out at once, whatever owns or finalizes it; raises 404."""
        stored = self.get(resource, namespace, name)
        del self._objects[resource][namespace, name]
        del self._uids[stored["metadata"]["uid"]]
        removed = self._versioned(stored)
        self._tell("DELETED", resource, removed, stored)
        return removed

    def subscribe(
        self, subscriber: Subscriber, resources: Iterable[Resource] | None = None
    ) -> Callable[[], None]:
        """Call `subscriber` for every change (of `resources`); gives back what ends it.

        No change is told twice or out of order.
        """
        entry = (subscriber, None if resources is None else frozenset(resources))
        self._subscribers.append(entry)
        return lambda: self._subscribers.remove(entry)

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

    def _tell(
        self, kind: ChangeKind, resource: Resource, obj: KubeObject, previous: KubeObject | None
    ) -> None:
        change = Change(kind, resource, self.version, obj, previous)
        history = self._history[resource]
        if len(history) == history.maxlen:
            self._forgotten[resource] = history[0].version
        history.append(change)
        for subscriber, resources in tuple(self._subscribers):
            if resources is None or resource in resources:
                subscriber(change)
