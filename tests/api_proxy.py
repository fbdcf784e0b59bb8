"""A proxy before an API server, served by a thread of its own. Touches that server, and a port on loopback.

What is done with a request is for those that derive from it; whatever they let pass goes through unchanged.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import yaml
from aiohttp import ClientSession, ClientTimeout, web

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

LOOPBACK: Final = "127.0.0.1"
_PASSED_ON: Final = ("Accept", "Content-Type")


class Upstream:
    """The API server that a kubeconfig with one cluster and one user leads to."""

    def __init__(self, kubeconfig: Path) -> None:
        self._content = yaml.safe_load(kubeconfig.read_text())
        (self._cluster,), (user,) = self._content["clusters"], self._content["users"]
        authority = self._cluster["cluster"]
        data = authority.get("certificate-authority-data")
        self.server: str = authority["server"]
        self.token: str = user["user"]["token"]
        self.context = ssl.create_default_context(
            cafile=authority.get("certificate-authority"),
            cadata=base64.b64decode(data).decode() if data else None,
        )

    def write_kubeconfig(self, mine: Path, cluster: dict[str, str]) -> None:
        """Write the kubeconfig that leads to `cluster` instead."""
        self._cluster["cluster"] = cluster
        mine.touch(mode=0o600)
        mine.write_text(json.dumps(self._content))


class ApiProxy:
    """Passes every request on, which is for others to change."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        return await self.pass_on(request)

    def passes(self, request: web.Request, response: web.StreamResponse) -> None:
        """Do something before each part of the server's answer, and once before all of them."""

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Give the server's answer, as it comes."""
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self._client.request(
            request.method, f"{self._upstream.server}{request.path_qs}", data=await request.read(), headers=headers,
            ssl=self._upstream.context,
        ) as upstream:  # fmt: skip
            response = web.StreamResponse(
                status=upstream.status, headers={"Content-Type": upstream.headers.get("Content-Type", "")}
            )
            self.passes(request, response)
            await response.prepare(request)
            async for part in upstream.content.iter_any():
                self.passes(request, response)
                await response.write(part)
            await response.write_eof()
            return response

    async def serve(
        self,
        listening: socket.socket,
        context: ssl.SSLContext | None,
        ended: asyncio.Event,
        ready: threading.Event,
    ) -> None:
        """Serve until `ended`."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        await web.SockSite(runner, listening, ssl_context=context).start()
        headers = {"Authorization": f"Bearer {self._upstream.token}"}
        async with ClientSession(timeout=ClientTimeout(total=None), headers=headers) as client:
            self._client = client
            ready.set()
            await ended.wait()
            await runner.cleanup()


@contextmanager
def served(
    proxy: ApiProxy, listening: socket.socket, context: ssl.SSLContext | None = None
) -> Iterator[None]:
    """Serve the proxy meanwhile, over TLS where there is a context for it."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    loop.set_exception_handler(_ignore)
    serving = proxy.serve(listening, context, ended, ready)
    thread = threading.Thread(target=loop.run_until_complete, args=(serving,), name="api-proxy")
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


def _ignore(_: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Say nothing: a loop is told of each connection that a test ends."""
