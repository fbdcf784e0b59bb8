"""Read readiness, and reasons why it will not come, out of Kubernetes objects. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_kubelb.cluster.resources import Json

# Reasons of a waiting container that do not go away by waiting. Source: kubelet, pkg/kubelet/images/types.go,
# pkg/kubelet/container/sync_result.go and pkg/kubelet/kuberuntime.
STUCK_REASONS = frozenset(
    {
        "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull",
        "ErrImagePull", "ImageInspectError", "ImagePullBackOff", "InvalidImageName", "PostStartHookError",
        "PreCreateHookError", "PreStartHookError", "RegistryUnavailable", "RunContainerError",
    }
)  # fmt: skip


@dataclasses.dataclass(frozen=True, order=True)
class Endpoint:
    """One ready address of the Service, the pod behind it and the node the pod is on."""

    ip: str
    pod: str
    node: str


def ready_endpoints(slices: Iterable[Json]) -> tuple[Endpoint, ...]:
    """Return each ready address once, in the order of the addresses.

    An unset `ready` counts as ready (API reference, EndpointConditions); a terminating endpoint does not.
    """
    found: dict[str, Endpoint] = {}
    for one in slices:
        for endpoint in one.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            if conditions.get("ready") is False or conditions.get("terminating"):
                continue
            pod = (endpoint.get("targetRef") or {}).get("name", "")
            for address in endpoint.get("addresses", ()):
                found[address] = Endpoint(address, pod, endpoint.get("nodeName") or "")
    return tuple(sorted(found.values(), key=lambda endpoint: ipaddress.ip_address(endpoint.ip).packed))


def why_stuck(pods: Iterable[Json], deployment: Json) -> str | None:
    """Say why the pods asked for will not come, in the cluster's own words; None while they still may."""
    return next(_refused_pods(deployment), None) or next(_stuck_pods(list(pods)), None)


def _refused_pods(deployment: Json) -> Iterator[str]:
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return  # its conditions still speak of the last scale
    for condition in status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield f"pods are refused: {condition.get('reason')}: {condition.get('message')}"


def _stuck_pods(pods: list[Json]) -> Iterator[str]:
    leaving = any(pod["metadata"].get("deletionTimestamp") for pod in pods)
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        containers = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
        for container in containers:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in STUCK_REASONS:
                said = waiting.get("message") or "no message"
                yield f"pod {name}: {waiting['reason']}: {said}{_last(container)}"
        for condition in status.get("conditions") or ():
            unschedulable = condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
            # Room may come back while pods of the last scale still leave.
            if unschedulable and condition["status"] == "False" and not leaving:
                yield f"pod {name}: Unschedulable: {condition.get('message') or 'no message'}"


def _last(container: Json) -> str:
    ended = (container.get("lastState") or {}).get("terminated")
    if not ended:
        return ""
    return f" (last ended with exit code {ended.get('exitCode')}, {ended.get('reason')})"
