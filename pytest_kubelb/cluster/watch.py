"""Watch several kinds of Kubernetes objects at once and wait for a state they reach. Touches the API.

One thread per kind lists and then follows; the waiting thread judges the latest state after every change.
Nothing is polled. An expired watch (410) is listed again; that and every lost connection is reported. A watch that
only gets lost, for as long as the client tries any request, fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pytest_kubelb.cluster.refusal import ApiError, as_described, refused, unreachable
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.cluster.resources import Json, Target

_WATCH_S = 300
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_END_S = 2.0
_GONE = 410
_PIECE = 1 << 16  # bytes: a piece is given on as soon as it is there, whole or not
LARGEST_EVENT = 8 << 20
"""Bytes: etcd takes no object of more than 1.5 MiB."""
_T = TypeVar("_T")

State = tuple["Mapping[str, Json] | None", ...]
"""Per watched target its objects by name, None until they are known."""


class Watcher:
    """A context manager that keeps the state of `targets` up to date in threads of its own."""

    def __init__(self, api: Api, targets: Sequence[Target]) -> None:
        self._changed = threading.Condition()
        self._followers = [_Follower(api, target, self._changed) for target in targets]

    def __enter__(self) -> Self:
        for follower in self._followers:
            follower.start()
        return self

    def __exit__(self, *_: object) -> None:
        for follower in self._followers:
            follower.stop()
        for follower in self._followers:
            follower.join(_END_S)  # one that waits for an API server which hangs ends by its own time-out

    def wait_for(self, judge: Callable[[State], _T | None], timeout_s: float) -> _T:
        """Return what `judge` makes of the first state that it does not answer with None.

        Raises TimeoutError after `timeout_s`, TestbedError when a watch cannot go on, what `judge` raises.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for follower in self._followers:
                    if follower.failure is not None:
                        raise follower.failure
                with as_described("what is watched"):
                    verdict = judge(tuple(follower.objects for follower in self._followers))
                if verdict is not None:
                    return verdict
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0:
                    raise TimeoutError
                self._changed.wait(remaining_s)


class _Follower(threading.Thread):
    def __init__(self, api: Api, target: Target, changed: threading.Condition) -> None:
        super().__init__(name=f"kubelb-watch-{target.resource.plural}", daemon=True)
        self.objects: dict[str, Json] | None = None
        self.failure: TestbedError | None = None
        self._api = api
        self._target = target
        self._changed = changed
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._response: Any = None
        self._pause_s = _PAUSE_S
        self._lost_at_s: float | None = None
        """When the watch was lost, if nothing has come of it since."""

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                version = self._list()
                with contextlib.suppress(_ExpiredError):
                    while not self._stopped.is_set():
                        version = self._follow(version)
        except TestbedError as error:
            with self._changed:
                self.failure = error
                self._changed.notify_all()

    def stop(self) -> None:
        self._stopped.set()
        self.cut()

    def cut(self) -> None:
        with self._lock:
            if self._response is not None:
                # A blocked TLS read can only be ended from below: shut the connection by a second descriptor. It is the
                # response's: with `Connection: close` the connection object has let go of its socket by now.
                with (
                    contextlib.suppress(OSError, ValueError, AttributeError),  # it has ended by itself
                    socket.socket(fileno=os.dup(self._response.fileno())) as twin,
                ):
                    twin.shutdown(socket.SHUT_RDWR)

    def _list(self) -> str:
        listing = self._api.list(self._target)
        with self._changed, as_described(f"the list of {self._target}"):
            self.objects = {item["metadata"]["name"]: item for item in listing["items"]}
            self._changed.notify_all()
            return str(listing["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        """Follow until the server ends the watch; the version to go on from."""
        from urllib3.exceptions import HTTPError

        try:
            with self._watching(version) as lines:
                for line in lines:
                    event = json_fields.decode(line)
                    with as_described(f"an event of {self._target}"):
                        version = self._apply(event, version)
        except (HTTPError, ValueError) as error:
            self._require_patience(error)
            self._report(f"was cut ({type(error).__name__}); following on")
        except ApiError as error:
            if error.status not in (0, 429) and error.status < 500 and error.status != _GONE:
                raise
            self._report(f"ended with status {error.status}; listing again")
            raise _ExpiredError from error
        else:
            self._lost_at_s, self._pause_s = None, _PAUSE_S
        return version

    @contextlib.contextmanager
    def _watching(self, version: str) -> Iterator[Iterator[bytes]]:
        response = self._api.open_watch(self._target, version, _WATCH_S)
        with self._lock:
            self._response = response
        try:
            # Set before this thread published its response? Then nobody else will end the read.
            yield iter(()) if self._stopped.is_set() else _lines(response)
        finally:
            with self._lock:
                self._response = None
            response.close()
            response.release_conn()

    def _require_patience(self, error: Exception) -> None:
        """Raise ApiError when nothing has come of the watch for as long as any request is tried."""
        now_s = time.monotonic()
        if self._lost_at_s is None:
            self._lost_at_s = now_s
        elif now_s - self._lost_at_s > self._api.retry_for_s and not self._stopped.is_set():
            raise unreachable("watch", self._target, error, self._api.credentials) from error
        else:
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _apply(self, event: Json, version: str) -> str:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            said = json.dumps(item).encode()
            raise refused("watch", self._target, int(item.get("code", 500)), said, self._api.credentials)
        self._lost_at_s, self._pause_s = None, _PAUSE_S
        if kind != "BOOKMARK":
            with self._changed:
                objects = dict(self.objects or {})
                objects.pop(item["metadata"]["name"], None)
                if kind != "DELETED":
                    objects[item["metadata"]["name"]] = item
                self.objects = objects
                self._changed.notify_all()
        return str(item["metadata"].get("resourceVersion", version))

    def _report(self, what: str) -> None:
        if not self._stopped.is_set():
            self._api.on_event(f"kubernetes: watch {self._target} {what}")
            self._stopped.wait(self._pause_s)


def _lines(response: Any) -> Iterator[bytes]:
    """Give the lines of a response as they come. Raises ValueError for one that is too long to be an event."""
    pending = b""
    for piece in response.stream(_PIECE, decode_content=False):
        *lines, pending = (pending + piece).split(b"\n")
        yield from filter(None, lines)
        if len(pending) > LARGEST_EVENT:
            raise ValueError(f"an event is larger than {LARGEST_EVENT} bytes")


class _ExpiredError(Exception):
    """The version to follow from is gone: list again."""
