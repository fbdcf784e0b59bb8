"""What is made although the answer says 504, by a server before the embedded API, is taken for what it is."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import NAME, Lease
from pytest_kubelb.cluster.manifests import SESSION_LABEL, Manifest
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import DEPLOYMENTS, LEASES, SERVICES, Json, Target
from pytest_kubelb.cluster.workload import Workload

from .test_client import write_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Bench

ANN = "ann@laptop pid 1 session a"
RESOURCES = {resource.path("bench"): resource for resource in (SERVICES, DEPLOYMENTS, LEASES)}


class Handler(BaseHTTPRequestHandler):
    """Hands on to the bench's API, for what these tests ask."""

    def __init__(self, bench: Bench, session: str, seen: set[str], *connection: Any) -> None:
        self._bench, self._session, self._seen = bench, session, seen
        super().__init__(*connection)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path in RESOURCES:
            assert query
            return self.say(
                200, self._bench.api.list(Target(RESOURCES[path], "bench", labels=f"{SESSION_LABEL}=dead"))
            )
        where, _, name = path.rpartition("/")
        found = self._bench.api.find(RESOURCES[where], name, "bench")
        return self.say(200, found) if found else self.say(404, {"kind": "Status", "message": "not found"})

    def do_PATCH(self) -> None:
        where, _, name = self.path.rpartition("/")
        self.say(200, self._bench.api.patch(RESOURCES[where], name, self.body(), "bench"))

    def do_POST(self) -> None:
        body = self.body()
        if self._session:
            body["metadata"]["labels"][SESSION_LABEL] = self._session
        try:
            made = self._bench.api.create(RESOURCES[self.path], body, "bench")
        except ApiError as error:
            return self.say(error.status, {"kind": "Status", "message": str(error)})
        if self.path in self._seen:
            return self.say(201, made)
        self._seen.add(self.path)
        return self.say(504, {"kind": "Status", "message": "the backend timed out"})

    def body(self) -> Json:
        body: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def say(self, status: int, answer: Json) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def doubtful(bench: Bench, folder: Path, session: str = "") -> Iterator[tuple[Api, list[str]]]:
    """Have the first object of each kind made, and say 504; the client that asks there, and the events it reports.

    `session` is put into the label of what is made.
    """
    events: list[str] = []
    handler = partial(Handler, bench, session, set())
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        kubeconfig = write_kubeconfig(folder / "doubtful", f"http://127.0.0.1:{server.server_port}")
        try:
            with Api(kubeconfig, on_event=events.append) as api:
                yield api, events
        finally:
            server.shutdown()
            thread.join()


def test_a_workload_whose_creates_were_answered_with_504_is_deployed(bench: Bench, tmp_path: Path) -> None:
    with doubtful(bench, tmp_path) as (api, events):
        workload = Workload(api, Manifest("s1", "bench", "nginx:1.22", cluster_ip="10.254.0.10"))
        workload.deploy()
        assert workload.cluster_ip == "10.254.0.10"
    assert bench.api.find(DEPLOYMENTS, "kubelb", "bench") is not None
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
