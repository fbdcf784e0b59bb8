"""Ask the Kubernetes API through the official client. Touches the API that the kubeconfig names.

The client's generic ApiClient (kubeconfig, TLS, credentials, connection pool) is used with plain JSON
objects: its typed classes (CoreV1Api, AppsV1Api …) import 290 model modules, 0.55 s that every session
would pay.
"""

from __future__ import annotations

import random
import re
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from pytest_kubelb.cluster import shape
from pytest_kubelb.cluster.refusal import ApiError, as_described, message_of, refused, unreachable
from pytest_kubelb.cluster.resources import Json, Resource, Target
from pytest_kubelb.errors import ConfigError
from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_METHODS = {
    "get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE",
}  # fmt: skip
_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
_HEADER = re.compile(r"[\t\x20-\x7e]*")
CONNECT_TIMEOUT_S = 5.0
_AFTER_THAT_S = 2.0
LARGEST_ANSWER = 128 << 20
"""Bytes: a list of ten thousand pods is below."""


class Api:
    """One API server, as one kubeconfig context sees it. Threads may share it.

    Answers 429 and 5xx and lost connections are tried again with growing pauses for up to `retry_for_s`; each
    time `on_event` gets one line. A `create` whose connection was lost is not tried again. After an answer 401 the
    credentials are read once more. A server that was in trouble for all that time costs it once: until it answers again
    every request is tried once, and waits `_AFTER_THAT_S` at most.
    """

    def __init__(
        self,
        kubeconfig: Path,
        context: str | None = None,
        *,
        on_event: Callable[[str], None],
        timeout_s: float = 10.0,
        retry_for_s: float = 20.0,
        pool_size: int = 8,
    ) -> None:
        """Read the kubeconfig; nothing is asked yet. Raises ConfigError when it cannot be used."""
        self.on_event = on_event
        self.credentials = f"{kubeconfig}" + (f", context {context}" if context else "")
        self._timeout_s = timeout_s
        self.retry_for_s = retry_for_s
        self._given_up = False
        self._load = partial(_client, kubeconfig, context, pool_size)
        self._client = self._load()
        self._renewing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.rest_client.close()
        self._client.close()

    def find(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        """Get one object, None when there is none of that name."""
        target = Target(resource, namespace, name)
        answer = self._ask("get", target, allowed=(404,))
        if answer.get("kind") == "Status":
            return None
        with as_described(str(target)):
            shape.check_object(answer)
        return answer

    def list(self, target: Target) -> Json:
        """Get the objects that `target` selects, as one List object with its resourceVersion."""
        answer = self._ask("list", target, query=_selectors(target))
        with as_described(f"the list of {target}"):
            shape.check_list(answer)
        return answer

    def create(
        self,
        resource: Resource,
        body: Json,
        namespace: str = "",
        *,
        is_ours: Callable[[Json], bool] | None = None,
    ) -> Json:
        """Create an object. Raises ApiError with status 409 when the name is taken.

        A server that answers 5xx may have made the object all the same, and the next try is refused (409, or 422 for a
        Service whose address is taken by itself): then what `is_ours` knows as made by this session is given.
        """
        failed: set[int] = set()
        try:
            return self._ask("create", Target(resource, namespace), body=body, failed=failed)
        except ApiError as error:
            in_doubt = 400 <= error.status < 500 and any(status >= 500 for status in failed)
            if not in_doubt or is_ours is None:
                raise
            name = body["metadata"]["name"]
            found = self.find(resource, name, namespace)
            if found is None or not is_ours(found):
                raise
            made = Target(resource, namespace, name)
            self.on_event(f"kubernetes: {made} was made although the answer was an error")
            return found

    def patch(
        self, resource: Resource, name: str, body: Json, namespace: str = "", subresource: str = ""
    ) -> Json:
        """Change an object, or its subresource, by a JSON merge patch (RFC 7396)."""
        target = Target(resource, namespace, name, subresource)
        answer = self._ask("patch", target, body=body)
        with as_described(str(target)):
            shape.check_object(answer)
        return answer

    def delete(self, resource: Resource, found: Json) -> None:
        """Delete exactly the object that was found (by uid), its dependents in the background."""
        metadata = found["metadata"]
        with as_described(f"{resource.plural} {metadata['name']}"):
            body = {
                "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                "preconditions": {"uid": metadata["uid"]},
            }  # fmt: skip
        target = Target(resource, metadata.get("namespace", ""), metadata["name"])
        self._ask("delete", target, body=body, allowed=(404,))

    def open_watch(self, target: Target, resource_version: str, timeout_s: int) -> Any:
        """Begin a watch that the server ends after `timeout_s`; the urllib3 response to read events from.

        Raises ApiError (status 410 when the version is too old); not tried again here.
        """
        query = {
            **_selectors(target), "watch": "true", "allowWatchBookmarks": "true",
            "resourceVersion": resource_version, "timeoutSeconds": str(timeout_s),
        }  # fmt: skip
        response = self._send("watch", target, query, None, timeout_s + self._timeout_s)
        if response.status != 200:
            raise refused("watch", target, response.status, _whole(response), self.credentials)
        return response.response

    def _ask(
        self,
        verb: str,
        target: Target,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        allowed: tuple[int, ...] = (),
        failed: set[int] | None = None,
    ) -> Json:
        """Ask until there is an answer; `failed` gets the status of every try before it."""
        from urllib3.exceptions import HTTPError, NewConnectionError

        in_vain = self._given_up
        give_up = time.monotonic() + (0.0 if in_vain else self.retry_for_s)
        timeout_s = min(self._timeout_s, _AFTER_THAT_S) if in_vain else self._timeout_s
        for pause_s in _pauses():
            after_s = pause_s
            try:
                response = self._send(verb, target, query or {}, body, timeout_s)
                status, data = response.status, _whole(response)
            except HTTPError as error:
                what = " ".join(str(error).split())[:200]
                sent = verb == "create" and not isinstance(error, NewConnectionError)
                late = time.monotonic() + after_s > give_up
                self._given_up |= late
                if sent or late:
                    raise unreachable(verb, target, error, self.credentials) from error
            else:
                retried = status in _RETRIED_STATUS
                self._given_up &= retried
                if 200 <= status < 300 or status in allowed:
                    return self._parsed(verb, target, data)
                after_s = max(after_s, _retry_after_s(response.headers))
                what = f"status {status}: {message_of(data)}"
                late = time.monotonic() + after_s > give_up
                self._given_up |= retried and late
                if late or not retried:
                    raise refused(verb, target, status, data, self.credentials)
                if failed is not None:
                    failed.add(status)
            self.on_event(f"kubernetes: {verb} {target}: {what}; trying again in {after_s:.1f} s")
            time.sleep(after_s)
        raise AssertionError("the pauses never end")

    def _parsed(self, verb: str, target: Target, data: bytes) -> Json:
        try:
            answer = json_fields.decode(data)
        except ValueError as error:
            raise unreachable(verb, target, error, self.credentials) from error
        if not isinstance(answer, dict):
            wrong = ValueError(f"a JSON object is expected, not {message_of(data)!r}")
            raise unreachable(verb, target, wrong, self.credentials)
        return answer

    def _send(
        self, verb: str, target: Target, query: Mapping[str, str], body: Json | None, read_timeout_s: float
    ) -> Any:
        from kubernetes.client.exceptions import ApiException

        content_type = "application/merge-patch+json" if verb == "patch" else "application/json"

        def sent() -> Any:
            request = self._client.param_serialize(
                _METHODS[verb],
                target.resource.path(target.namespace, target.name, target.subresource),
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            # http.client would say so with the whole header, and so with the token.
            if not all(_HEADER.fullmatch(str(value)) for value in request[2].values()):
                wrong = ValueError("the credentials hold what no HTTP header may have")
                raise unreachable(verb, target, wrong, self.credentials)
            return self._client.call_api(*request, _request_timeout=(CONNECT_TIMEOUT_S, read_timeout_s))

        try:
            before = self._client.configuration
            response = sent()
            if response.status == 401 and self._has_new_token(before):
                _whole(response)
                response = sent()
        except ApiException as error:  # how the client reports a TLS failure, which no retry mends
            raise unreachable(verb, target, error, self.credentials) from error
        return response

    def _has_new_token(self, before: Any) -> bool:
        """Read the credentials again, as a token in a file is renewed there; tell whether there is another one."""
        with self._renewing:
            if self._client.configuration is not before:  # another thread was faster
                return True
            try:
                fresh = self._load()
            except ConfigError:  # what the server said tells more
                return False
            fresh.rest_client.close()
            if fresh.configuration.auth_settings() == before.auth_settings():
                return False
            self._client.configuration = fresh.configuration
            return True


def _client(kubeconfig: Path, context: str | None, pool_size: int) -> Any:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import load_kube_config
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError

    # retries=False: urllib3 would try three times without a word; our own tries are reported.
    settings = Configuration(connection_pool_maxsize=pool_size, retries=False)
    load: Callable[..., None] = load_kube_config
    try:
        load(
            config_file=str(kubeconfig), context=context, client_configuration=settings, persist_config=False
        )
    # The client looks into the file as it comes, and raises whatever that brings.
    except (
        ConfigException,
        OSError,
        YAMLError,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        said = " ".join(str(error).split())[:300]
        wanted = f" with context {context!r}" if context else ""
        raise ConfigError(
            f"kubeconfig {kubeconfig} cannot be used{wanted} ({said}); name an existing file and context in"
            " section [cluster] of the inventory"
        ) from error
    read = settings.refresh_api_key_hook

    def trimmed(configuration: Any) -> None:
        # A file made by `kubectl create token` ends with its line, which is no part of the token.
        if read is not None:
            read(configuration)  # sets itself as the hook again
            configuration.refresh_api_key_hook = trimmed
        configuration.api_key = {name: str(value).strip() for name, value in configuration.api_key.items()}

    settings.refresh_api_key_hook = trimmed  # type: ignore[assignment]
    return ApiClient(settings)


def _selectors(target: Target) -> dict[str, str]:
    chosen = {"labelSelector": target.labels, "fieldSelector": target.fields}
    return {key: value for key, value in chosen.items() if value}


def _pauses() -> Iterator[float]:
    """Yield seconds to wait: 0.1, 0.2, 0.4 … 5, each up to a quarter longer so that clients spread out."""
    pause_s = 0.1
    while True:
        yield pause_s * random.uniform(1.0, 1.25)  # noqa: S311 - spreading retries, not a secret
        pause_s = min(pause_s * 2, 5.0)


def _whole(response: Any) -> bytes:
    """Read a response to its end. Raises urllib3's HTTPError for one that is too large to be an answer."""
    from urllib3.exceptions import HTTPError

    raw = response.response
    data: bytes = raw.read(LARGEST_ANSWER + 1)
    if len(data) > LARGEST_ANSWER:
        raw.close()  # or the rest would be read before the connection is used again
        raise HTTPError(f"the answer is larger than {LARGEST_ANSWER} bytes")
    raw.release_conn()
    return data


def _retry_after_s(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "")
    return min(float(value), 60.0) if value.isdecimal() else 0.0
