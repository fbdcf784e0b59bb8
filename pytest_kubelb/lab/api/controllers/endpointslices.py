"""Services and pods -> EndpointSlices, at most 100 endpoints each, changed as little as possible.

Touches the API.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/; as the real controller, a Service
with a selector and no pods has one slice whose endpoints and ports are null.
"""

from collections.abc import Sequence

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import (
    Key,
    KubeObject,
    is_deleting,
    key_of,
    labels_of,
    object_reference,
    owner_reference,
    pod_is_ready,
)
from pytest_kubelb.lab.api.resources import ENDPOINTSLICES, NAMESPACES, PODS, SERVICES

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
CONTROLLER = "endpointslice-controller.k8s.io"
MOST_ENDPOINTS = 100

Ports = tuple[tuple[str, int, str], ...]


class EndpointSliceController:
    """Makes EndpointSlices follow Services and pods."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._store = api.store
        self._dirty: dict[Key, None] = {}

    def observe(self, change: Change) -> None:
        """Note that a Service changed, a pod it selects or did select, or one of its slices."""
        obj = change.object
        if change.resource == SERVICES:
            self._dirty[key_of(obj)] = None
        elif change.resource == PODS:
            labels = [labels_of(pod).items() for pod in (obj, change.previous) if pod is not None]
            for service in self._store.all(SERVICES, obj["metadata"]["namespace"]):
                selector = (service["spec"].get("selector") or {}).items()
                if selector and any(selector <= held for held in labels):
                    self._dirty[key_of(service)] = None
        elif change.resource == ENDPOINTSLICES and labels_of(obj).get(MANAGED_BY) == CONTROLLER:
            self._dirty[obj["metadata"]["namespace"], labels_of(obj).get(SERVICE_NAME, "")] = None

    def reconcile(self) -> bool:
        """Write the slices of every Service that is noted."""
        busy = bool(self._dirty)
        while self._dirty:
            key = next(iter(self._dirty))
            del self._dirty[key]
            service = self._store.find(SERVICES, *key)
            namespace = self._store.find(NAMESPACES, "", key[0])
            if (
                service is not None
                and service["spec"].get("selector")
                and namespace is not None
                and not is_deleting(namespace)
            ):
                self._sync(service)
        return busy

    def _sync(self, service: KubeObject) -> None:
        namespace, name = key_of(service)
        slices = [
            s
            for s in self._store.all(ENDPOINTSLICES, namespace)
            if labels_of(s).get(MANAGED_BY) == CONTROLLER and labels_of(s).get(SERVICE_NAME) == name
        ]
        by_ports: dict[Ports, list[KubeObject]] = {}
        for pod in self._selected(service):
            by_ports.setdefault(_ports(service, pod), []).append(_endpoint(service, pod))
        wanted: list[tuple[str | None, Ports, list[KubeObject]]] = []
        for ports, endpoints in by_ports.items():
            wanted += _distributed([s for s in slices if _slice_ports(s) == ports], ports, endpoints)
        self._write(service, slices, wanted or [(_placeholder(slices), (), [])])

    def _selected(self, service: KubeObject) -> list[KubeObject]:
        selector = service["spec"]["selector"].items()
        pods = self._store.all(PODS, service["metadata"]["namespace"])
        return [
            pod
            for pod in pods
            if selector <= labels_of(pod).items()
            and pod.get("status", {}).get("podIP")
            and pod["status"].get("phase") not in ("Succeeded", "Failed")
        ]

    def _write(
        self,
        service: KubeObject,
        slices: Sequence[KubeObject],
        wanted: Sequence[tuple[str | None, Ports, list[KubeObject]]],
    ) -> None:
        namespace, name = key_of(service)
        kept = {slice_name for slice_name, _, _ in wanted}
        labels = {**labels_of(service), MANAGED_BY: CONTROLLER, SERVICE_NAME: name}
        if service["spec"].get("clusterIP") == "None":
            labels["service.kubernetes.io/headless"] = ""
        for slice_name, ports, endpoints in wanted:
            metadata = {
                "generateName": f"{name}-",
                "labels": labels,
                "ownerReferences": [owner_reference(service)],
            }
            body = {
                "metadata": metadata,
                "addressType": "IPv4",
                "endpoints": endpoints or None,
                "ports": [{"name": n, "port": number, "protocol": protocol} for n, number, protocol in ports]
                or None,
            }
            if slice_name is None:
                self._api.create(ENDPOINTSLICES, namespace, body)
            else:
                body["metadata"] = {**metadata, "name": slice_name}
                self._api.replace(ENDPOINTSLICES, namespace, slice_name, body)
        for old in slices:
            if old["metadata"]["name"] not in kept:
                self._api.delete(ENDPOINTSLICES, *key_of(old), DeleteOptions())


def _distributed(
    slices: Sequence[KubeObject], ports: Ports, endpoints: Sequence[KubeObject]
) -> list[tuple[str | None, Ports, list[KubeObject]]]:
    """Endpoints over the slices there are, each kept where it is.

    What is new fills up, then opens further slices.
    """
    left = {endpoint["targetRef"]["uid"]: endpoint for endpoint in endpoints}
    filled: list[tuple[str | None, Ports, list[KubeObject]]] = []
    for existing in slices:
        uids = [old["targetRef"]["uid"] for old in existing.get("endpoints") or ()]
        filled.append((existing["metadata"]["name"], ports, [left.pop(uid) for uid in uids if uid in left]))
    fresh = list(left.values())
    for _, _, held in filled:
        room = MOST_ENDPOINTS - len(held)
        held += fresh[:room]
        fresh = fresh[room:]
    filled += [(None, ports, fresh[at : at + MOST_ENDPOINTS]) for at in range(0, len(fresh), MOST_ENDPOINTS)]
    return [entry for entry in filled if entry[2]]


def _placeholder(slices: Sequence[KubeObject]) -> str | None:
    return str(slices[0]["metadata"]["name"]) if slices else None


def _slice_ports(endpoint_slice: KubeObject) -> Ports:
    return tuple(
        (port.get("name", ""), port["port"], port["protocol"]) for port in endpoint_slice.get("ports") or ()
    )


def _ports(service: KubeObject, pod: KubeObject) -> Ports:
    """Give the Service's ports on this pod.

    Numbers as they are, names looked up in its containers, unknown ones left out.
    """
    named = {
        (port.get("name"), port["protocol"]): port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
    }
    found = []
    for port in service["spec"].get("ports") or ():
        target = port["targetPort"]
        number = target if isinstance(target, int) else named.get((target, port["protocol"]))
        if number is not None:
            found.append((port.get("name", ""), number, port["protocol"]))
    return tuple(found)


def _endpoint(service: KubeObject, pod: KubeObject) -> KubeObject:
    serving, terminating = pod_is_ready(pod), is_deleting(pod)
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": always or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": object_reference(pod),
        "nodeName": pod["spec"]["nodeName"],
    }
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == service["metadata"]["name"]:
        endpoint["hostname"] = pod["spec"]["hostname"]
    return endpoint
