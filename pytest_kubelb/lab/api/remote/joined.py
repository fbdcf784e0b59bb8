"""Our controllers and node agent on another API server. Touches that server and the kubelet."""

from collections.abc import Sequence

from pytest_kubelb.lab.api.controllers.running import RunningControllers
from pytest_kubelb.lab.api.kubelet import Kubelet
from pytest_kubelb.lab.api.nodes import NodeSpec, node_object
from pytest_kubelb.lab.api.remote.connection import Connection, Server
from pytest_kubelb.lab.api.remote.following import Following
from pytest_kubelb.lab.api.remote.mirror import Mirror
from pytest_kubelb.lab.api.remote.recorder import RemoteRecorder
from pytest_kubelb.lab.api.remote.remote_api import RemoteApi
from pytest_kubelb.lab.api.resources import (
    CONFIGMAPS,
    ENDPOINTSLICES,
    EVENTS,
    NODES,
    PODS,
    RESOURCES,
    SERVICES,
    Resource,
)

_NODE_SIDE = (NODES, PODS, SERVICES, ENDPOINTSLICES, CONFIGMAPS)
# Events are many, and no controller reads them.
_EVERYTHING = tuple(each for each in RESOURCES if "watch" in each.verbs and each is not EVENTS)


class JoinedCluster:
    """What runs in this process for a cluster whose API server is elsewhere."""

    def __init__(
        self,
        server: Server,
        kubelet: Kubelet,
        *,
        backoff_s: float = 10.0,
        manage: bool = True,
        schedule: bool = True,
    ) -> None:
        """Put it together; nothing is asked of the server before `start`.

        `manage` and `schedule` are False where others do the work of kube-controller-manager and kube-scheduler.
        """
        self.store = Mirror()
        self._connection = Connection(server)
        self.registry = RemoteApi(self.store, self._connection)
        self._recorder = RemoteRecorder(Connection(server))
        self.controllers = RunningControllers(
            self.registry,
            self._recorder,
            kubelet,
            ca_pem=server.ca_pem,
            backoff_s=backoff_s,
            manage=manage,
            schedule=schedule,
        )
        resources: Sequence[Resource] = _EVERYTHING if manage else _NODE_SIDE
        self._following = Following(server, self.store, resources)

    async def start(self, nodes: Sequence[NodeSpec], version: str, *, timeout_s: float = 10.0) -> None:
        """List what there is, register the nodes as kubelets of `version` would, and run."""
        await self._following.start(timeout_s)
        for node in nodes:
            self.registry.create(NODES, "", node_object(node, version))
        self.controllers.start()

    async def stop(self) -> None:
        """Stop the controllers and every pod, and leave the server."""
        await self.controllers.stop()
        await self._following.close()
        self._recorder.close()
        self._connection.close()
