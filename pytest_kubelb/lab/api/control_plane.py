"""The control plane of the lab: store, controllers and server put together.

Touches the event loop and the socket it is given.
"""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network

from pytest_kubelb.lab.api.access import Authorize, allow_all
from pytest_kubelb.lab.api.controllers.daemonsets import DaemonSetController
from pytest_kubelb.lab.api.controllers.deployments import DeploymentController
from pytest_kubelb.lab.api.controllers.endpointslices import EndpointSliceController
from pytest_kubelb.lab.api.controllers.garbage import GarbageCollector
from pytest_kubelb.lab.api.controllers.loop import Controller, ControllerLoop
from pytest_kubelb.lab.api.controllers.namespaces import NamespaceController, QuotaController
from pytest_kubelb.lab.api.controllers.node_agent import NodeAgent
from pytest_kubelb.lab.api.controllers.replicasets import ReplicaSetController
from pytest_kubelb.lab.api.controllers.scheduler import Scheduler
from pytest_kubelb.lab.api.discovery import GIT_VERSION
from pytest_kubelb.lab.api.kubelet import Kubelet, PodFailure
from pytest_kubelb.lab.api.listeners import Debounced, is_object
from pytest_kubelb.lab.api.nodes import NodeSpec, node_object
from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.recorder import EventRecorder
from pytest_kubelb.lab.api.registry import Registry
from pytest_kubelb.lab.api.resources import ENDPOINTSLICES, NAMESPACES, NODES, SERVICES, Resource
from pytest_kubelb.lab.api.server import ApiServer
from pytest_kubelb.lab.api.service_ips import ServiceIps
from pytest_kubelb.lab.api.store import Store

_FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

ServicesChanged = Callable[[list[KubeObject], list[KubeObject]], None]
"""Called with all Services and all EndpointSlices; both are shared with the store and must not be changed."""


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
        history: int = 1024,
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
        recorder = EventRecorder(self.store)
        self._agent = NodeAgent(self.registry, recorder, kubelet, self._wake, backoff_s=backoff_s)
        controllers: list[Controller] = [
            NamespaceController(self.registry, ca_pem),
            GarbageCollector(self.store),
            DeploymentController(self.registry, recorder),
            ReplicaSetController(self.registry, recorder),
            DaemonSetController(self.registry, recorder),
            Scheduler(self.store, recorder),
            self._agent,
            EndpointSliceController(self.registry),
            QuotaController(self.registry),
        ]
        self._loop = ControllerLoop(self.store, controllers)
        self._server = ApiServer(self.registry, tokens, authorize, bookmark_interval_s=bookmark_interval_s)
        self._listeners: list[Debounced] = []
        self._create_first_objects(service_cidr, nodes)

    async def start(self, sock: socket.socket, ssl_context: ssl.SSLContext) -> None:
        """Serve on a listening socket and run the controllers, in the current event loop."""
        self._loop.start()
        await self._server.start(sock, ssl_context)

    async def stop(self) -> None:
        """Stop serving, then stop every pod through the kubelet. The store can still be read."""
        await self._server.stop()
        for listener in self._listeners:
            listener.end()
        self._loop.stop()
        await self._agent.stop()

    def on_services_changed(self, callback: ServicesChanged) -> None:
        """Call `callback` after Services or EndpointSlices changed, once per tick of the loop.

        What a kube-proxy needs.
        """

        def call() -> None:
            callback(self.store.all(SERVICES), self.store.all(ENDPOINTSLICES))

        self._listeners.append(Debounced(self.store, (SERVICES, ENDPOINTSLICES), lambda _: True, call))

    def on_object_changed(
        self, resource: Resource, namespace: str, name: str, callback: Callable[[KubeObject | None], None]
    ) -> None:
        """Call `callback` with one object after more than its metadata or status changed, once per tick.

        None when it is gone.
        """

        def call() -> None:
            callback(self.store.find(resource, namespace, name))

        self._listeners.append(Debounced(self.store, (resource,), is_object(namespace, name), call))

    def container_failed(self, uid: str, failure: PodFailure) -> None:
        """For the node side, from the loop's thread.

        The container of the pod of this uid no longer runs or answers.
        """
        self._agent.container_failed(uid, failure)

    def _wake(self) -> None:
        self._loop.wake()

    def _create_first_objects(self, service_cidr: str, nodes: Sequence[NodeSpec]) -> None:
        for name in _FIRST_NAMESPACES:
            self.registry.create(NAMESPACES, "", {"metadata": {"name": name}})
        for node in nodes:
            self.registry.create(NODES, "", node_object(node, GIT_VERSION))
        # As in every cluster: the range's first address is the API's, and nobody else's.
        port = {"name": "https", "port": 443, "targetPort": 6443}
        spec = {"clusterIP": str(IPv4Network(service_cidr)[1]), "ports": [port]}
        labels = {"component": "apiserver", "provider": "kubernetes"}
        self.registry.create(
            SERVICES, "default", {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec}
        )
