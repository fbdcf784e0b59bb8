"""In-process listeners for the lab's data plane: snapshots after a change, once per tick of the loop.

Touches the event loop.
"""

import asyncio
from collections.abc import Callable

from pytest_kubelb.lab.api.object_table import Change, ObjectTable
from pytest_kubelb.lab.api.objects import KubeObject, key_of
from pytest_kubelb.lab.api.resources import Resource


class Debounced:
    """Calls `call` once in the tick after any number of matching changes.

    Made in the loop's thread, from within the loop or before it.
    """

    def __init__(
        self,
        store: ObjectTable,
        resources: tuple[Resource, ...],
        wanted: Callable[[Change], bool],
        call: Callable[[], None],
    ) -> None:
        self._wanted = wanted
        self._call = call
        self._handle: asyncio.Handle | None = None
        self._unsubscribe = store.subscribe(self._note, resources)

    def end(self) -> None:
        """Call no more."""
        self._unsubscribe()
        if self._handle is not None:
            self._handle.cancel()

    def _note(self, change: Change) -> None:
        if self._handle is None and self._wanted(change):
            self._handle = asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._handle = None
        self._call()


def is_object(namespace: str, name: str) -> Callable[[Change], bool]:
    """Whether a change is one of this object, and of more than its status."""

    def wanted(change: Change) -> bool:
        if key_of(change.object) != (namespace, name):
            return False
        return (
            change.previous is None
            or change.kind == "DELETED"
            or _content(change.object) != _content(change.previous)
        )

    return wanted


def _content(obj: KubeObject) -> KubeObject:
    return {field: value for field, value in obj.items() if field not in ("metadata", "status")}
