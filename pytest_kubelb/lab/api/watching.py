"""Answers to watch: lines of JSON, one per event, for as long as the client stays.

Touches the store by subscribing to it.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator

from pytest_kubelb.lab.api.listing import check_list_options, matcher
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import KubeObject, with_metadata
from pytest_kubelb.lab.api.request import ApiRequest
from pytest_kubelb.lab.api.status import ApiError
from pytest_kubelb.lab.api.store import Store

_DEFAULT_TIMEOUT_S = 1800
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"

# A client that is this many changes behind is cut off, as a real server does; it watches again from where it
# was.
_MOST_BEHIND = 10_000


class Watch:
    """One client's watch of one resource."""

    def __init__(self, store: Store, request: ApiRequest, *, bookmark_interval_s: float = 60.0) -> None:
        """Check the request; raises ApiError 400 for selectors or versions that cannot be read."""
        self._store = store
        self._request = request
        check_list_options(request)
        self._matches = matcher(request)
        self._version = request.version()
        self._timeout_s = request.number("timeoutSeconds") or _DEFAULT_TIMEOUT_S
        self._bookmarks = request.flag("allowWatchBookmarks")
        self._bookmark_interval_s = bookmark_interval_s
        self._wake = asyncio.Event()
        self._changes: deque[Change] = deque()
        self._closed = False

    def close(self) -> None:
        """End the stream after what is on its way."""
        self._closed = True
        self._wake.set()

    async def lines(self) -> AsyncIterator[bytes]:
        """Give the stream, in pieces of whole lines.

        A history that no longer reaches back is an ERROR event with code 410.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeout_s
        unsubscribe = self._store.subscribe(self._note, [self._request.resource])
        try:
            try:
                beginning = self._beginning()
            except ApiError as error:
                yield _line("ERROR", json.dumps(error.status, separators=(",", ":")))
                return
            if beginning:
                yield beginning
            next_bookmark = loop.time() + self._bookmark_interval_s
            while not self._closed and loop.time() < end:
                await self._wait(min(end, next_bookmark))
                pending = self._take()
                if pending:
                    yield pending
                if self._bookmarks and loop.time() >= next_bookmark:
                    next_bookmark = loop.time() + self._bookmark_interval_s
                    yield self._bookmark({})
            if self._bookmarks and not self._closed:
                yield self._bookmark({})
        finally:
            unsubscribe()

    def _note(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > _MOST_BEHIND:
            self._closed = True
        self._wake.set()

    async def _wait(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        self._wake.clear()

    def _take(self) -> bytes:
        pieces = []
        while self._changes:
            pieces.append(self._event(self._changes.popleft()))
        return b"".join(pieces)

    def _beginning(self) -> bytes:
        """Give what there is already.

        Every object for a watch from anywhere, what was missed for one from a version.
        """
        initial = self._request.query.get("sendInitialEvents") == "true"
        if initial or not self._version:
            objects = [obj for obj in self._store.all(self._request.resource) if self._matches(obj)]
            lines = [_line("ADDED", json.dumps(obj, separators=(",", ":"))) for obj in objects]
            if initial and self._bookmarks:
                lines.append(self._bookmark({"annotations": {_INITIAL_EVENTS_END: "true"}}))
            return b"".join(lines)
        missed = self._store.changes_since(self._request.resource, self._version)
        return b"".join(map(self._event, missed))

    def _event(self, change: Change) -> bytes:
        """Give the change as this client sees it.

        To a selector, an object that begins to match is added, one that ceases is deleted.
        """
        now = change.kind != "DELETED" and self._matches(change.object)
        before = change.previous is not None and self._matches(change.previous)
        if now:
            return _line("MODIFIED" if before else "ADDED", change.encoded)
        if not before or change.previous is None:
            return b""
        if change.kind == "DELETED":
            return _line("DELETED", change.encoded)
        # As it was when it matched, with the version of the change that ended that.
        last = with_metadata(change.previous, resourceVersion=change.object["metadata"]["resourceVersion"])
        return _line("DELETED", json.dumps(last, separators=(",", ":")))

    def _bookmark(self, extra: KubeObject) -> bytes:
        resource = self._request.resource
        body = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": str(self._store.version), "creationTimestamp": None, **extra},
        }
        return _line("BOOKMARK", json.dumps(body, separators=(",", ":")))


def _line(kind: str, obj: str) -> bytes:
    return f'{{"type":"{kind}","object":{obj}}}\n'.encode()
