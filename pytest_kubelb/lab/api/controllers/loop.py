"""When the controllers run: at the end of the loop's tick in which something changed.

Touches the event loop it is given.

Controllers take note of changes and do their work later, all in one go, so that forty pods are one batch.
Nothing polls.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pytest_kubelb.lab.api.store import Change, Store

# A deployment settles in about six rounds. More than this in one tick and requests get their turn in between.
_ROUNDS_PER_TICK = 20


class Controller(Protocol):
    """Something that makes the cluster follow what is written."""

    def observe(self, change: Change) -> None:
        """Take note of a change; must not write."""

    def reconcile(self) -> bool:
        """Do what the noted changes ask for; gives whether there was anything to do."""


class ControllerLoop:
    """Runs controllers until nothing is left to do, whenever something changed."""

    def __init__(self, store: Store, controllers: Sequence[Controller]) -> None:
        self._store = store
        self._controllers = controllers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled: asyncio.Handle | None = None
        self._unsubscribe = store.subscribe(self._observe)

    def start(self) -> None:
        """Begin to run in the current event loop; changes noted before count."""
        self._loop = asyncio.get_running_loop()
        self.wake()

    def stop(self) -> None:
        """Run no more."""
        self._unsubscribe()
        self._loop = None
        if self._scheduled is not None:
            self._scheduled.cancel()

    def wake(self) -> None:
        """Run at the end of this tick: something changed that is not in the store."""
        if self._loop is not None and self._scheduled is None:
            self._scheduled = self._loop.call_soon(self._run)

    def _observe(self, change: Change) -> None:
        for controller in self._controllers:
            controller.observe(change)
        self.wake()

    def _run(self) -> None:
        try:
            for _ in range(_ROUNDS_PER_TICK):
                busy = [controller.reconcile() for controller in self._controllers]
                if not any(busy):
                    return
        finally:
            self._scheduled = None
        self.wake()
