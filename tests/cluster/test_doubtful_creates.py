"""What is made although the answer says 504, by a proxy before the embedded API, is taken for what it is."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import NAME, Lease
from pytest_kubelb.cluster.manifests import SESSION_LABEL, Manifest
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import DEPLOYMENTS, LEASES, SERVICES
from pytest_kubelb.cluster.workload import Workload
from tests.api_proxy import LOOPBACK, ApiProxy, Upstream, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Bench

ANN = "ann@laptop pid 1 session a"


class Doubtful(ApiProxy):
    """Has the first object at each path made, and says 504; `session` is put into its label, if there is one."""

    def __init__(self, upstream: Upstream, session: str) -> None:
        super().__init__(upstream)
        self._session = session
        self._seen: set[str] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST" or request.path in self._seen:
            return await self.pass_on(request)
        self._seen.add(request.path)
        body = await request.json()
        if self._session:
            body["metadata"]["labels"][SESSION_LABEL] = self._session
        async with self._client.post(
            f"{self._upstream.server}{request.path_qs}",
            data=json.dumps(body),
            headers={"Content-Type": "application/json"},
            ssl=self._upstream.context,
        ) as made:
            assert (made.status, await made.read() != b"") == (201, True)
        return web.json_response({"kind": "Status", "message": "the backend timed out"}, status=504)


@contextmanager
def doubtful(bench: Bench, folder: Path, session: str = "") -> Iterator[tuple[Api, list[str]]]:
    """Give a client that asks the bench's API through the proxy, and the events it reports."""
    upstream, events = Upstream(bench.cluster.kubeconfig), list[str]()
    kubeconfig = folder / "doubtful"
    with socket.create_server((LOOPBACK, 0)) as listening:
        upstream.write_kubeconfig(kubeconfig, {"server": f"http://{LOOPBACK}:{listening.getsockname()[1]}"})
        with served(Doubtful(upstream, session), listening), Api(kubeconfig, on_event=events.append) as api:
            yield api, events


def test_a_workload_whose_creates_were_answered_with_504_is_deployed(bench: Bench, tmp_path: Path) -> None:
    with doubtful(bench, tmp_path) as (api, events):
        workload = Workload(api, Manifest("s1", "bench", "nginx:1.22", cluster_ip="10.254.0.10"))
        workload.deploy()
        assert workload.cluster_ip == "10.254.0.10"
        assert len(workload.scale(2, timeout_s=20)) == 2
    assert [event for event in events if event.endswith("was made although the answer was an error")] == [
        f"kubernetes: {kind} kubelb in namespace bench was made although the answer was an error"
        for kind in ("services", "deployments")
    ]


def test_what_somebody_else_made_at_the_same_time_is_not_taken(bench: Bench, tmp_path: Path) -> None:
    with (
        doubtful(bench, tmp_path, session="theirs") as (api, _),
        pytest.raises(ApiError, match=r"status 409 .*someone else") as caught,
    ):
        Workload(api, Manifest("s1", "bench", "nginx:1.22")).deploy()
    assert caught.value.status == 409
    found = bench.api.find(SERVICES, "kubelb", "bench")
    assert found is not None
    assert found["metadata"]["labels"][SESSION_LABEL] == "theirs"
    assert bench.api.find(DEPLOYMENTS, "kubelb", "bench") is None


def test_a_lease_whose_create_was_answered_with_504_is_held_at_once(bench: Bench, tmp_path: Path) -> None:
    held: list[object] = []
    with doubtful(bench, tmp_path) as (api, _):
        lease = Lease(api, "bench", ANN)
        assert lease.acquire(wait=False, on_held=held.append) is None
        lease.renew()
    assert held == []
    found = bench.api.find(LEASES, NAME, "bench")
    assert found is not None
    assert (found["spec"]["holderIdentity"], found["spec"]["leaseTransitions"]) == (ANN, 0)
