"""The control plane of the lab as it is emulated: store, server and controllers put together.

Touches the event loop and the socket it is given.
"""

import socket
import ssl
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from pytest_kubelb.lab.api.access import Authorize, allow_all
from pytest_kubelb.lab.api.controllers.running import RunningControllers
from pytest_kubelb.lab.api.discovery import GIT_VERSION
from pytest_kubelb.lab.api.kubelet import Kubelet
from pytest_kubelb.lab.api.nodes import NodeSpec, node_object
from pytest_kubelb.lab.api.recorder import EventRecorder
from pytest_kubelb.lab.api.registry import Registry
from pytest_kubelb.lab.api.resources import NAMESPACES, NODES, SERVICECIDRS, SERVICES
from pytest_kubelb.lab.api.server import ApiServer
from pytest_kubelb.lab.api.service_ips import ServiceIps
from pytest_kubelb.lab.api.store import Store

_FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class ControlPlane:
    """A Kubernetes cluster without nodes of its own: what runs pods is given to it."""

    def __init__(
        self,
        kubelet: Kubelet,
        service_cidr: str,
        nodes: Sequence[NodeSpec],
        tokens: Mapping[str, str],
        authorize: Authorize = allow_all,
        *,
        ca_pem: str = "",
        history: int = 256,
        backoff_s: float = 10.0,
        bookmark_interval_s: float = 60.0,
    ) -> None:
        """Put the cluster together; nothing runs before `start`.

        `tokens` is bearer token -> user, `ca_pem` goes into the ConfigMap kube-root-ca.crt of every
        namespace, `history` is how many changes per resource a watch can go back, `backoff_s` the time to the
        first retry of a failed pod.
        """
        self.store = Store(history=history)
        self.registry = Registry(self.store, ServiceIps(self.store, service_cidr))
        self.controllers = RunningControllers(
            self.registry, EventRecorder(self.store), kubelet, ca_pem=ca_pem, backoff_s=backoff_s
        )
        self._server = ApiServer(self.registry, tokens, authorize, bookmark_interval_s=bookmark_interval_s)
        create_first_objects(self.registry, service_cidr)
        for node in nodes:
            self.registry.create(NODES, "", node_object(node, GIT_VERSION))

    async def start(self, sock: socket.socket, ssl_context: ssl.SSLContext) -> None:
        """Serve on a listening socket and run the controllers, in the current event loop."""
        self.controllers.start()
        await self._server.start(sock, ssl_context)

    async def stop(self) -> None:
        """Stop serving, then stop every pod through the kubelet. The store can still be read."""
        await self._server.stop()
        await self.controllers.stop()


def create_first_objects(registry: Registry, service_cidr: str) -> None:
    """Create what an API server finds or makes when it starts: the first namespaces, and the Service of itself."""
    for name in _FIRST_NAMESPACES:
        registry.create(NAMESPACES, "", {"metadata": {"name": name}})
    registry.create(SERVICECIDRS, "", {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": [service_cidr]}})
    # As in every cluster: the range's first address is the API's, and nobody else's.
    port = {"name": "https", "port": 443, "targetPort": 6443}
    spec = {"clusterIP": str(IPv4Network(service_cidr)[1]), "ports": [port]}
    labels = {"component": "apiserver", "provider": "kubernetes"}
    registry.create(SERVICES, "default", {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec})
