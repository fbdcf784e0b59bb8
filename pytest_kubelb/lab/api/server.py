"""The HTTPS server of the API, on aiohttp.

Touches the listening socket it is given, and the store through the registry.

One handler for all paths: authenticate, take the request apart, authorize, do it. Every error is a Status.
"""

import asyncio
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from pytest_kubelb.lab.api.access import Authorize, access_review, authenticated_user, check_access
from pytest_kubelb.lab.api.deletion import parse_delete_options
from pytest_kubelb.lab.api.discovery import discovery_document, version_info
from pytest_kubelb.lab.api.known_fields import check_validation
from pytest_kubelb.lab.api.listing import Lister
from pytest_kubelb.lab.api.objects import KubeObject, key_of
from pytest_kubelb.lab.api.patches import patch_for
from pytest_kubelb.lab.api.registry import Registry
from pytest_kubelb.lab.api.request import ApiRequest, parse_request
from pytest_kubelb.lab.api.resources import SELF_SUBJECT_ACCESS_REVIEWS
from pytest_kubelb.lab.api.scale import scale_of
from pytest_kubelb.lab.api.status import (
    ApiError,
    UndecodableError,
    bad_request,
    invalid_patch,
    success,
)
from pytest_kubelb.lab.api.watching import Watch

_HEALTH_PATHS = ("/healthz", "/livez", "/readyz")
_LAST_WORDS_S = 1.0  # for watches to end as they should
_TICKS_TO_CLOSE = 3  # of the loop: TLS, then TCP, then the socket
_CREATED: KubeObject = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Success",
    "code": 201,
}
_LARGEST_BODY = 3 * 1024 * 1024  # bytes, as etcd and the real server limit it


