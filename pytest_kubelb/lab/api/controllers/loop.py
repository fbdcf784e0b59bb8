"""When the controllers run: at the end of the loop's tick in which something changed.

Touches the event loop it is given.

Controllers take note of changes and do their work later, all in one go, so that forty pods are one batch.
Nothing polls. What the API refuses, or cannot do at the moment, is tried again by letting the controller see
every object anew, as a real one does.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from pytest_kubelb.lab.api.object_table import Change, ObjectTable
from pytest_kubelb.lab.api.resources import RESOURCES
from pytest_kubelb.lab.api.status import ApiError

# A deployment settles in about six rounds. More than this in one tick and requests get their turn in between.
_ROUNDS_PER_TICK = 20
_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 5.0

_log = logging.getLogger(__name__)


class Controller(Protocol):
    """Something that makes the cluster follow what is written."""

    def observe(self, change: Change) -> None:
        """Take note of a change; must not write."""

    def reconcile(self) -> bool:
        """Do what the noted changes ask for; gives whether there was anything to do.

        What is noted may be forgotten when it raises ApiError: everything is observed again then.
        """


class ControllerLoop:
    """Runs controllers until nothing is left to do, whenever something changed."""

    def __init__(self, store: ObjectTable, controllers: Sequence[Controller]) -> None:
        self._store = store
        self._controllers = controllers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled: asyncio.Handle | None = None
        self._retries: dict[Controller, asyncio.TimerHandle] = {}
        self._delays_s: dict[Controller, float] = {}
        self._unsubscribe = store.subscribe(self._observe)

    def start(self) -> None:
        """Begin to run in the current event loop; changes noted before count."""
        self._loop = asyncio.get_running_loop()
        self.wake()

    def stop(self) -> None:
        """Run no more."""
        self._unsubscribe()
        self._loop = None
        for handle in (self._scheduled, *self._retries.values()):
            if handle is not None:
                handle.cancel()

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
                busy = [self._reconcile(controller) for controller in self._controllers]
                if not any(busy):
                    return
        finally:
            self._scheduled = None
        self.wake()

    def _reconcile(self, controller: Controller) -> bool:
        if controller in self._retries:
            return False
        try:
            busy = controller.reconcile()
        except ApiError as error:
            self._try_later(controller, error)
            return False
        self._delays_s.pop(controller, None)
        return busy

    def _try_later(self, controller: Controller, error: ApiError) -> None:
        delay_s = self._delays_s.get(controller, _FIRST_RETRY_S)
        self._delays_s[controller] = min(delay_s * 2, _LONGEST_RETRY_S)
        if error.code not in (404, 409):  # of these two the table is told in a moment
            _log.warning(
                "%s meets %s: %s; again in %.2f s", type(controller).__name__, error.code, error, delay_s
            )
        if self._loop is not None:
            self._retries[controller] = self._loop.call_later(delay_s, self._again, controller)

    def _again(self, controller: Controller) -> None:
        del self._retries[controller]
        for resource in RESOURCES:
            for obj in self._store.all(resource):
                version = int(obj["metadata"]["resourceVersion"])
                controller.observe(Change("ADDED", resource, version, obj, None))
        self.wake()
