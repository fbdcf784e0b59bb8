"""The faults: how each is provoked on the lab that stands, and put right again. Touches that lab."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_kubelb.cluster.lease import NAME as LEASE
from pytest_kubelb.cluster.resources import DEPLOYMENTS, LEASES, PODS, Json, Resource
from tests.faults.bed import C, L

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.bed import Bed

    Provoke = Callable[[Bed], AbstractContextManager[object]]

WORKER = "k05"
DEPLOYMENT = "kubelb"
CUT_S = 30
"""Longer than a session takes to notice that the load balancer is cut off, and to give up putting it back."""


@dataclass(frozen=True)
class Fault:
    """One row of the matrix, and what is expected of it."""

    name: str
    provoke: Provoke
    said: str
    """A pattern of what the record or the screen must say of it."""
    ended: Literal["healed", "stopped"]
    loses: bool = True
    """Whether the run in hand cannot be valid."""
    early: bool = False
    """Whether it is there before the session begins, which then may have no runs."""
    waits: bool = True
    """Whether the second run waits for the fault; not for one that passes by itself while the session goes on."""
    restore: bool = False
    """Whether the session cannot put everything back itself, so that `kubelb restore` has to."""


@contextmanager
def wrk_that(bed: Bed, does: str) -> Iterator[None]:
    """Let wrk do something else once, and be itself again then."""
    place = "/usr/local/sbin"
    lines = ["#!/bin/sh", f"if rm {place}/once 2>/dev/null; then {does}; fi", 'exec /usr/bin/wrk "$@"']
    script = "; ".join(f"echo '{line}'" for line in lines)
    made = f"mount -t tmpfs tmpfs {place}; {{ {script}; }} >{place}/wrk; chmod 755 {place}/wrk; >{place}/once"
    with bed.changed(C, made, f"umount -l {place}"):
        yield


@contextmanager
def no_wrk(bed: Bed) -> Iterator[None]:
    made = (
        "mkdir /tmp/upper /tmp/work && mount -t overlay overlay"
        " -o lowerdir=/usr/bin,upperdir=/tmp/upper,workdir=/tmp/work /usr/bin && rm /usr/bin/wrk"
    )
    with bed.changed(C, made, "umount -l /usr/bin; rm -r /tmp/upper /tmp/work"):
        yield


@contextmanager
def dropped(bed: Bed, host: str, way: str = "") -> Iterator[None]:
    """End the SSH connections of a host, and let new ones go this way."""
    with bed.door(host, way):
        bed.signal_sshd(host, signal.SIGKILL)
        yield


@contextmanager
def other_host_key(bed: Bed) -> Iterator[None]:
    known = bed.folder / "known_hosts"
    before = known.read_text()
    # The worker is known by the key of its neighbour, as if it had been installed anew.
    keys = {line.split()[0].split(",")[0]: line.split() for line in before.splitlines()}
    keys[WORKER][1:] = keys["k06"][1:]
    known.write_text("\n".join(" ".join(words) for words in keys.values()) + "\n")
    try:
        with dropped(bed, WORKER):
            yield
    finally:
        known.write_text(before)


@contextmanager
def full_disk(bed: Bed) -> Iterator[None]:
    full = (
        "mount -t tmpfs -o size=64k,mode=1777 tmpfs /tmp; dd if=/dev/zero of=/tmp/full bs=1k 2>/dev/null; :"
    )
    with bed.changed(C, full, "umount -l /tmp"):
        yield


@contextmanager
def broken_pod(bed: Bed, script: str) -> Iterator[None]:
    """Do something to a pod that only another pod in its place mends."""
    pod = bed.pod()
    bed.in_pod(pod, script)
    try:
        yield
    finally:
        bed.replace_pod(pod)


_SERVER = """
import http.server as h
class Broken(h.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(500); self.send_header("Content-Length", 0); self.end_headers()
h.ThreadingHTTPServer(("", 81), Broken).serve_forever()
"""


@contextmanager
def pod_with_500(bed: Bed) -> Iterator[None]:
    """Let another server answer in the place of a pod's nginx."""
    pod = bed.pod()
    inside = "nsenter -t $1 -n"
    serve = f"{inside} setsid python3 /tmp/broken.py >/dev/null 2>&1 </dev/null &"
    listens = f"until {inside} grep -q ':0051 00000000:0000 0A' /proc/self/net/tcp; do sleep 0.05; done"
    redirect = f"{inside} iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 81"
    bed.in_pod(pod, f"echo '{_SERVER}' >/tmp/broken.py; {serve} {listens}; {redirect}; kill -9 \"$@\"")
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


# The kernel takes the routes over a link away with it.
_NOTE_ROUTES = "routes=$(ip -4 route show | grep ' dev eth0' | grep -v 'proto kernel')"
_LINK_UP = 'ip link set eth0 up; echo "$routes" | while read -r each; do [ -z "$each" ] || ip route replace $each; done'


@contextmanager
def cut_off(bed: Bed) -> Iterator[None]:
    """Take the link of a worker with a pod down."""
    node = bed.pod()["spec"]["nodeName"]
    routes = bed.sh(node, f'{_NOTE_ROUTES}; echo "$routes"; ip link set eth0 down')
    try:
        yield
    finally:
        bed.sh(node, f"routes='{routes.strip()}'; {_LINK_UP}")


@contextmanager
def route_gone(bed: Bed) -> Iterator[None]:
    """Take the load balancer's route to a pod away."""
    address = bed.pod()["status"]["podIP"].rpartition(".")[0]
    route = bed.sh(L, f"ip -4 route show {address}.0/24").strip()
    with bed.changed(L, f"ip route del {address}.0/24", f"ip route replace {route}"):
        yield


@contextmanager
def link_down(bed: Bed) -> Iterator[None]:
    """Cut the load balancer off for a while: what is sent to it is lost, and nothing comes back."""
    later = f"sleep 0.5; ip link set eth0 down; sleep {CUT_S}; {_LINK_UP}"
    bed.sh(L, f"{_NOTE_ROUTES}; ( {later} ) >/dev/null 2>&1 </dev/null &")
    began = time.monotonic()
    yield
    time.sleep(max(0.0, began + CUT_S + 2 - time.monotonic()))


@contextmanager
def clock_set(bed: Bed) -> Iterator[None]:
    with bed.changed(L, "date -s '+1 hour'", "date -s '-1 hour'"):
        yield


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


def signalled(_: Bed) -> AbstractContextManager[object]:
    return nullcontext()


FAULTS = (
    Fault("wrk missing", no_wrk, "wrk ended with exit code 127", "healed"),
    Fault("wrk crashing", lambda bed: wrk_that(bed, "kill -SEGV $$"), "signal 11", "healed"),
    Fault(
        "wrk hanging",
        lambda bed: wrk_that(bed, "exec sleep 300"),
        "had not ended 30 s after its time",
        "healed",
    ),
    Fault(
        "wrk printing rubbish",
        lambda bed: wrk_that(bed, "head -c 4096 /dev/urandom; exit 0"),
        "wrk printed no line",
        "healed",
    ),
    Fault(
        "SSH of a worker dropped", lambda bed: dropped(bed, WORKER), '"reconnected"', "healed", loses=False
    ),
    Fault(
        "SSH of the benchmarker dropped",
        lambda bed: dropped(bed, C),
        "SSH connection was lost",
        "stopped",
        waits=False,
    ),
    Fault("SSH refused", lambda bed: dropped(bed, WORKER, "refused"), "Connection refused", "stopped"),
    Fault("SSH slow", lambda bed: bed.door(C, "slow"), "converged", "healed", loses=False, early=True),
    Fault("SSH host hung", lambda bed: bed.hung(C), "host k12: ", "stopped", restore=True),
    Fault("host key changed", other_host_key, "offers the host key", "stopped"),
    Fault("disk full on the host", full_disk, "cannot be written", "stopped", loses=False, early=True),
    Fault(
        "pod killed",
        lambda bed: broken_pod(bed, 'kill -9 "$@"'),
        "errors:|got no answer|unable to connect",
        "healed",
    ),
    Fault("pod evicted", evicted, "is gone", "healed"),
    Fault("pod not ready", not_ready, "not ready", "healed"),
    Fault("pod answering 500", pod_with_500, "status [0-9]+", "healed"),
    Fault("worker cut off", cut_off, "(errors|stalled|syn_retransmits): |got no answer|was spent", "healed"),
    Fault("load balancer cut off", link_down, "host k11: ", "stopped", restore=True),
    Fault(
        "load balancer's table flushed",
        lambda bed: bed.changed(L, "ipvsadm -C", ":"),
        "host k11: the IPVS service",
        "stopped",
    ),
    Fault("load balancer's route gone", route_gone, "(errors|stalled|syn_retransmits): ", "healed"),
    Fault("load balancer's clock set", clock_set, "clock_step", "healed", loses=False),
    Fault(
        "API server down",
        lambda bed: for_seconds(bed, "dropped"),
        "trying again",
        "healed",
        loses=False,
        waits=False,
    ),
    Fault(
        "API server slow",
        lambda bed: for_seconds(bed, "slow"),
        "converged",
        "healed",
        loses=False,
        waits=False,
    ),
    Fault(
        "API server 429",
        lambda bed: for_seconds(bed, "429"),
        "status 429",
        "healed",
        loses=False,
        waits=False,
    ),
    Fault(
        "API server 500",
        lambda bed: for_seconds(bed, "500"),
        "status 500",
        "healed",
        loses=False,
        waits=False,
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