class ApiServer:
    """Serves one registry."""

    def __init__(
        self,
        registry: Registry,
        tokens: Mapping[str, str],
        authorize: Authorize,
        *,
        bookmark_interval_s: float = 60.0,
    ) -> None:
        """`tokens` is bearer token -> user, looked at with every request, so that one can be withdrawn."""
        self._registry = registry
        self._tokens = tokens
        self._authorize = authorize
        self._bookmark_interval_s = bookmark_interval_s
        self._lister = Lister(registry.store)
        self._watches: dict[Watch, asyncio.Future[None]] = {}
        self._runner: web.AppRunner | None = None

    async def start(self, sock: socket.socket, ssl_context: ssl.SSLContext) -> None:
        """Serve on a bound socket."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, sock, ssl_context=ssl_context).start()
        self._runner = runner

    async def stop(self) -> None:
        """End all watches, then close every connection and the socket."""
        for watch in self._watches:
            watch.close()
        if self._watches:
            await asyncio.wait(self._watches.values(), timeout=_LAST_WORDS_S)
        if self._runner is None:
            return
        # Closed here and not by the runner: TLS would wait half a minute for the goodbye of a client that
        # keeps its connection.
        for connection in self._runner.server.connections if self._runner.server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()
        for _ in range(_TICKS_TO_CLOSE):
            await asyncio.sleep(0)
        await self._runner.cleanup()
        self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            if request.path in _HEALTH_PATHS:
                return web.Response(text="ok")
            if request.path.rstrip("/") == "/version":
                return _json(version_info())
            user = authenticated_user(self._tokens, request.headers.get("Authorization", ""))
            document = discovery_document(request.path) if request.method == "GET" else None
            if document is not None:
                return _json(document)
            if not request.path.startswith(("/api/", "/apis/")):
                return web.Response(status=404, text="404 page not found\n")
            asked = parse_request(request.method, request.rel_url.raw_path, dict(request.query))
            check_access(self._authorize, user, asked)
            if asked.verb == "watch":
                return await self._watch(request, asked)
            return await self._answer(request, asked, user)
        except ApiError as error:
            return _json(error.status, error.code)

    async def _answer(self, request: web.Request, asked: ApiRequest, user: str) -> web.Response:
        store, place = self._registry.store, (asked.resource, asked.namespace, asked.name)
        if asked.verb == "list":
            return _json(self._lister.answer(asked))
        if asked.verb == "get":
            obj = store.get(*place)
            return _json(scale_of(obj) if asked.subresource == "scale" else obj)
        body = await _body(request)
        if asked.verb in ("create", "update") and not asked.subresource:
            check_validation(asked.resource, asked.query, body, verb=asked.verb)
        if asked.verb == "create":
            return self._create(asked, body, user)
        if asked.verb == "update":
            if asked.resource.created_by_update and not asked.subresource and store.find(*place) is None:
                check_access(self._authorize, user, replace(asked, verb="create"))
                return _json(self._registry.create_by_update(*place, body, dry_run=asked.dry_run), 201)
            updated = self._registry.replace(
                *place, body, subresource=asked.subresource, dry_run=asked.dry_run
            )
            return _json(scale_of(updated) if asked.subresource == "scale" else updated)
        if asked.verb == "patch":
            return self._patch(request.content_type, asked, body)
        options = parse_delete_options(body, dict(asked.query))
        if asked.verb == "delete":
            obj, gone = self._registry.delete(*place, options)
            return _json(success(asked.resource, obj) if gone and not asked.resource.returns_deleted else obj)
        listed = self._lister.answer(asked)
        for item in listed["items"]:
            self._registry.delete(asked.resource, *key_of(item), options)
        return _json(listed)

    def _create(self, asked: ApiRequest, body: object, user: str) -> web.Response:
        if asked.resource == SELF_SUBJECT_ACCESS_REVIEWS:
            return _json(access_review(self._authorize, user, body), 201)
        if asked.subresource == "eviction":
            options = body.get("deleteOptions") if isinstance(body, dict) else None
            parsed = parse_delete_options(options, dict(asked.query))
            self._registry.delete(asked.resource, asked.namespace, asked.name, parsed)
            return _json(_CREATED, 201)
        if asked.subresource == "binding":
            return self._bind(asked, body)
        return _json(self._registry.create(asked.resource, asked.namespace, body, dry_run=asked.dry_run), 201)

    def _bind(self, asked: ApiRequest, body: object) -> web.Response:
        target = body.get("target") if isinstance(body, dict) else None
        node = target.get("name") if isinstance(target, dict) else None
        if not isinstance(node, str) or not node:
            raise bad_request("target.name: Required value")
        self._registry.bind(self._registry.store.get(asked.resource, asked.namespace, asked.name), node)
        return _json(_CREATED, 201)

    def _patch(self, content_type: str, asked: ApiRequest, body: object) -> web.Response:
        apply = patch_for(content_type)
        scale = asked.subresource == "scale"
        patched = self._registry.patch(
            asked.resource,
            asked.namespace,
            asked.name,
            lambda view: _checked(asked, apply(view, body)),
            subresource=asked.subresource,
            view=scale_of if scale else lambda obj: obj,
            dry_run=asked.dry_run,
        )
        return _json(scale_of(patched) if scale else patched)

    async def _watch(self, request: web.Request, asked: ApiRequest) -> web.StreamResponse:
        watch = Watch(self._registry.store, asked, bookmark_interval_s=self._bookmark_interval_s)
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        ended = self._watches[watch] = asyncio.get_running_loop().create_future()
        try:
            await response.prepare(request)
            async for lines in watch.lines():
                await response.write(lines)
            await response.write_eof()
        except ConnectionResetError:
            pass  # the client has what it wanted
        finally:
            del self._watches[watch]
            ended.set_result(None)
        return response


def _checked(asked: ApiRequest, patched: object) -> object:
    """Give what a patch made of an object; raises 422 when it has fields that it was asked not to have."""
    if not asked.subresource:
        try:
            check_validation(asked.resource, asked.query, patched, verb=asked.verb)
        except UndecodableError as error:
            raise invalid_patch(patched, error) from error
    return patched


def _json(body: KubeObject, code: int = 200) -> web.Response:
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(
        status=code,
        text=text + "\n",
        content_type="application/json",
        headers={"Cache-Control": "no-cache, private"},
    )


async def _body(request: web.Request) -> object:
    """Give the body as JSON, None when there is none.

    Raises 400 for what is no JSON, 413 for too much, 415 for another format.
    """
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        message = f"Request entity too large: limit is {_LARGEST_BODY}"
        raise ApiError(413, "RequestEntityTooLarge", message) from None
    if not raw:
        return None
    if "json" not in request.content_type and request.content_type != "application/octet-stream":
        message = (
            f"the body of the request was in an unknown format ({request.content_type}) - "
            "accepted media types include: application/json"
        )
        raise ApiError(415, "UnsupportedMediaType", message)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body of the request is no JSON: {error}") from None
