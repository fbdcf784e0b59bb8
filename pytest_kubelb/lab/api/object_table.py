"""The objects of the cluster in memory: reading them, and being told of changes. Touches nothing.

What the controllers read. A `Store` is one that is written to, a `Mirror` one that follows another API server.
All of it runs in one thread; subscribers are called inside the change that they are told of, and must only take
note of it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pytest_kubelb.lab.api.objects import Key, KubeObject, key_of, uid_of
from pytest_kubelb.lab.api.resources import RESOURCES, Resource
from pytest_kubelb.lab.api.status import not_found

ChangeKind = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True)
class Change:
    """One write, as subscribers and the history of a store see it."""

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


class ObjectTable:
    """Objects by resource, namespace and name. Objects handed out are shared: change copies."""

    def __init__(self) -> None:
        self._objects: dict[Resource, dict[Key, KubeObject]] = {resource: {} for resource in RESOURCES}
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

    def subscribe(
        self, subscriber: Subscriber, resources: Iterable[Resource] | None = None
    ) -> Callable[[], None]:
        """Call `subscriber` for every change (of `resources`); gives back what ends it.

        No change is told twice or out of order.
        """
        entry = (subscriber, None if resources is None else frozenset(resources))
        self._subscribers.append(entry)
        return lambda: self._subscribers.remove(entry)

    def _put(self, resource: Resource, obj: KubeObject) -> None:
        self._objects[resource][key_of(obj)] = obj
        self._uids[uid_of(obj)] = (resource, key_of(obj))

    def _take(self, resource: Resource, obj: KubeObject) -> None:
        del self._objects[resource][key_of(obj)]
        del self._uids[uid_of(obj)]

    def _tell(self, change: Change) -> None:
        for subscriber, resources in tuple(self._subscribers):
            if resources is None or change.resource in resources:
                subscriber(change)
