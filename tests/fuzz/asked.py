"""Targets that ask while they read: a cluster's API and a host that answer what they like, and undo journals.

Touches nothing; both are asked through the code of the package, with the connection alone exchanged.
"""

from __future__ import annotations

import json
import socket
import threading
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_kubelb.backends.ipvs_host import sysctls_for
from pytest_kubelb.cluster import overlay, watch
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.flannel import AS_PUBLISHED
from pytest_kubelb.cluster.lease import Lease
from pytest_kubelb.cluster.leftovers import ClusterLeftovers
from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER, SESSION_LABEL
from pytest_kubelb.cluster.overlay import BEFORE_ANNOTATION
from pytest_kubelb.cluster.refusal import as_described
from pytest_kubelb.cluster.resources import SERVICES, Json
from pytest_kubelb.cluster.resources import Target as Asked
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.load.json_fields import decode, decode_object
from pytest_kubelb.preflight import draft, survey
from pytest_kubelb.testbed import identity, journal, leftovers
from pytest_kubelb.testbed.hosts import Completed
from tests.fuzz import answers, told
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LABELS = {MANAGED_BY_LABEL: MANAGER, SESSION_LABEL: "20261123t072210z-3f9c"}
CHANGED = '{"by": "bob@box pid 7 session x", "namespace": "bench", "since": "2026", "configuration": "{}"}'
OBJECTS: Mapping[str, Json] = {
    "nodes": told.NODE,
    "services": {"metadata": {"name": "kubelb", "uid": "u", "labels": LABELS}, "spec": {"clusterIP": "10.96.0.9"}},
    "deployments": {**told.DEPLOYMENT, "metadata": {"name": "kubelb", "uid": "u", "labels": LABELS}},
    "leases": {"metadata": {"name": "kubelb", "labels": LABELS, "resourceVersion": "7"},
               "spec": {**told.LEASE["spec"], "leaseTransitions": 3}},
    "configmaps": {"metadata": {"name": "kube-flannel-cfg", "annotations": {BEFORE_ANNOTATION: CHANGED}},
                   "data": {"net-conf.json": '{"Network": "172.16.0.0/16", "Backend": {"Type": "vxlan"}}'}},
    "servicecidrs": {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/12"]}},
}  # fmt: skip
"""Plural of a resource -> the one object that there is of it."""
SAID = (
    "%% addresses\n2: eth0    inet 192.168.0.11/24 brd 192.168.0.255 scope global eth0\n%% cpus\n16\n"
    "%% default\ndefault via 192.168.0.1 dev eth0\n"
)
SESSION = "20261123T072210Z-3f9c"
IPVS = {
    "vip": "192.168.0.111", "port": 8888, "iptables": "iptables", "has_vip": False, "has_rule": False,
    "sysctls": dict.fromkeys(sysctls_for((6, 0)), "0"),
    "service": {"options": ["-s", "rr"], "real_servers": {"172.16.1.2:80": ["-m", "-w", "1"]}},
}  # fmt: skip
PROXY = {"cluster_ip": "10.254.0.10", "routes": ["10.254.0.10 via 192.168.0.1 dev eth0"]}
HELD = f"bob@{socket.gethostname()} pid 1 session {SESSION}\n2026-11-23T07:22:13Z"
LOAD = {"folder": f"/tmp/kubelb.{SESSION}.0123abcd"}  # noqa: S108 - never made


class ToldApi(Api):
    """An API server of which each resource has the object that is given."""

    def __init__(self, objects: Mapping[str, Any]) -> None:
        self._objects = objects
        self.on_event = lambda _: None
        self.credentials = "kubeconfig"

    def _ask(self, verb: str, target: Asked, **_: object) -> Json:
        item = self._objects.get(target.resource.plural, {})
        listed: Json = {
            "items": item if isinstance(item, list) else [item],
            "metadata": {"resourceVersion": "1"},
        }
        return listed if verb == "list" else item if isinstance(item, dict) else {}


class ToldHost:
    """A host whose every command prints this."""

    name = "k11"

    def __init__(self, says: str) -> None:
        self._says = says

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        return Completed(self.name, " ".join(argv), self._says, "", 0, 0.1)


def _parts(data: bytes) -> tuple[dict[str, Any], str]:
    """Give the objects in the first line, and the text after it. Raises KubelbError where that is none."""
    first, _, rest = data.partition(b"\n")
    try:
        return decode_object(first), rest.decode(errors="replace")
    except ValueError as error:
        raise KubelbError(f"no objects: {error}") from error


def _survey(data: bytes) -> object:
    """Ask a cluster and a host, as `kubelb init` does; what it writes is TOML."""
    objects, said = _parts(data)
    api = ToldApi(objects)
    host = survey.of_host(ToldHost(said))  # type: ignore[arg-type]  # it is asked to run commands alone
    found = survey.of_cluster(api, "kubelb")
    written = draft.write(draft.Places("rack", "ssh_config", "kubeconfig", None, {}), found, host, host)
    return tomllib.loads(written.text.encode().decode())


def _leftovers(data: bytes) -> object:
    """Look for what a session left in a cluster, and take the cluster over."""
    objects = _parts(data)[0]
    api = ToldApi(objects)
    left = ClusterLeftovers(api, "bench", AS_PUBLISHED)
    found = left.find(lambda *who: identity.lives_here(*who) or False, lambda _: None)
    left.put_back(found, lambda session: f"{session} runs")
    for _, resource, item in found.objects:
        api.delete(resource, item)
    lease = Lease(api, "bench", "us")
    lease._take(lease._find())
    overlay.Overlay(api).read()
    return found


def _events(data: bytes) -> object:
    """Follow the events of a watch, as its thread does."""
    follower = watch._Follower(ToldApi({}), Asked(SERVICES, "bench"), threading.Condition())
    version = "1"
    for line in data.split(b"\n"):
        try:
            event = decode(line)
        except ValueError:  # the watch was cut
            continue
        with as_described("an event"):
            version = follower._apply(event, version)
    return version


def _put_back(data: bytes) -> object:
    """Put back what a journal says, on a host that answers as one does whose state was changed."""
    journals, _, said = data.decode(errors="replace").partition("\n%%%\n")
    found = leftovers.Leftovers(journal.parse_listing(journals.splitlines()), "")
    restored = leftovers.put_back(ToldHost(said), found, lambda _: "")
    for line in (*restored.lines, *restored.problems):
        line.encode()
    return restored


def _held(data: bytes) -> object:
    holder, _, since = data.decode(errors="replace").partition("\n")
    return identity.session_of(holder), identity.lives_here(holder, since)


@cache
def _journals() -> tuple[bytes, ...]:
    answered = (
        (journal.TUNING, answers.PAYLOAD, answers.TUNING),
        (journal.IPVS, IPVS, answers.STATE),
        (journal.PROXY, PROXY, f"{PROXY['routes'][0]}\n%%\n{PROXY['routes'][0]}\n"),
        (journal.LOAD, LOAD, ""),
    )
    made = []
    for kind, payload, said in answered:
        left = journal.Journal(SESSION, kind, "k11", "2026-11-23", "box", 1, 2, payload)
        made.append(f"journal x\n{journal.encode(left)}\n%%%\n{said}".encode())
    return tuple(made)


def targets() -> list[Target]:
    """Give the targets of this module."""
    cluster = json.dumps(OBJECTS)
    events = [{"type": kind, "object": told.POD} for kind in ("ADDED", "MODIFIED", "BOOKMARK", "DELETED")]
    error = {"type": "ERROR", "object": {"kind": "Status", "message": "too old", "code": 410}}
    lines = [json.dumps(each).encode() for each in (*events, error)]
    return [
        Target("cluster and host, for init", _survey, (f"{cluster}\n{SAID}".encode(),)),
        Target("cluster, for restore", _leftovers, (cluster.encode(),)),
        Target("events of a watch", _events, (b"\n".join(lines[:4]), b"\n".join(lines))),
        Target("put back", _put_back, _journals()),
        Target("holder of a lock", _held, (HELD.encode(),), ()),
    ]
