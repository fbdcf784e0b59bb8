"""Ask the cluster all that a preflight wants to know, at once, and judge it. Touches the Kubernetes API, reading.

What the account may not see is a warning that says so, unless a session needs to see it too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final

from pytest_kubelb.cluster import lease
from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER, SESSION_LABEL
from pytest_kubelb.cluster.overlay import Overlay
from pytest_kubelb.cluster.refusal import ApiError, as_described
from pytest_kubelb.cluster.resources import (
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    Json,
    Resource,
    Target,
)
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight import access, room
from pytest_kubelb.preflight.check import Check, fail, ok, split_sentence, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.preflight.access import Right
    from pytest_kubelb.preflight.wanted import Wanted

QUOTAS: Final = Resource("", "v1", "resourcequotas")
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class ClusterAnswer:
    """What the cluster answered, each part the answer or its error."""

    rights: Mapping[Right, bool | TestbedError] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)

    def items(self, part: str) -> list[Json] | None:
        """Give the objects of a listing; None when it was refused."""
        answer = self.parts.get(part)
        return list(answer["items"]) if isinstance(answer, dict) else None

    def unreachable(self) -> TestbedError | None:
        """Give the error when the API server cannot be reached or does not know who asks."""
        error = self.parts.get("nodes")
        if isinstance(error, TestbedError) and not (isinstance(error, ApiError) and error.status == 403):
            return error
        return None


def ask(api: Api, wanted: Wanted) -> ClusterAnswer:
    """Put all questions in parallel. Errors are in the answer, and never raised."""
    namespace = wanted.namespace
    questions: dict[str, Callable[[], Any]] = {
        "nodes": partial(api.list, Target(NODES)),
        "namespace": partial(api.find, NAMESPACES, namespace),
        "quotas": partial(api.list, Target(QUOTAS, namespace)),
        "pods": partial(api.list, Target(PODS)),
        "deployments": partial(api.list, Target(DEPLOYMENTS, namespace)),
        "services": partial(api.list, Target(SERVICES, namespace)),
        "lease": partial(api.find, LEASES, lease.NAME, namespace),
        "overlay": Overlay(api, wanted.inventory.flannel).read,
    }
    if wanted.proxy is not None and wanted.proxy.cluster_ip is not None:
        questions["all services"] = partial(api.list, Target(SERVICES))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kubelb-preflight") as pool:
        first = pool.submit(_tried, questions.pop("nodes")).result()  # one error for one server that is away
        if ClusterAnswer(parts={"nodes": first}).unreachable() is not None:
            return ClusterAnswer(parts={"nodes": first})
        parts = {name: pool.submit(_tried, question) for name, question in questions.items()}
        asked = dict.fromkeys([*needed_rights(wanted), *access.overlay_rights(wanted.inventory.flannel)])
        rights = {right: pool.submit(access.ask, api, right) for right in asked}
        return ClusterAnswer(
            {right: answer.result() for right, answer in rights.items()},
            {"nodes": first, **{name: part.result() for name, part in parts.items()}},
        )


def needed_rights(wanted: Wanted) -> list[Right]:
    """Give the rights that every session with this inventory needs."""
    found = access.rights(wanted.namespace, wanted.inventory.flannel)
    may_make = wanted.inventory.cluster.create_namespace
    return [*found, *access.namespace_rights(wanted.namespace)] if may_make else found


def _tried(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except TestbedError as error:
        return error


def pod_networks(answer: ClusterAnswer, wanted: Wanted) -> dict[str, str]:
    """Give node -> the IPv4 range of its pods, for the nodes that take pods of the workload and say it."""
    pod_spec = wanted.pod_spec()
    found = {}
    with as_described("a node"):
        for node in answer.items("nodes") or ():
            spec = node.get("spec") or {}
            ranges = [each for each in spec.get("podCIDRs") or [spec.get("podCIDR", "")] if "." in each]
            if ranges and room.takes(node, pod_spec):
                found[str(node["metadata"]["name"])] = str(IPv4Network(ranges[0], strict=False))
    return found


def judge(answer: ClusterAnswer, wanted: Wanted) -> Iterator[Check]:
    """Give the checks of the cluster. Raises TestbedError where its objects are none of a cluster's."""
    with as_described("what the cluster answered"):
        yield from _checks(answer, wanted)


def _checks(answer: ClusterAnswer, wanted: Wanted) -> Iterator[Check]:
    error = answer.unreachable()
    if error is not None:
        yield fail("api", "cluster", *split_sentence(str(error)))
        return
    yield ok("api", "cluster", f"answers to {wanted.inventory.cluster.kubeconfig.name}")
    needed = needed_rights(wanted)
    yield from _overlay(answer.parts["overlay"], wanted)
    if any(overlay != answer.parts["overlay"] for overlay in wanted.overlays):
        needed += access.overlay_rights(wanted.inventory.flannel)
    yield from access.judge(answer.rights, needed)
    yield from _room(answer, wanted)
    yield from _namespace(answer, wanted)
    yield from _lock(answer, wanted)
    yield from _leftovers(answer, wanted)
    if wanted.proxy is not None and wanted.proxy.cluster_ip is not None:
        yield _cluster_ip(answer, wanted.proxy.cluster_ip, wanted.namespace)


