"""Keeping a mirror in step with its API server: each resource is listed, then watched. Touches that server.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import json
import logging
from collections.abc import Iterable

import aiohttp

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.remote.connection import Server, path_of
from pytest_kubelb.lab.api.remote.mirror import Mirror
from pytest_kubelb.lab.api.resources import Resource
from pytest_kubelb.lab.api.status import ApiError

_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 2.0
_WATCH_S = 1800
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5.0)

_TICKS_TO_CLOSE = 10  # of the loop: TLS, then TCP, then the socket

_log = logging.getLogger(__name__)


class Following:
    """Follows some resources of one server, each by a task of its own, until it is closed."""

    def __init__(self, server: Server, mirror: Mirror, resources: Iterable[Resource]) -> None:
        self._server = server
        self._mirror = mirror
        self._resources = tuple(resources)
        self._session: aiohttp.ClientSession | None = None
        self._versions: dict[Resource, str] = {}
        """Up to where the mirror is; none for a resource that must be listed."""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, timeout_s: float) -> None:
        """Return when everything has been listed once; raises TimeoutError."""
        self._session = aiohttp.ClientSession(
            f"https://127.0.0.1:{self._server.port}",
            headers={"Authorization": f"Bearer {self._server.token}"},
            connector=aiohttp.TCPConnector(ssl=self._server.ssl_context(), limit=0),
        )
        listed = [asyncio.Event() for _ in self._resources]
        for resource, event in zip(self._resources, listed, strict=True):
            self._tasks.append(
                asyncio.create_task(
                    self._follow(self._session, resource, event), name=f"follow {resource.plural}"
                )
            )
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*(event.wait() for event in listed))

    async def close(self) -> None:
        """Follow no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        for _ in range(_TICKS_TO_CLOSE):
            await asyncio.sleep(0)

    async def _follow(
        self, session: aiohttp.ClientSession, resource: Resource, listed: asyncio.Event
    ) -> None:
        delay_s = _FIRST_RETRY_S
        while True:
            try:
                if resource not in self._versions:
                    await self._list(session, resource)
                    listed.set()
                    delay_s = _FIRST_RETRY_S
                await self._watch(session, resource)
            except ApiError as error:
                # 410: the history does not reach back; of anything else a list knows more.
                self._versions.pop(resource, None)
                if error.code == 410:
                    continue
                reason: Exception = error
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                reason = error
            else:
                await asyncio.sleep(
                    _FIRST_RETRY_S
                )  # a server that ends every watch at once is not to be flooded
                continue
            _log.warning("%s cannot be followed: %s; again in %.2f s", resource.plural, reason, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, _LONGEST_RETRY_S)

    async def _list(self, session: aiohttp.ClientSession, resource: Resource) -> None:
        async with session.get(path_of(resource), timeout=_LIST_TIMEOUT) as response:
            answer = await response.json(content_type=None)
        _check(answer)
        version = str(answer["metadata"]["resourceVersion"])
        self._mirror.listed(resource, answer.get("items") or (), int(version))
        self._versions[resource] = version

    async def _watch(self, session: aiohttp.ClientSession, resource: Resource) -> None:
        """Take over what changes, until the server ends the watch."""
        path = path_of(
            resource,
            watch="true",
            resourceVersion=self._versions[resource],
            allowWatchBookmarks="true",
            timeoutSeconds=str(_WATCH_S),
        )
        async with session.get(path, timeout=_WATCH_TIMEOUT) as response:
            if response.status >= 400:
                _check(await response.json(content_type=None))
            transport = response.connection.transport if response.connection is not None else None
            rest = b""
            try:
                async for piece in response.content.iter_any():
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        self._take(resource, json.loads(line))
            finally:
                if (
                    transport is not None
                ):  # without TLS' goodbye, which a server that is stuck would not answer
                    transport.abort()

    def _take(self, resource: Resource, event: KubeObject) -> None:
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            _check(obj)
        elif kind == "DELETED":
            self._mirror.seen_deleted(resource, obj)
        elif kind in ("ADDED", "MODIFIED"):
            self._mirror.seen(resource, obj)
        self._versions[resource] = str(obj["metadata"]["resourceVersion"])


def _check(answer: KubeObject) -> None:
    if answer.get("kind") == "Status" and answer.get("status") != "Success":
        raise ApiError(
            int(answer.get("code", 500)), str(answer.get("reason", "")), str(answer.get("message", ""))
        )
