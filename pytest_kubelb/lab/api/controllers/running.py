"""All controllers and the node agent on one API, run and ended together.

Touches the event loop, the API and the kubelet it is given.
"""

from collections.abc import Callable

from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.controllers.daemonsets import DaemonSetController
from pytest_kubelb.lab.api.controllers.deployments import DeploymentController
from pytest_kubelb.lab.api.controllers.endpointslices import EndpointSliceController
from pytest_kubelb.lab.api.controllers.garbage import GarbageCollector
from pytest_kubelb.lab.api.controllers.loop import Controller, ControllerLoop
from pytest_kubelb.lab.api.controllers.namespaces import NamespaceController, QuotaController
from pytest_kubelb.lab.api.controllers.node_agent import NodeAgent
from pytest_kubelb.lab.api.controllers.replicasets import ReplicaSetController
from pytest_kubelb.lab.api.controllers.scheduler import Scheduler
from pytest_kubelb.lab.api.kubelet import Kubelet, PodFailure
from pytest_kubelb.lab.api.listeners import Debounced, is_object
from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.recorder import Recorder
from pytest_kubelb.lab.api.resources import ENDPOINTSLICES, SERVICES, Resource

ServicesChanged = Callable[[list[KubeObject], list[KubeObject]], None]
"""Called with all Services and all EndpointSlices; both are shared with the store and must not be changed."""


class RunningControllers:
    """What makes a cluster follow what is written into its API."""

    def __init__(
        self,
        api: ClusterApi,
        recorder: Recorder,
        kubelet: Kubelet,
        *,
        ca_pem: str = "",
        backoff_s: float = 10.0,
        manage: bool = True,
        schedule: bool = True,
    ) -> None:
        """Put them together; nothing runs before `start`.

        `manage` and `schedule` are False where a real kube-controller-manager or kube-scheduler does that part;
        the node agent is always ours. `backoff_s` is the time to the first retry of a failed pod.
        """
        self._store = api.store
        self._agent = NodeAgent(api, recorder, kubelet, self._wake, backoff_s=backoff_s)
        controllers: list[Controller] = []
        if manage:
            controllers += [
                NamespaceController(api, ca_pem),
                GarbageCollector(api),
                DeploymentController(api, recorder),
                ReplicaSetController(api, recorder),
                DaemonSetController(api, recorder),
            ]
        if schedule:
            controllers.append(Scheduler(api, recorder))
        controllers.append(self._agent)
        if manage:
            controllers += [EndpointSliceController(api), QuotaController(api)]
        self._loop = ControllerLoop(api.store, controllers)
        self._listeners: list[Debounced] = []

    def start(self) -> None:
        """Run in the current event loop."""
        self._loop.start()

    async def stop(self) -> None:
        """Stop the controllers, then every pod through the kubelet."""
        for listener in self._listeners:
            listener.end()
        self._loop.stop()
        await self._agent.stop()

    def on_services_changed(self, callback: ServicesChanged) -> Callable[[], None]:
        """Call `callback` after Services or EndpointSlices changed, once per tick of the loop.

        What a kube-proxy needs. Gives what calls it in between.
        """

        def call() -> None:
            callback(self._store.all(SERVICES), self._store.all(ENDPOINTSLICES))

        self._listeners.append(Debounced(self._store, (SERVICES, ENDPOINTSLICES), lambda _: True, call))
        return call

    def on_object_changed(
        self, resource: Resource, namespace: str, name: str, callback: Callable[[KubeObject | None], None]
    ) -> None:
        """Call `callback` with one object after more than its metadata or status changed, once per tick.

        None when it is gone.
        """

        def call() -> None:
            callback(self._store.find(resource, namespace, name))

        self._listeners.append(Debounced(self._store, (resource,), is_object(namespace, name), call))

    def container_failed(self, uid: str, failure: PodFailure) -> None:
        """For the node side, from the loop's thread.

        The container of the pod of this uid no longer runs or answers.
        """
        self._agent.container_failed(uid, failure)

    def _wake(self) -> None:
        self._loop.wake()
