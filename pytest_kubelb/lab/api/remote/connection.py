"""One HTTPS connection to an API server for requests that wait for their answer. Touches the network.

It blocks on purpose: a controller that has written goes on with what the server made of it, and in the lab
nobody else needs the thread. Every request has a time limit.
"""

import contextlib
import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import Resource
from pytest_kubelb.lab.api.status import ApiError

TIMEOUT_S = 5.0
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Server:
    """Where an API server is, and by what one is known there."""

    port: int
    """On 127.0.0.1."""
    ca_pem: str
    token: str = field(repr=False)

    def ssl_context(self) -> ssl.SSLContext:
        """Give the client's side of TLS."""
        return ssl.create_default_context(cadata=self.ca_pem)


def path_of(
    resource: Resource, namespace: str = "", name: str = "", subresource: str = "", **query: str
) -> str:
    """Give the path of a collection, an object or a subresource."""
    root = f"/apis/{resource.group}" if resource.group else "/api"
    place = f"/namespaces/{namespace}" if namespace else ""
    parts = [f"{root}/{resource.version}{place}", resource.plural, name, subresource]
    path = "/".join(part for part in parts if part)
    return f"{path}?{urlencode(query)}" if query else path


class Connection:
    """A connection that is opened when it is needed, and again when the server has closed it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._context = server.ssl_context()
        self._open: http.client.HTTPSConnection | None = None

    def send(
        self, method: str, path: str, body: KubeObject | None = None, kind: str = "application/json"
    ) -> KubeObject:
        """Give the answer to a request; raises ApiError with what the server says, 503 when it does not answer."""
        reused = self._open is not None
        try:
            code, answer = self._exchange(method, path, body, kind)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            # A kept connection may have been closed by the server at any time: that says nothing of the request.
            stale = reused and isinstance(error, http.client.RemoteDisconnected | ConnectionError)
            if not stale:
                raise _unavailable(error) from error
            return self.send(method, path, body, kind)
        if code >= 400:
            raise ApiError(
                code, str(answer.get("reason", "")), str(answer.get("message", "")), answer.get("details")
            )
        return answer

    def close(self) -> None:
        """Close it; the next request opens it again."""
        if self._open is not None:
            with contextlib.suppress(OSError):
                self._open.close()
        self._open = None

    def _exchange(self, method: str, path: str, body: KubeObject | None, kind: str) -> tuple[int, KubeObject]:
        if self._open is None:
            self._open = http.client.HTTPSConnection(
                "127.0.0.1", self._server.port, timeout=TIMEOUT_S, context=self._context
            )
        headers = {"Authorization": f"Bearer {self._server.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = kind
        self._open.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._open.getresponse()
        return response.status, _object(response.read())


def _object(raw: bytes) -> KubeObject:
    try:
        answer: Any = json.loads(raw or b"{}")
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"message": raw.decode(errors="replace").strip()}


def _unavailable(error: Exception) -> ApiError:
    return ApiError(503, "ServiceUnavailable", f"the API server does not answer: {error}")
