"""A control plane in a thread of its own, so that the synchronous official client can drive it."""

import asyncio
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from kubernetes import config, watch
from kubernetes.client.exceptions import ApiException

from pytest_kubelb.lab.api.access import Authorize, allow_all
from pytest_kubelb.lab.api.control_plane import ControlPlane
from pytest_kubelb.lab.api.credentials import new_credentials, server_ssl_context, write_kubeconfig
from pytest_kubelb.lab.api.nodes import NodeSpec
from pytest_kubelb.lab.api.objects import KubeObject

from .joined_plane import JoinedPlane

if TYPE_CHECKING:
    from pytest_kubelb.lab.api.kubelet import PodFailure

T = TypeVar("T")

# The official client's hand-written parts are not typed.
Watch: Any = watch.Watch
_new_client: Any = config.new_client_from_config_dict

NODES = (
    NodeSpec("k04", "192.168.0.104", "172.16.4.0/24", control_plane=True),
    *(NodeSpec(f"k{n:02}", f"192.168.0.{100 + n}", f"172.16.{n}.0/24") for n in range(5, 11)),
)
WORKERS = tuple(node.name for node in NODES[1:])


class FakeKubelet:
    """Gives every pod an address and starts nothing.

    A fake because the tests of this folder are about the API and the controllers: what they decide must not
    depend on network namespaces, privileges and nginx, which the lab's own tests bring.
    """

    def __init__(self) -> None:
        self.failures: dict[str, PodFailure] = {}
        """Image -> how its containers fail."""
        self.start_s = 0.0
        """How long a container takes until it answers."""
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._addresses = itertools.count(2)

    async def start(self, pod: KubeObject) -> str:
        """Answer after a turn of the loop, as a kubelet that works for a whole batch does."""
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(self.start_s)
        self._at_once -= 1
        failure = self.failures.get(pod["spec"]["containers"][0]["image"])
        if failure is not None:
            raise failure
        self.started.append(pod["metadata"]["name"])
        number = next(self._addresses)
        return f"172.16.{int(pod['spec']['nodeName'][1:])}.{number % 250 + 2}"

    async def stop(self, pod: KubeObject) -> None:
        """Note it."""
        self.stopped.append(pod["metadata"]["name"])


class Cluster:
    """A running control plane and the way to it."""

    def __init__(
        self, plane: Any, kubelet: FakeKubelet, kubeconfig: Path, tokens: MutableMapping[str, str]
    ) -> None:
        self.plane = plane
        self.kubelet = kubelet
        self.kubeconfig = kubeconfig
        self.tokens = tokens
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="control plane")
        self._clients: list[Any] = []

    def run(self, call: Callable[[], T]) -> T:
        """Run a function in the control plane's thread and give what it gives."""

        async def called() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(10)

    def client(self, token: str | None = None) -> Any:
        """Give the official client's ApiClient, with the kubeconfig's token or another one."""
        content = yaml.safe_load(self.kubeconfig.read_text())
        if token is not None:
            content["users"][0]["user"]["token"] = token
        made = _new_client(content)
        self._clients.append(made)
        return made

    @contextmanager
    def running(self, sock: socket.socket, context: Any) -> Iterator["Cluster"]:
        """Serve as long as the block lasts."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.plane.start(sock, context), self._loop).result(10)
            yield self
        finally:
            for made in self._clients:  # its pool of connections is closed by nothing else
                made.rest_client.close()
            asyncio.run_coroutine_threadsafe(self.plane.stop(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()


@contextmanager
def cluster(
    folder: Path, authorize: Authorize = allow_all, *, joined: bool = False, **options: Any
) -> Iterator[Cluster]:
    """Start a cluster with the lab's nodes, as the lab does: the socket is opened first and handed over.

    `joined`: the controllers reach the API by HTTPS, as they do where the lab runs a real kube-apiserver.
    """
    credentials = new_credentials()
    sock = socket.create_server(("127.0.0.1", 0))
    kubeconfig = folder / "kubeconfig"
    write_kubeconfig(kubeconfig, f"https://127.0.0.1:{sock.getsockname()[1]}", credentials)
    tokens = {credentials.token: "lab-admin", "bobs-token": "bob"}
    kubelet = FakeKubelet()
    options |= {"ca_pem": credentials.ca_pem, "backoff_s": 0.05}
    plane: ControlPlane | JoinedPlane
    if joined:
        plane = JoinedPlane(kubelet, "10.254.0.0/16", NODES, tokens, **options)
    else:
        plane = ControlPlane(kubelet, "10.254.0.0/16", NODES, tokens, authorize, **options)
    with Cluster(plane, kubelet, kubeconfig, tokens).running(
        sock, server_ssl_context(credentials)
    ) as running:
        yield running


def status_of(error: ApiException) -> dict[str, Any]:
    """Give the Status in the body of an error."""
    status: dict[str, Any] = json.loads(error.body or "")
    return status


def deployment(
    name: str = "web", replicas: int = 1, image: str = "nginx:1.22", **pod_spec: Any
) -> KubeObject:
    """Give a Deployment as the plugin makes it."""
    container = {"name": "nginx", "image": image, "ports": [{"containerPort": 80}]}
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container], **pod_spec},
            },
        },
    }


def service(name: str = "web", cluster_ip: str | None = None) -> KubeObject:
    """Give a Service for the pods of `deployment(name)`."""
    spec: KubeObject = {"selector": {"app": name}, "ports": [{"port": 80}]}
    if cluster_ip is not None:
        spec["clusterIP"] = cluster_ip
    return {"metadata": {"name": name}, "spec": spec}


def until(condition: Callable[[], T], *, timeout_s: float = 10.0) -> T:
    """Ask until the answer is true, and give it; for what has no watch of its own in a test."""
    end = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"not so within {timeout_s} s: {condition}"
        time.sleep(0.01)
