"""Events: what the controllers tell about objects, one object per message with a count. Touches the store.

Bounded: the oldest Events go when there are too many, as a real cluster forgets them after an hour.
"""

from collections import OrderedDict
from typing import Protocol

from pytest_kubelb.lab.api.objects import Key, KubeObject, is_deleting, object_reference, timestamp
from pytest_kubelb.lab.api.resources import EVENTS, NAMESPACES
from pytest_kubelb.lab.api.store import Store

_MOST_EVENTS = 1000


class Recorder(Protocol):
    """What the controllers tell their Events to."""

    def normal(self, component: str, about: KubeObject, reason: str, message: str) -> None:
        """Tell of something that went as it should."""

    def warning(self, component: str, about: KubeObject, reason: str, message: str) -> None:
        """Tell of something that did not."""


class EventRecorder:
    """Writes Events into the store of this process."""

    def __init__(self, store: Store, *, most: int = _MOST_EVENTS) -> None:
        self._store = store
        self._most = most
        self._written: OrderedDict[tuple[str, str, str], Key] = OrderedDict()

    def normal(self, component: str, about: KubeObject, reason: str, message: str) -> None:
        """Tell of something that went as it should."""
        self._record(component, about, "Normal", reason, message)

    def warning(self, component: str, about: KubeObject, reason: str, message: str) -> None:
        """Tell of something that did not."""
        self._record(component, about, "Warning", reason, message)

    def _record(self, component: str, about: KubeObject, kind: str, reason: str, message: str) -> None:
        namespace = about["metadata"].get("namespace") or "default"
        home = self._store.find(NAMESPACES, "", namespace)
        if home is None or is_deleting(home):
            return
        same = (about["metadata"]["uid"], reason, message)
        before = self._written.get(same)
        stored = None if before is None else self._store.find(EVENTS, *before)
        if stored is not None:
            self._written.move_to_end(same)
            self._store.update(EVENTS, {**stored, "count": stored["count"] + 1, "lastTimestamp": timestamp()})
            return
        name = (
            f"{about['metadata']['name']}.{self._store.version:016x}"  # unique: no two writes share a version
        )
        self._store.create(EVENTS, event_body(namespace, name, component, about, kind, reason, message))
        self._written[same] = (namespace, name)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        while len(self._written) > self._most:
            _, key = self._written.popitem(last=False)
            if self._store.find(EVENTS, *key) is not None:
                self._store.remove(EVENTS, *key)


def event_body(
    namespace: str, name: str, component: str, about: KubeObject, kind: str, reason: str, message: str
) -> KubeObject:
    """Give the Event to be created: that `component` says `message` about an object, for the first time."""
    now = timestamp()
    metadata = about["metadata"]
    involved = {
        **object_reference(about),
        "apiVersion": about["apiVersion"],
        "resourceVersion": metadata["resourceVersion"],
    }
    return {
        "metadata": {"namespace": namespace, "name": name},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": kind,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "eventTime": None,
        "count": 1,
    }
