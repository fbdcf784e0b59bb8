"""What a cluster and hosts say of themselves, for an inventory that is yet to be written. Touches them, reading.

One question is put as a request that the API server must refuse: a Service with an address of TEST-NET-1 (RFC 5737).
The refusal names the range of Services, on clusters that have no ServiceCIDR objects (before Kubernetes 1.33) or do
not show them.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final

from pytest_kubelb.cluster import overlay
from pytest_kubelb.cluster.flannel import AS_PUBLISHED, Flannel
from pytest_kubelb.cluster.refusal import as_described
from pytest_kubelb.cluster.resources import CONFIG_MAPS, NODES, SERVICES, Json, Resource, Target
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight.answer import sections
from pytest_kubelb.preflight.kernel_tables import addresses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.testbed.hosts import Host

SERVICE_CIDRS: Final = Resource("networking.k8s.io", "v1", "servicecidrs")
_FLANNELS: Final = (AS_PUBLISHED, Flannel(namespace="kube-system"))
"""Where flannel's manifest puts it, and where it did until 2022."""
_NOWHERE: Final = "192.0.2.1"
_REFUSAL: Final = re.compile(r"range of valid IPs is ([0-9.]+/[0-9]+)")
_HOST_SCRIPT: Final = (
    "echo '%% addresses'; ip -4 -o address show; echo '%% cpus'; getconf _NPROCESSORS_ONLN; "
    "echo '%% default'; ip -4 route show default"
)


@dataclass(frozen=True)
class ClusterSurvey:
    """What the cluster told; None and empty is what it did not."""

    nodes: Sequence[Json] = ()
    overlay: str | None = None
    pod_range: str | None = None
    service_range: str | None = None
    taken: frozenset[str] | None = None
    """The addresses of all Services; None where they may not be seen."""
    flannel: Flannel = AS_PUBLISHED
    """Where flannel was found."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """What was asked in vain, and the sentence that came instead."""


@dataclass(frozen=True)
class HostSurvey:
    """What one host told."""

    name: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    """IPv4 address -> interface, loopback and the pod network's own left out."""
    cpus: int | None = None
    problem: str = ""


def of_cluster(api: Api, namespace: str) -> ClusterSurvey:
    """Ask the cluster, its parts in parallel. Raises TestbedError when not even its nodes can be listed."""
    with as_described("what the cluster answered"):
        return _of_cluster(api, namespace)


def _of_cluster(api: Api, namespace: str) -> ClusterSurvey:
    nodes = api.list(Target(NODES))["items"]
    problems: dict[str, str] = {}

    def tried(what: str, question: Any) -> Any:
        try:
            return question()
        except TestbedError as error:
            problems[what] = str(error)
            return None

    with ThreadPoolExecutor(4, thread_name_prefix="kubelb-init") as pool:
        places = [
            (
                each,
                pool.submit(
                    tried, "overlay", partial(api.find, CONFIG_MAPS, each.config_map, each.namespace)
                ),
            )
            for each in _FLANNELS
        ]
        told = pool.submit(tried, "service range", lambda: _service_range(api, namespace))
        services = pool.submit(tried, "services", lambda: api.list(Target(SERVICES))["items"])
    found = {each: str(text) for each, asked in places
             if (text := ((asked.result() or {}).get("data") or {}).get(each.KEY)) is not None}  # fmt: skip
    flannel, text = next(iter(found.items()), (None, None))
    listed = services.result()
    return ClusterSurvey(
        nodes=nodes,
        overlay=tried("overlay", partial(overlay.backend_type, text)) if text else None,
        flannel=flannel or AS_PUBLISHED,
        pod_range=_pod_range(text),
        service_range=told.result(),
        taken=None if listed is None else frozenset(str(each["spec"].get("clusterIP")) for each in listed),
        problems=problems,
    )


def _service_range(api: Api, namespace: str) -> str | None:
    try:
        listed = api.list(Target(SERVICE_CIDRS)).get("items") or ()
    except TestbedError:  # an older cluster has none, and an account may not see them
        listed = ()
    told = [cidr for item in listed for cidr in (item.get("spec") or {}).get("cidrs") or () if "." in cidr]
    return _network(str(told[0])) if told else _refused_range(api, namespace)


def _refused_range(api: Api, namespace: str) -> str | None:
    spec = {"clusterIP": _NOWHERE, "ports": [{"port": 80}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubelb-range"}, "spec": spec}
    refusal: TestbedError | None = None
    for where in (namespace, "default"):  # ours may not be there yet
        try:
            made = api.create(SERVICES, body, where)
        except TestbedError as error:
            match = _REFUSAL.search(str(error))
            if match is not None:
                return _network(match[1])
            refusal = refusal or error
        else:
            api.delete(SERVICES, made)  # a cluster that serves a range set aside for documentation
            return None
    if refusal is not None:
        raise refusal
    return None


def _pod_range(flannel: str | None) -> str | None:
    match = re.search(r'"Network"\s*:\s*"([0-9.]+/[0-9]+)"', flannel or "")
    return _network(match[1]) if match else None


def _network(text: str) -> str | None:
    try:
        return str(IPv4Network(text, strict=False))
    except ValueError:
        return None


def of_host(host: Host) -> HostSurvey:
    """Ask one host; an error is in the answer."""
    try:
        parts = sections(host.run(["sh", "-c", f"{_HOST_SCRIPT}; exit 0"]).stdout)
        found = addresses(parts.get("addresses", ()))
    except TestbedError as error:
        return HostSurvey(host.name, problem=str(error))
    cpus = "".join(parts.get("cpus", ()))
    outside = {
        address: nic
        for address, nic in found.items()
        if nic != "lo" and not nic.startswith(("flannel", "cni", "docker", "cali", "kube-", "veth"))
    }
    by_default = re.search(r"\bdev (\S+)", " ".join(parts.get("default", ())))
    if by_default:  # the interface towards the others comes first
        outside = dict(sorted(outside.items(), key=lambda pair: pair[1] != by_default[1]))
    return HostSurvey(
        host.name, outside, int(cpus) if cpus.isascii() and cpus.isdecimal() and len(cpus) < 10 else None
    )


def free_cluster_ip(told: ClusterSurvey) -> str | None:
    """Give an address for the Service out of the band that the cluster does not hand out by itself.

    That is the lower one, of min(max(16, size / 16), 256) addresses (KEP-3070, "Reserve Service IP Ranges For Dynamic
    and Static IP Allocation"). None unless the range and what is taken of it are known.
    """
    if told.service_range is None or told.taken is None:
        return None
    network = IPv4Network(told.service_range)
    band = min(
        max(16, network.num_addresses // 16), 250, network.num_addresses - 2
    )  # .250 is easier to tell from a network
    # Not the first ones: .1 is the API server's, and .10 is the cluster's DNS wherever kubeadm was used.
    candidates = (str(network[offset]) for offset in (*range(band, 10, -1), *range(min(band, 9), 1, -1)))
    return next((each for each in candidates if each not in told.taken), None)
