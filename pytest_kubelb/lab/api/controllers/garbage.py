"""Garbage collection: dependents go after their owners, or before those that wait for them. Touches the API.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.deletion import FOREGROUND, ORPHAN, DeleteOptions
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import Key, KubeObject, is_deleting, key_of, owner_uids, with_metadata
from pytest_kubelb.lab.api.resources import EVENTS, RESOURCES, Resource

_WAITS = frozenset({FOREGROUND, ORPHAN})
_COLLECTED = tuple(resource for resource in RESOURCES if resource != EVENTS)


class GarbageCollector:
    """Follows ownerReferences."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._store = api.store
        self._gone: set[str] = set()
        self._dependents: dict[tuple[Resource, Key], None] = {}
        self._waiting: dict[tuple[Resource, Key], None] = {}

    def observe(self, change: Change) -> None:
        """Note an owner that is gone, a new object with owners, or an owner that waits for its dependents."""
        place = (change.resource, key_of(change.object))
        if change.resource not in _COLLECTED:
            return
        if change.kind == "DELETED":
            self._gone.add(change.object["metadata"]["uid"])
            self._waiting.pop(place, None)
            return
        if change.kind == "ADDED" and owner_uids(change.object):
            self._dependents[place] = None
        if is_deleting(change.object) and not _WAITS.isdisjoint(
            change.object["metadata"].get("finalizers") or ()
        ):
            self._waiting[place] = None

    def reconcile(self) -> bool:
        """Delete what has lost its owners; let go of owners whose dependents are gone."""
        busy = bool(self._gone or self._dependents)
        gone, self._gone = self._gone, set()
        added, self._dependents = self._dependents, {}
        candidates = dict(added)
        if gone:
            candidates |= {(resource, key_of(obj)): None for resource, obj in self._with_owner(gone)}
        for resource, key in candidates:
            dependent = self._store.find(resource, *key)
            if dependent is not None and not any(self._store.by_uid(uid) for uid in owner_uids(dependent)):
                self._delete(resource, dependent, "Background")
        for resource, key in list(self._waiting):
            busy = self._advance(resource, key) or busy
        return busy

    def _advance(self, resource: Resource, key: Key) -> bool:
        owner = self._store.find(resource, *key)
        if owner is None:
            del self._waiting[resource, key]
            return True
        dependents = self._with_owner({owner["metadata"]["uid"]})
        if ORPHAN in (owner["metadata"].get("finalizers") or ()):
            for kind, dependent in dependents:
                self._let_go(kind, dependent, owner)
            dependents = []
        fresh = [(kind, obj) for kind, obj in dependents if not is_deleting(obj)]
        for kind, dependent in fresh:
            has_own = self._with_owner({dependent["metadata"]["uid"]})
            self._delete(kind, dependent, "Foreground" if has_own else "Background")
        if not dependents:
            del self._waiting[resource, key]
            self._release(resource, owner)
        return bool(fresh) or not dependents

    def _let_go(self, resource: Resource, dependent: KubeObject, owner: KubeObject) -> None:
        def orphaned(obj: KubeObject) -> KubeObject:
            references = obj["metadata"].get("ownerReferences") or ()
            kept = [each for each in references if each["uid"] != owner["metadata"]["uid"]]
            return with_metadata(obj, ownerReferences=kept or None)

        self._api.patch(resource, *key_of(dependent), orphaned)

    def _release(self, resource: Resource, owner: KubeObject) -> None:
        def released(obj: KubeObject) -> KubeObject:
            kept = [each for each in obj["metadata"].get("finalizers") or () if each not in _WAITS]
            return with_metadata(obj, finalizers=kept or None)

        self._api.patch(resource, *key_of(owner), released)

    def _delete(self, resource: Resource, obj: KubeObject, propagation: str) -> None:
        if not is_deleting(obj):
            self._api.delete(resource, *key_of(obj), DeleteOptions(propagation=propagation))

    def _with_owner(self, uids: set[str]) -> list[tuple[Resource, KubeObject]]:
        return [
            (resource, obj)
            for resource in _COLLECTED
            for obj in self._store.all(resource)
            if not uids.isdisjoint(owner_uids(obj))
        ]
