"""Requests as they are, answers as they come: what our own client does not show. Touches the API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from kubernetes import config

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.cluster.resources import Json, Target

_new_client: Any = config.new_client_from_config  # the official client's hand-written parts are not typed


@dataclass(frozen=True)
class Answer:
    """What the server says: the HTTP status and the JSON object."""

    code: int
    body: Json

    @property
    def refusal(self) -> tuple[int, str, str]:
        """Code, reason and message of a Status, the first of which must agree with the HTTP status."""
        assert self.body["kind"] == "Status"
        assert self.body["status"] == "Failure"
        assert self.body["code"] == self.code
        return self.code, self.body.get("reason", ""), self.body["message"]


class Raw:
    """The official client's connections without its retries and exceptions; a context manager."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client: Any = _new_client(config_file=str(kubeconfig), persist_config=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.rest_client.close()
        self._client.close()

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        **query: str,
    ) -> Answer:
        """Send one request; any answer is an answer."""
        request = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = self._client.call_api(*request, _request_timeout=(5.0, 30.0))
        return Answer(response.status, json.loads(response.read()))


def events_of(
    api: Api, target: Target, version: str, timeout_s: int
) -> Generator[tuple[str, Json], None, None]:
    """Give the events of a watch, each its type and object, until the server ends it after `timeout_s`."""
    from kubernetes.watch.watch import iter_resp_lines

    read_lines: Any = iter_resp_lines
    response = api.open_watch(target, version, timeout_s)
    try:
        for line in read_lines(response):
            event = json.loads(line)
            yield event["type"], event["object"]
    finally:
        response.close()
        response.release_conn()
