"""A door before an API server that lets through what an account may do. Touches that server, and a port on loopback.

The lab gives everybody who has its token all rights. With this before it a session is an account with few: requests
are taken apart and refused by the same code as in the lab's own server, and whatever may pass is passed on unchanged.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from pytest_kubelb.lab.api.access import denied
from pytest_kubelb.lab.api.request import parse_request
from pytest_kubelb.lab.api.resources import SELF_SUBJECT_ACCESS_REVIEWS
from pytest_kubelb.lab.api.status import ApiError
from tests.api_proxy import LOOPBACK, ApiProxy, Upstream, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_kubelb.lab.api.request import ApiRequest

    Asked = tuple[str, str, str, str, str]
    """Verb, API group, resource with its subresource, namespace, name; empty where there is none."""

ACCOUNT = "system:serviceaccount:kubelb:kubelb"


class Door(ApiProxy):
    """What went through, and what was refused."""

    def __init__(self, upstream: Upstream, may: Callable[..., bool]) -> None:
        super().__init__(upstream)
        self.passed: set[Asked] = set()
        self.refused: set[Asked] = set()
        self._may = may

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass on what may pass."""
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
        return await self.pass_on(request)

    def _review(self, body: dict[str, dict[str, dict[str, str]]]) -> object:
        spec = body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (spec["resource"], spec.get("subresource", ""))))
        allowed = self._may(
            spec["verb"], spec.get("group", ""), resource, spec.get("namespace", ""), spec.get("name", "")
        )
        return {**body, "status": {"allowed": allowed}}


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
    upstream = Upstream(kubeconfig)
    listening = socket.create_server((LOOPBACK, 0))
    upstream.write_kubeconfig(mine, {"server": f"http://{LOOPBACK}:{listening.getsockname()[1]}"})
    door = Door(upstream, may)
    with served(door, listening):
        yield door
