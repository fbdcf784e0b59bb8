"""The lab's controllers on an API server elsewhere: the lab's own one, served bare, from another thread."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pytest_kubelb.lab.api.access import allow_all
from pytest_kubelb.lab.api.control_plane import create_first_objects
from pytest_kubelb.lab.api.kubelet import Kubelet
from pytest_kubelb.lab.api.nodes import NodeSpec
from pytest_kubelb.lab.api.registry import Registry
from pytest_kubelb.lab.api.remote.connection import Server
from pytest_kubelb.lab.api.remote.joined import JoinedCluster
from pytest_kubelb.lab.api.server import ApiServer
from pytest_kubelb.lab.api.service_ips import ServiceIps
from pytest_kubelb.lab.api.store import Store


class JoinedPlane:
    """A control plane in two halves that know of each other by HTTPS alone."""

    def __init__(
        self,
        kubelet: Kubelet,
        service_cidr: str,
        nodes: Sequence[NodeSpec],
        tokens: Mapping[str, str],
        *,
        ca_pem: str,
        backoff_s: float,
    ) -> None:
        self.served = Store()
        registry = Registry(self.served, ServiceIps(self.served, service_cidr))
        create_first_objects(registry, service_cidr)
        self._nodes, self._kubelet = nodes, kubelet
        self._ca_pem, self._token, self._backoff_s = ca_pem, next(iter(tokens)), backoff_s
        self._registry, self._tokens = registry, tokens
        self._server = ApiServer(registry, tokens, allow_all)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bare API server")

    async def start(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        """Serve from a thread, then join from the calling loop."""
        self._port, self._context = sock.getsockname()[1], context
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(sock, context), self._loop).result(10)
        self.joined = JoinedCluster(
            Server(self._port, self._ca_pem, self._token), self._kubelet, backoff_s=self._backoff_s
        )
        self.controllers = self.joined.controllers
        await self.joined.start(self._nodes, "v1.36.0")

    def run_in_server(self, call: Callable[[], None]) -> None:
        """Run a function in the server's thread."""

        async def called() -> None:
            call()

        asyncio.run_coroutine_threadsafe(called(), self._loop).result(10)

    def cut_watches(self) -> None:
        """End every watch, as a server that restarts does; from the server's thread."""
        for watch in list(self._server._watches):
            watch.close()

    @contextmanager
    def server_away(self) -> Iterator[None]:
        """Take the server away for the block; it comes back at its port with what it had."""
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(10)
        yield
        self._server = ApiServer(self._registry, self._tokens, allow_all)
        sock = socket.create_server(("127.0.0.1", self._port))
        asyncio.run_coroutine_threadsafe(self._server.start(sock, self._context), self._loop).result(10)

    async def stop(self) -> None:
        """End both halves."""
        await self.joined.stop()
        asyncio.run_coroutine_threadsafe(self._end_server(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end_server(self) -> None:
        await self._server.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)
