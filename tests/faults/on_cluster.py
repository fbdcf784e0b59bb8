"""The faults of the cluster: pods, the API, what others do. Each is provoked on the standing lab, and put right."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.lease import NAME as LEASE
from pytest_kubelb.cluster.resources import DEPLOYMENTS, LEASES, PODS, Json, Resource
from tests.faults.bed import LINK_UP, NOTE_ROUTES
from tests.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.bed import Bed

DEPLOYMENT = "kubelb"


@contextmanager
def broken_pod(bed: Bed, script: str) -> Iterator[None]:
    """Do something to a pod that only another pod in its place mends."""
    pod = bed.pod()
    bed.in_pod(pod, script)
    try:
        yield
    finally:
        bed.replace_pod(pod)


# Quick, or too few of a second's answers would be its: wrk sends one small request after the other on a connection.
_SERVER = """
import socket, sys, threading, time
def serve(connection):
    address = connection.getsockname()[0]
    answer = "HTTP/1.1 %s Broken\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (sys.argv[1], len(address), address)
    while connection.recv(65536):
        time.sleep(float(sys.argv[2]))
        connection.sendall(answer.encode())
listening = socket.create_server(("", 81), backlog=128)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],)).start()
"""


@contextmanager
def other_server(bed: Bed, status: int, after_s: float) -> Iterator[None]:
    """Let another server answer in the place of a pod's nginx."""
    pod = bed.pod()
    inside = "nsenter -t $1 -n"
    serve = f"{inside} setsid python3 /tmp/broken.py {status} {after_s} >/dev/null 2>&1 </dev/null &"
    listens = f"until {inside} grep -q ':0051 00000000:0000 0A' /proc/self/net/tcp; do sleep 0.05; done"
    redirect = f"{inside} iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 81"
    bed.in_pod(pod, f"printf %s '{_SERVER}' >/tmp/broken.py; {serve} {listens}; {redirect}; kill -9 \"$@\"")
    try:
        yield
    finally:
        bed.sh(pod["spec"]["nodeName"], "pkill -f 'python3 /tmp/[b]roken'; rm /tmp/broken.py")
        bed.replace_pod(pod)


@contextmanager
def evicted(bed: Bed) -> Iterator[None]:
    name = bed.pod()["metadata"]["name"]
    body: Json = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    bed.api.create(Resource("", "v1", f"pods/{name}/eviction"), body, bed.namespace)
    yield


@contextmanager
def not_ready(bed: Bed) -> Iterator[None]:
    pod = bed.pod()
    conditions = [
        {**each, "status": "False"} if each["type"] == "Ready" else each
        for each in pod["status"]["conditions"]
    ]
    status = {"status": {"conditions": conditions}}
    bed.api.patch(PODS, pod["metadata"]["name"], status, bed.namespace, subresource="status")
    try:
        yield
    finally:
        bed.replace_pod(pod)


@contextmanager
def cut_off(bed: Bed) -> Iterator[None]:
    """Take the link of a worker with a pod down."""
    node = bed.pod()["spec"]["nodeName"]
    routes = bed.sh(node, f'{NOTE_ROUTES}; echo "$routes"; ip link set eth0 down')
    try:
        yield
    finally:
        bed.sh(node, f"routes='{routes.strip()}'; {LINK_UP}")


@contextmanager
def for_seconds(bed: Bed, kind: str, seconds: float = 2.5) -> Iterator[None]:
    """Let the API be in trouble for a while."""
    with bed.trouble(kind):
        time.sleep(seconds)
    yield


@contextmanager
def expired_certificate(bed: Bed) -> Iterator[None]:
    bed.faulty_api.present_certificate(expired=True)
    try:
        yield
    finally:
        bed.faulty_api.present_certificate(expired=False)


@contextmanager
def scaled(bed: Bed) -> Iterator[None]:
    bed.api.patch(DEPLOYMENTS, DEPLOYMENT, {"spec": {"replicas": 1}}, bed.namespace, subresource="scale")
    yield


@contextmanager
def deleted(bed: Bed) -> Iterator[None]:
    found = bed.api.find(DEPLOYMENTS, DEPLOYMENT, bed.namespace)
    assert found is not None
    bed.api.delete(DEPLOYMENTS, found)
    yield


@contextmanager
def stolen(bed: Bed) -> Iterator[None]:
    taken = {"holderIdentity": "bob@desk pid 2 session b", "acquireTime": "2026-03-01T10:00:00.000000Z"}
    bed.api.patch(LEASES, LEASE, {"spec": taken}, bed.namespace)
    try:
        yield
    finally:
        bed.api.patch(LEASES, LEASE, {"spec": {"holderIdentity": ""}}, bed.namespace)


FAULTS = (
    Fault(
        "pod killed",
        lambda bed: broken_pod(bed, 'kill -9 "$@"'),
        "errors:|got no answer|unable to connect",
        "healed",
        in_hand=False,  # within a second wrk goes on with the other pods, after few errors
    ),
    Fault("pod evicted", evicted, "is gone", "healed"),
    Fault("pod not ready", not_ready, "not ready", "healed"),
    Fault("pod answering 500", lambda bed: other_server(bed, 500, 0.0), "status [0-9]+", "healed"),
    Fault(
        "pod answering slowly",
        lambda bed: other_server(bed, 200, 0.2),
        "uneven_packets: a connection to pod",
        "healed",
        loses=False,
        event="",  # it is told, and the pods are those that were asked for: there is nothing to heal
        options=("--kubelb-duration=4s",),  # ipvs brings the counts of each pod up to date every two seconds
    ),
    Fault(
        "worker cut off",
        cut_off,
        "route_changed: the route of k0[5-9] to |route_changed: the route of k10 to ",
        "healed",
    ),
    Fault(
        "API server down",
        lambda bed: for_seconds(bed, "dropped"),
        "trying again",
        "healed",
        loses=False,
        waits=False,
        event="kubernetes",
    ),
    Fault(
        "API server slow",
        lambda bed: for_seconds(bed, "slow"),
        "converged",
        "healed",
        loses=False,
        waits=False,
        event="",
    ),
    Fault(
        "API server 429",
        lambda bed: for_seconds(bed, "429"),
        "status 429",
        "healed",
        loses=False,
        waits=False,
        event="kubernetes",
    ),
    Fault(
        "API server 500",
        lambda bed: for_seconds(bed, "500"),
        "status 500",
        "healed",
        loses=False,
        waits=False,
        event="kubernetes",
    ),
    Fault(
        "API server down for good",
        lambda bed: bed.trouble("dropped"),
        "trying again",
        "stopped",
        loses=False,
        restore=True,
    ),
    Fault(
        "API server hanging",
        lambda bed: bed.trouble("hanging"),
        "trying again",
        "stopped",
        loses=False,
        restore=True,
    ),
    Fault(
        "watch cut once",
        lambda bed: bed.trouble("cut once"),
        "was cut",
        "healed",
        loses=False,
        event="kubernetes",
        last_pods=24,  # so many that the watch is needed: one more may be ready before it begins
    ),
    Fault("token expired", lambda bed: bed.trouble("401"), "are not accepted", "stopped", restore=True),
    Fault("certificate expired", expired_certificate, "certificate", "stopped", restore=True),
    Fault(
        "watch cut every time", lambda bed: bed.trouble("cut"), "was cut", "stopped", loses=False, early=True
    ),
    Fault("Deployment scaled by someone else", scaled, "is gone", "healed"),
    Fault("Deployment deleted by someone else", deleted, "someone deleted it", "stopped"),
    Fault("Lease stolen", stolen, "is now held by bob@desk", "stopped"),
)
