"""A door before an API server that lets through what an account may do. Touches that server, and a port on loopback.

The lab gives everybody who has its token all rights. With this before it a session is an account with few: requests
are taken apart and refused by the same code as in the lab's own server, and whatever may pass is passed on unchanged.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml
from aiohttp import ClientSession, ClientTimeout, web

from pytest_kubelb.lab.api.access import denied
from pytest_kubelb.lab.api.request import parse_request
from pytest_kubelb.lab.api.resources import SELF_SUBJECT_ACCESS_REVIEWS
from pytest_kubelb.lab.api.status import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_kubelb.lab.api.request import ApiRequest

    Asked = tuple[str, str, str, str, str]
    """Verb, API group, resource with its subresource, namespace, name; empty where there is none."""

ACCOUNT = "system:serviceaccount:kubelb:kubelb"
_PASSED_ON = ("Accept", "Content-Type")


class Door:
    """What went through, and what was refused."""

    def __init__(self, may: Callable[..., bool], server: str, context: ssl.SSLContext, token: str) -> None:
        self.passed: set[Asked] = set()
        self.refused: set[Asked] = set()
        self._may = may
        self._server = server
        self._context = context
        self._token = token

    async def serve(self, sock: socket.socket, ended: asyncio.Event, ready: threading.Event) -> None:
        """Serve until `ended`."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        timeout = ClientTimeout(total=None)
        async with ClientSession(
            timeout=timeout, headers={"Authorization": f"Bearer {self._token}"}
        ) as client:
            self._client = client
            ready.set()
            await ended.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = parse_request(request.method, request.rel_url.raw_path, dict(request.query))
            if asked.resource == SELF_SUBJECT_ACCESS_REVIEWS:
                return web.json_response(self._review(await request.json()), status=201)
            allowed = self._may(*(about := _about(asked)))
            (self.passed if allowed else self.refused).add(about)
            if not allowed:
                raise denied(ACCOUNT, asked)
        except ApiError as error:
            return web.json_response(error.status, status=error.code)
        return await self._pass_on(request)

    def _review(self, body: dict[str, dict[str, dict[str, str]]]) -> object:
        spec = body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (spec["resource"], spec.get("subresource", ""))))
        allowed = self._may(
            spec["verb"], spec.get("group", ""), resource, spec.get("namespace", ""), spec.get("name", "")
        )
        return {**body, "status": {"allowed": allowed}}

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self._client.request(
            request.method, f"{self._server}{request.path_qs}", data=await request.read(), headers=headers,
            ssl=self._context,
        ) as upstream:  # fmt: skip
            response = web.StreamResponse(
                status=upstream.status, headers={"Content-Type": upstream.headers.get("Content-Type", "")}
            )
            await response.prepare(request)
            async for part in upstream.content.iter_any():
                await response.write(part)
            await response.write_eof()
            return response


def _about(asked: ApiRequest) -> Asked:
    resource = "/".join(filter(None, (asked.resource.plural, asked.subresource)))
    selected = asked.query.get("fieldSelector", "")
    # As in Kubernetes: a list or watch of one name is about that object.
    named = selected.removeprefix("metadata.name=") if selected.startswith("metadata.name=") else ""
    return asked.verb, asked.resource.group, resource, asked.namespace, asked.name or named


@contextmanager
def guarded(kubeconfig: Path, mine: Path, may: Callable[..., bool]) -> Iterator[Door]:
    """Serve a door to the API of `kubeconfig`, and write the kubeconfig of the account to `mine`.

    `may(verb, group, resource, namespace, name)` decides.
    """
    content = yaml.safe_load(kubeconfig.read_text())
    (cluster,), (user,) = content["clusters"], content["users"]
    authority = cluster["cluster"]
    context = ssl.create_default_context(
        cafile=authority.get("certificate-authority"), cadata=_decoded(authority)
    )
    sock = socket.create_server(("127.0.0.1", 0))
    cluster["cluster"] = {"server": f"http://127.0.0.1:{sock.getsockname()[1]}"}
    door = Door(may, authority["server"], context, user["user"]["token"])
    mine.write_text(json.dumps(content))
    loop, ready = asyncio.new_event_loop(), threading.Event()
    ended = asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(door.serve(sock, ended, ready),), name="door"
    )
    thread.start()
    try:
        assert ready.wait(10)
        yield door
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


def _decoded(authority: dict[str, str]) -> str | None:
    data = authority.get("certificate-authority-data")
    return base64.b64decode(data).decode() if data else None
