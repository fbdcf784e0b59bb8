"""The workload: one Deployment and one Service, scaled and waited for. Touches these two objects only.

An object of our name without our managed-by label is never changed: that is an error. What a dead session
left behind carries the label and is replaced, whatever its name.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_kubelb.cluster.endpoints import Endpoint, ready_endpoints, why_stuck
from pytest_kubelb.cluster.manifests import MANAGED_BY_LABEL, MANAGER, SESSION_LABEL, Manifest
from pytest_kubelb.cluster.refusal import as_described
from pytest_kubelb.cluster.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    SERVICES,
    Json,
    Resource,
    Target,
)
from pytest_kubelb.cluster.watch import State, Watcher
from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.cluster.client import Api

__all__ = ["Endpoint", "Workload"]

_KINDS = ((DEPLOYMENTS, "Deployment"), (SERVICES, "Service"))
DELETE_TIMEOUT_S = 60.0


class Workload:
    """The pods under load, owned by one session. Not for use by several threads."""

    def __init__(self, api: Api, manifest: Manifest) -> None:
        self._api = api
        self._manifest = manifest
        self._uid = ""
        self.cluster_ip = ""
        """The Service's address, once deployed."""

    def deploy(self) -> None:
        """Create Service and Deployment at 0 replicas, after removing leftovers of an earlier session.

        Raises TestbedError when an object of our name is not ours, or the cluster refuses.
        """
        manifest, namespace = self._manifest, self._manifest.namespace
        for resource, kind in _KINDS:
            self._ours(resource, kind)
        # Under any name: a session that compared two workloads may have died as well.
        dead = f"{MANAGED_BY_LABEL}={MANAGER},{SESSION_LABEL}!={manifest.session}"
        left = [
            (resource, item)
            for resource, _ in _KINDS
            for item in self._api.list(Target(resource, namespace, labels=dead))["items"]
        ]
        for resource, item in left:
            name, labels = item["metadata"]["name"], item["metadata"].get("labels") or {}
            owner = labels.get(SESSION_LABEL, "unknown")
            self._api.on_event(f"kubernetes: replacing {resource.plural} {name} of session {owner}")
            self._api.delete(resource, item)
        if left:
            wait_until_gone(self._api, namespace, dead)
        service = self._api.create(SERVICES, manifest.service(), namespace, is_ours=self._is_of_this_session)
        made = self._api.create(
            DEPLOYMENTS, manifest.deployment(), namespace, is_ours=self._is_of_this_session
        )
        with as_described(str(self)):
            self._uid = str(made["metadata"]["uid"])
        with as_described(f"Service {manifest.name} in namespace {namespace}"):
            self.cluster_ip = str(service["spec"]["clusterIP"])

    def scale(self, pods: int, *, timeout_s: float) -> tuple[Endpoint, ...]:
        """Scale to `pods` and return the endpoints once exactly that many addresses are ready.

        Raises TestbedError as soon as the cluster says why pods cannot come, when the Deployment is deleted,
        replaced or scaled by someone else, and after `timeout_s`.
        """
        manifest = self._manifest
        self._require_ours()
        started = time.monotonic()
        scale = {"spec": {"replicas": pods}}
        self._api.patch(DEPLOYMENTS, manifest.name, scale, manifest.namespace, subresource="scale")
        ready = 0

        def judge(state: State) -> tuple[Endpoint, ...] | None:
            nonlocal ready
            slices, running, deployments = state
            if slices is None or running is None or deployments is None:
                return None
            deployment = self._still_ours(deployments, pods)
            # Only pods of this session count: slices of a Service just replaced may linger.
            endpoints = ready_endpoints(slices.values())
            ready = len(endpoints)
            if ready == pods and all(endpoint.pod in running for endpoint in endpoints):
                return endpoints
            reason = why_stuck(running.values(), deployment)
            if reason is not None:
                raise TestbedError(
                    f"scaling {self} to {pods} pods cannot succeed: {' '.join(reason.split())[:500]}; {ready}"
                    f" are ready after {time.monotonic() - started:.1f} s; remove the cause and run again"
                )
            return None

        with Watcher(self._api, self._targets()) as watcher:
            try:
                return watcher.wait_for(judge, timeout_s)
            except TimeoutError as error:
                raise TestbedError(
                    f"scaling {self} to {pods} pods: {ready} are ready after {timeout_s:g} s and the cluster"
                    " names no reason; see 'kubectl get pods,endpointslices' there"
                ) from error

    def running(self) -> dict[str, str]:
        """Give the pods that there are now and are not leaving, one request: name -> `node/address[, not ready]`."""
        listed = self._api.list(Target(PODS, self._manifest.namespace, labels=self._label_selector()))
        with as_described("a pod"):
            return {
                str(pod["metadata"]["name"]): _place(pod)
                for pod in listed["items"]
                if not pod["metadata"].get("deletionTimestamp")
            }

    def delete(self) -> None:
        """Delete what this session made and wait until its pods are gone; nothing else is touched."""
        for resource, kind in _KINDS:
            item = self._ours(resource, kind)
            owner = item["metadata"]["labels"].get(SESSION_LABEL) if item is not None else None
            if item is not None and owner == self._manifest.session:
                self._api.delete(resource, item)
        wait_until_gone(self._api, self._manifest.namespace, self._label_selector())

    def __str__(self) -> str:
        return f"Deployment {self._manifest.name} in namespace {self._manifest.namespace}"

    def _ours(self, resource: Resource, kind: str) -> Json | None:
        """Find our object; None when there is none. Raises TestbedError when it is someone else's."""
        name, namespace = self._manifest.name, self._manifest.namespace
        item = self._api.find(resource, name, namespace)
        if item is None:
            return None
        with as_described(f"{kind} {name} in namespace {namespace}"):
            manager = (item["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL)
        if manager != MANAGER:
            raise TestbedError(
                f"{kind} {name} in namespace {namespace} has {MANAGED_BY_LABEL}={manager}, not {MANAGER}, and"
                " is left alone; choose another namespace in the inventory or remove it by hand"
            )
        return item

    def _require_ours(self) -> None:
        """Look before a scale whether the Deployment is the one that was made; one that is missing fails by itself."""
        found = self._ours(DEPLOYMENTS, "Deployment")
        if found is not None and self._uid and found["metadata"].get("uid") != self._uid:
            raise TestbedError(
                f"{self} was deleted by someone else and made anew, and is left alone; see who uses the namespace"
            )

    def _is_of_this_session(self, found: Json) -> bool:
        labels = found["metadata"].get("labels") or {}
        return labels.get(MANAGED_BY_LABEL) == MANAGER and labels.get(SESSION_LABEL) == self._manifest.session

    def _still_ours(self, deployments: Mapping[str, Json], pods: int) -> Json:
        deployment = deployments.get(self._manifest.name)
        if deployment is None:
            raise TestbedError(
                f"{self} was deleted by someone else during a scale; see who uses the namespace"
            )
        replicas = deployment["spec"].get("replicas")
        if replicas != pods:
            raise TestbedError(
                f"{self} was scaled by someone else to {replicas} pods, {pods} are wanted; see who uses the"
                " namespace, an autoscaler for one"
            )
        return deployment

    def _label_selector(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self._manifest.selector.items())

    def _targets(self) -> list[Target]:
        name, namespace = self._manifest.name, self._manifest.namespace
        return [
            Target(ENDPOINT_SLICES, namespace, labels=f"kubernetes.io/service-name={name}"),
            Target(PODS, namespace, labels=self._label_selector()),
            Target(DEPLOYMENTS, namespace, fields=f"metadata.name={name}"),
        ]


def wait_until_gone(api: Api, namespace: str, labels: str) -> None:
    """Return when no Deployment, Service or pod has these labels. Raises TestbedError after `DELETE_TIMEOUT_S`."""
    targets = [Target(resource, namespace, labels=labels) for resource in (DEPLOYMENTS, SERVICES, PODS)]
    left: list[str] = []

    def judge(state: State) -> bool | None:
        left[:] = [name for objects in state for name in objects or ()]
        return True if None not in state and not left else None

    with Watcher(api, targets) as watcher:
        try:
            watcher.wait_for(judge, DELETE_TIMEOUT_S)
        except TimeoutError as error:
            raise TestbedError(
                f"deleting in namespace {namespace}: {', '.join(left[:5])} ({len(left)} objects) are still there after"
                f" {DELETE_TIMEOUT_S:g} s; see 'kubectl describe' for what holds them"
            ) from error


def _place(pod: Json) -> str:
    """Give `node/address`, and whether the pod is not ready there."""
    status = pod.get("status") or {}
    ready = any(
        each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ()
    )
    return f"{pod['spec'].get('nodeName', '')}/{status.get('podIP', '')}{'' if ready else ', not ready'}"
