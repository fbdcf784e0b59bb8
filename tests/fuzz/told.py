"""Targets that read what the Kubernetes API tells, what other programs ask the gate, and what users write as options.

Touches nothing; the API's objects come without an API.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from pytest_kubelb import option_values
from pytest_kubelb.cluster import lease, overlay
from pytest_kubelb.cluster.endpoints import ready_endpoints, why_stuck
from pytest_kubelb.cluster.refusal import as_described, message_of, refused
from pytest_kubelb.cluster.resources import PODS
from pytest_kubelb.cluster.resources import Target as Asked
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.gate import stream
from pytest_kubelb.load.command import wrk_command
from pytest_kubelb.load.json_fields import decode_object
from pytest_kubelb.options import OPTIONS
from pytest_kubelb.preflight import access, cluster, room
from pytest_kubelb.record import marks, pruning
from pytest_kubelb.tuning import cpuset
from tests.fuzz.files import scratch
from tests.fuzz.target import Target
from tests.preflight import made

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POD = {
    "metadata": {"name": "kubelb-1", "namespace": "bench", "uid": "u", "labels": {"a": "b"}, "deletionTimestamp": None},
    "spec": {"nodeName": "k05", "containers": [{"resources": {"requests": {"cpu": "100m"}}}]},
    "status": {
        "phase": "Pending", "podIP": "172.16.1.2",
        "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
                               "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}],
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}],
    },
}  # fmt: skip
NODE = {
    "metadata": {"name": "k05", "labels": {}, "annotations": {"flannel.alpha.coreos.com/backend-type": "vxlan"}},
    "spec": {"podCIDRs": ["172.16.1.0/24"], "taints": [{"key": "a", "effect": "NoSchedule"}], "unschedulable": False},
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"pods": "110", "cpu": "16"},
               "addresses": [{"type": "InternalIP", "address": "192.168.0.105"}]},
}  # fmt: skip
DEPLOYMENT = {
    "metadata": {"name": "kubelb", "generation": 2, "labels": {"app.kubernetes.io/managed-by": "pytest-kubelb"}},
    "spec": {"replicas": 2},
    "status": {"observedGeneration": 2, "conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]},
}  # fmt: skip
SLICE = {"metadata": {"name": "kubelb-x"}, "endpoints": [
    {"addresses": ["172.16.1.2"], "conditions": {"ready": True, "terminating": False}, "nodeName": "k05",
     "targetRef": {"name": "kubelb-1"}}]}  # fmt: skip
LEASE = {
    "spec": {
        "holderIdentity": "bob",
        "acquireTime": "2026",
        "renewTime": "2026",
        "leaseDurationSeconds": 10**10,
    }
}
QUOTA = {
    "metadata": {"name": "q"},
    "status": {"hard": {"pods": "10", "cpu": "4"}, "used": {"pods": "1", "cpu": "100m"}},
}
FLANNEL = {"Network": "172.16.0.0/16", "Backend": {"Type": "vxlan"}}
QUESTION = {"baseline": [[40000.0, 40100.0, 39900.0]] * 3, "candidate": [40000.0, 39000.0, 41000.0]}
_PIECES = 6


def _objects(data: bytes) -> list[Any]:
    """Give the objects of six lines of JSON, as a client that decoded them would hand them on; none is no object."""
    lines = data.split(b"\n", _PIECES - 1)
    try:
        found = [decode_object(line) for line in lines]
    except ValueError as error:  # the client says so
        raise KubelbError(f"no objects: {error}") from error
    return [*found, *[{}] * (_PIECES - len(found))]


def _of_api(data: bytes) -> object:
    pod, node, deployment, slice_, held, quota = _objects(data)
    wanted = made.wanted(scratch())
    with as_described("what is watched"):  # as `watch.Watcher.wait_for` reads them
        found = (ready_endpoints([slice_]), why_stuck([pod], deployment))
    lease.holder_of(held)
    message_of(json.dumps(pod).encode())
    rights = [*cluster.needed_rights(wanted), *access.overlay_rights(wanted.inventory.flannel)]
    told = cluster.ClusterAnswer(
        rights=dict.fromkeys(rights, True),
        parts={
            "nodes": {"items": [node]}, "namespace": deployment, "quotas": {"items": [quota]}, "pods": {"items": [pod]},
            "deployments": {"items": [deployment]}, "services": {"items": [deployment]}, "lease": held,
            "overlay": "vxlan", "all services": {"items": [deployment]},
        }
    )  # fmt: skip
    cluster.pod_networks(told, wanted)
    return found, list(cluster.judge(told, wanted)), room.is_ready(node)


def _refusal(data: bytes) -> object:
    raise refused("list", Asked(PODS, "bench"), 403, data, "kubeconfig")


def _overlay(data: bytes) -> object:
    text = data.decode(errors="replace")
    return overlay.backend_type(overlay.with_backend_type(text, "host-gw"))


def _questions(data: bytes) -> object:
    out = io.StringIO()
    stream.answer_all(io.BytesIO(data), out, "stdin")
    return [decode_object(line) for line in out.getvalue().splitlines()]


def _options(data: bytes) -> object:
    """Give the same text to the parser of every option; those that refuse it do so with a rule."""
    text = data.decode(errors="replace").strip("\n")
    parsers: Mapping[str, Callable[[str], object]] = {
        **{option.key: option.parse for option in OPTIONS},
        "tag": marks.check_tag,
        "age": pruning.parse_age,
        "cpus": cpuset.parse,
        "flag": option_values.parse_flag,
        "url": lambda url: wrk_command(
            url, script="s", host_header=url, connections=1, threads=1, duration_s=1
        ),
    }
    taken = []
    for name, parse in parsers.items():
        try:
            parse(text)
        except (KubelbError, ValueError):
            continue
        else:
            taken.append(name)
    return taken


def targets() -> list[Target]:
    """Give the targets of this module."""
    objects = (POD, NODE, DEPLOYMENT, SLICE, LEASE, QUOTA)
    options = (b"1,2,8", b"4-40/2", b"ipvs,proxy", b"10s", b"5%", b"auto:80", b"last:5", b"~/x.json", b"20261123T07",
               b"0-3,8", b"http://10.0.0.1:8888/", b"30d", b"true")  # fmt: skip
    return [
        Target("Kubernetes objects", _of_api, (b"\n".join(json.dumps(one).encode() for one in objects),)),
        Target("Kubernetes status", _refusal, (b'{"kind": "Status", "message": "forbidden"}', b"<html>no</html>")),
        Target("flannel's configuration", _overlay, (json.dumps(FLANNEL).encode(),)),
        Target("questions to the gate", _questions,
               (json.dumps(QUESTION).encode(), json.dumps({"cells": {"a": QUESTION}, "max_drop": 0.05}).encode())),
        Target("options", _options, options, ()),
    ]  # fmt: skip