def _overlay(found: object, wanted: Wanted) -> Iterator[Check]:
    if isinstance(found, TestbedError):
        yield fail("overlay", "cluster", *split_sentence(str(found)))
    else:
        others = [overlay for overlay in wanted.overlays if overlay != found]
        then = f"; a session changes it to {', '.join(others)} and puts it back" if others else ""
        yield ok("overlay", "cluster", f"flannel with {found}{then}")


def _room(answer: ClusterAnswer, wanted: Wanted) -> Iterator[Check]:
    nodes, pod_spec = answer.items("nodes"), wanted.pod_spec()
    if nodes is None:
        return  # the missing right is said
    yield from room.judge_nodes(nodes, wanted.inventory.worker_nodes, pod_spec)
    yield room.judge_room(nodes, answer.items("pods"), wanted.pods, pod_spec)


def _namespace(answer: ClusterAnswer, wanted: Wanted) -> Iterator[Check]:
    where, found = f"namespace {wanted.namespace}", answer.parts["namespace"]
    if found is None and wanted.inventory.cluster.create_namespace:
        yield ok("namespace", where, "does not exist; a session makes it")
        return
    if found is None:
        remedy = (
            f"run `kubectl create namespace {wanted.namespace}`, name another in cluster.namespace, or let sessions"
            " make it with cluster.create_namespace"
        )
        yield fail("namespace", where, "does not exist", remedy)
        return
    if isinstance(found, TestbedError):
        remedy = "let the account `get` it in a ClusterRole to have this checked"
        yield warning("namespace", where, "not checked: this account may not see it", remedy)
    elif (found["metadata"] or {}).get("deletionTimestamp"):
        yield fail("namespace", where, "is being deleted", "wait until it is gone, and create it again")
    else:
        yield ok("namespace", where, "is there")
    quotas = answer.items("quotas")
    if quotas is None:
        remedy = "let the account `list` resourcequotas in its Role to have this checked"
        yield warning("quota", where, "not checked: this account may not see quotas", remedy)
    else:
        yield from room.judge_quotas(quotas, wanted.pods, wanted.pod_spec(), where)


def _lock(answer: ClusterAnswer, wanted: Wanted) -> Iterator[Check]:
    found, where = answer.parts["lease"], f"namespace {wanted.namespace}"
    if isinstance(found, TestbedError):
        return  # the missing right is said
    holder = lease.holder_of(found)
    if holder is None or holder.identity == wanted.holder:
        yield ok("lock", where, "nobody else holds the testbed" if holder else "nobody holds the testbed")
        return
    said = f"held by {holder.identity} since {holder.since}, renewed {holder.renewed}"
    remedy = f"wait for its end; one that was killed loses it after {holder.duration_s} s"
    yield warning("lock", where, said, remedy)


def _leftovers(answer: ClusterAnswer, wanted: Wanted) -> Iterator[Check]:
    where, name = f"namespace {wanted.namespace}", wanted.workload_name()
    found = False
    for part, kind in (("deployments", "Deployment"), ("services", "Service")):
        for item in answer.items(part) or ():
            labels = item["metadata"].get("labels") or {}
            each = item["metadata"]["name"]
            if labels.get(MANAGED_BY_LABEL) == MANAGER:
                found = True
                said = f"{kind} {each} of session {labels.get(SESSION_LABEL, 'unknown')}"
                remedy = "wait if that session still runs; if it was killed, the next one replaces it"
                yield warning("leftovers", where, said, remedy)
            elif each == name:
                found = True
                remedy = "choose another cluster.namespace, or remove it by hand"
                yield fail("leftovers", where, f"{kind} {each} is somebody else's: without our label", remedy)
    if not found and answer.items("deployments") is not None:
        yield ok("leftovers", where, "none")


def _cluster_ip(answer: ClusterAnswer, cluster_ip: str, namespace: str) -> Check:
    services = answer.items("all services")
    listed = services if services is not None else answer.items("services") or []
    for item in listed:
        labels = item["metadata"].get("labels") or {}
        if (item.get("spec") or {}).get("clusterIP") == cluster_ip and labels.get(
            MANAGED_BY_LABEL
        ) != MANAGER:
            whose = f"{item['metadata'].get('namespace', namespace)}/{item['metadata']['name']}"
            remedy = "choose a free address of the service range in backends.proxy.cluster_ip"
            return fail("clusterip", "cluster", f"{cluster_ip} is the address of Service {whose}", remedy)
    if services is None:
        remedy = "let the account `list` services in a ClusterRole to have this checked"
        return warning(
            "clusterip", "cluster", f"{cluster_ip} not checked: other namespaces may not be seen", remedy
        )
    return ok("clusterip", "cluster", f"{cluster_ip} is free")
