"""A table that follows another API server: by lists, by watches, and by the answers to our own writes.

Touches nothing.

What arrives twice, or late, is told once: a watch brings every write that the answer to it has brought already.
Versions are compared as numbers, which API servers promise since v1.35 (KEP-5504) and etcd's revisions always were.
"""

from collections.abc import Iterable

from pytest_kubelb.lab.api.object_table import Change, ObjectTable
from pytest_kubelb.lab.api.objects import KubeObject, key_of, uid_of, with_metadata
from pytest_kubelb.lab.api.resources import Resource


class Mirror(ObjectTable):
    """The objects of another API server, as far as they are listed and watched."""

    def __init__(self) -> None:
        super().__init__()
        self._gone: dict[str, Resource] = {}

    def seen(self, resource: Resource, obj: KubeObject) -> KubeObject:
        """Take an object as the server gave it, unless something newer is known; give what is known then."""
        obj = with_metadata(
            {**obj, "kind": resource.kind, "apiVersion": resource.api_version}, managedFields=None
        )
        stored = self.find(resource, *key_of(obj))
        if uid_of(obj) in self._gone or (stored is not None and _version(stored) >= _version(obj)):
            return stored or obj
        if stored is not None and uid_of(stored) != uid_of(obj):  # deleted and made anew meanwhile
            self._remove(resource, stored, _version(obj))
            stored = None
        self._put(resource, obj)
        self._tell(Change("ADDED" if stored is None else "MODIFIED", resource, _version(obj), obj, stored))
        return obj

    def assumed(self, resource: Resource, obj: KubeObject) -> KubeObject:
        """Take a changed copy of an object of the table for what the server has made of it.

        Its version is still the one from before; the watch brings the object itself.
        """
        stored = self.get(resource, *key_of(obj))
        self._put(resource, obj)
        self._tell(Change("MODIFIED", resource, _version(obj), obj, stored))
        return obj

    def deleted(self, resource: Resource, obj: KubeObject) -> None:
        """Take an object out because we deleted it; what a watch still tells of it is from before."""
        stored = self.find(resource, *key_of(obj))
        self._gone[uid_of(obj)] = resource
        if stored is not None and uid_of(stored) == uid_of(obj):
            self._remove(resource, stored, _version(stored))

    def seen_deleted(self, resource: Resource, obj: KubeObject) -> None:
        """Take an object out because a watch says that it is gone."""
        stored = self.find(resource, *key_of(obj))
        if stored is not None and uid_of(stored) == uid_of(obj):
            self._remove(resource, stored, _version(obj))
        self._gone.pop(uid_of(obj), None)

    def listed(self, resource: Resource, objects: Iterable[KubeObject], version: int) -> None:
        """Take the whole list of a resource as it was at `version`: what it does not name is gone."""
        uids = set()
        for obj in objects:
            uids.add(uid_of(obj))
            self.seen(resource, obj)
        for stored in self.all(resource):
            if uid_of(stored) not in uids and _version(stored) <= version:
                self._remove(resource, stored, version)
        for uid, kind in list(self._gone.items()):
            if kind is resource and uid not in uids:
                del self._gone[uid]

    def _remove(self, resource: Resource, stored: KubeObject, version: int) -> None:
        self._take(resource, stored)
        self._tell(
            Change("DELETED", resource, version, with_metadata(stored, resourceVersion=str(version)), stored)
        )


def _version(obj: KubeObject) -> int:
    return int(obj["metadata"]["resourceVersion"])
