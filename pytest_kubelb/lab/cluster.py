"""The lab's cluster: the control plane with kubelets, flannel and kube-proxy put to it.

Touches the hosts through those.

What a cluster administrator would have installed is here as objects: the nodes, flannel's ConfigMap and
DaemonSet, and an empty namespace for the benches.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.control_plane import ControlPlane
from pytest_kubelb.lab.api.controllers.running import RunningControllers
from pytest_kubelb.lab.api.credentials import new_credentials, server_ssl_context, write_kubeconfig
from pytest_kubelb.lab.api.nodes import NodeSpec
from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import CONFIGMAPS, DAEMONSETS, NAMESPACES, NODES
from pytest_kubelb.lab.kube_proxy import KubeProxy
from pytest_kubelb.lab.kubelet import LabKubelet
from pytest_kubelb.lab.real_control_plane.components import find_programs
from pytest_kubelb.lab.real_control_plane.plane import RealControlPlane
from pytest_kubelb.lab.real_control_plane.processes import LAN_ADDRESS
from pytest_kubelb.lab.topology import (
    CLUSTER_NODES,
    ETHERNET_MTU,
    LOAD_BALANCER,
    POD_RANGE,
    SERVICE_RANGE,
    VXLAN_OVERHEAD_BYTES,
    Node,
    node,
)

NAMESPACE = "kubelb"
FLANNEL = "kube-flannel"
FLANNEL_CONFIG = "kube-flannel-cfg"
FLANNEL_DAEMONS = "kube-flannel-ds"
FLANNEL_IMAGE = "flannel:lab"
NET_CONF = "net-conf.json"
BACKEND_ANNOTATION = "flannel.alpha.coreos.com/backend-type"

SetOverlay = Callable[[Node, str, str], None]
"""Called in a thread with a node, the overlay it has and the one it is to have."""


class LabCluster:
    """One control plane and what runs on its nodes; lives in one event loop."""

    def __init__(self, overlay: str, folder: Path) -> None:
        """Begin with what takes longest: the programs of a real control plane, where they are there.

        `folder` is the lab's, for their logs.
        """
        self._overlay = overlay
        self._overlays = {each.name: overlay for each in CLUSTER_NODES}
        self._credentials = new_credentials(LAN_ADDRESS)
        self._kubelet = LabKubelet(self._mtu, {FLANNEL_IMAGE.partition(":")[0]: self._start_flannel})
        programs = find_programs()
        self._kube_proxy: KubeProxy | None = None
        """Ours; None where the real one follows the cluster."""
        self._real = RealControlPlane(programs, self._credentials, folder) if programs is not None else None

    async def start(self, api: socket.socket, kubeconfig: Path, set_overlay: SetOverlay) -> None:
        """Serve the API on `api`, create what an administrator would have, and write the kubeconfig."""
        self._set_overlay = set_overlay
        self._api, self._controllers = await self._join(api, [_node_spec(each) for each in CLUSTER_NODES])
        self._create_objects(self._overlay)
        server = f"https://127.0.0.1:{api.getsockname()[1]}"
        write_kubeconfig(kubeconfig, server, self._credentials, namespace=NAMESPACE)

    async def _join(
        self, api: socket.socket, nodes: Sequence[NodeSpec]
    ) -> tuple[ClusterApi, RunningControllers]:
        if self._real is not None:
            joined = await self._real.join(self._kubelet, nodes, api)
            return joined.registry, joined.controllers
        tokens = {self._credentials.token: "kubelb"}
        plane = ControlPlane(
            self._kubelet, str(SERVICE_RANGE), nodes, tokens, ca_pem=self._credentials.ca_pem
        )
        await plane.start(api, server_ssl_context(self._credentials))
        return plane.registry, plane.controllers

    async def start_kube_proxy(
        self, shell: Sequence[str], on_error: Callable[[TestbedError], None], *, shares_files: bool
    ) -> None:
        """Have the load balancer, where `shell` runs commands, follow Services and EndpointSlices from now on.

        The real kube-proxy does, where it is there and the host sees this machine's files (`shares_files`).
        """
        if self._real is not None and shares_files and self._real.start_kube_proxy(shell):
            return
        self._kube_proxy = await asyncio.to_thread(KubeProxy, shell, sys.stderr.buffer)

        def sync(services: Sequence[KubeObject], slices: Sequence[KubeObject]) -> None:
            try:
                cast("KubeProxy", self._kube_proxy).sync(services, slices)
            except TestbedError as error:
                on_error(error)

        self._sync = self._controllers.on_services_changed(sync)

    async def load_balancer_rebooted(self, shell: Sequence[str]) -> None:
        """Put on the load balancer, which came up as it did for the first time, what its agents had done since."""
        now = self._overlays[LOAD_BALANCER.name]
        if now != self._overlay:
            await asyncio.to_thread(self._set_overlay, LOAD_BALANCER, self._overlay, now)
        if self._kube_proxy is not None:
            self._kube_proxy.end()
            self._kube_proxy = await asyncio.to_thread(KubeProxy, shell, sys.stderr.buffer)
            self._sync()
        elif self._real is not None:
            self._real.start_kube_proxy(shell)

    def _mtu(self) -> int:
        overlay = next(iter(self._overlays.values()))
        return ETHERNET_MTU - (VXLAN_OVERHEAD_BYTES if overlay == "vxlan" else 0)

    async def _start_flannel(self, pod: KubeObject) -> str:
        """Do what flanneld does when it starts: read its configuration, set the node up, annotate the node."""
        here = node(pod["spec"]["nodeName"])
        configuration = self._api.read(CONFIGMAPS, FLANNEL, FLANNEL_CONFIG)["data"][NET_CONF]
        wanted = json.loads(configuration)["Backend"]["Type"]
        before = self._overlays[here.name]
        if wanted != before:
            await asyncio.to_thread(self._set_overlay, here, before, wanted)
            self._overlays[here.name] = wanted
        self._api.patch(NODES, "", here.name, lambda found: _annotated(found, wanted))
        return str(here.address)

    def _create_objects(self, overlay: str) -> None:
        create = self._api.create
        for name in (NAMESPACE, FLANNEL):
            create(NAMESPACES, "", {"metadata": {"name": name}})
        configuration = {"Network": str(POD_RANGE), "Backend": {"Type": overlay}}
        create(
            CONFIGMAPS,
            FLANNEL,
            {"metadata": {"name": FLANNEL_CONFIG}, "data": {NET_CONF: json.dumps(configuration)}},
        )
        create(DAEMONSETS, FLANNEL, _flannel_daemon_set())


def _node_spec(each: Node) -> NodeSpec:
    return NodeSpec(
        each.name,
        str(each.address),
        pod_cidr=str(each.pod_network),
        control_plane=each.role == "control_plane",
        cordoned=each is LOAD_BALANCER,
    )


def _annotated(found: KubeObject, overlay: str) -> KubeObject:
    metadata = found["metadata"]
    annotations = {**(metadata.get("annotations") or {}), BACKEND_ANNOTATION: overlay}
    return {**found, "metadata": {**metadata, "annotations": annotations}}


def _flannel_daemon_set() -> KubeObject:
    labels = {"app": "flannel"}
    return {
        "metadata": {"name": FLANNEL_DAEMONS, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostNetwork": True,
                    "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [{"name": "kube-flannel", "image": FLANNEL_IMAGE}],
                },
            },
        },
    }
