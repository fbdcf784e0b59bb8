"""The real control plane with our node agent on it, and our controllers where a program is missing.

Touches processes, the lab's folder and the holder's private /run.
"""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

from pytest_kubelb.lab.api.credentials import Credentials
from pytest_kubelb.lab.api.kubelet import Kubelet
from pytest_kubelb.lab.api.nodes import NodeSpec
from pytest_kubelb.lab.api.remote.connection import Server
from pytest_kubelb.lab.api.remote.joined import JoinedCluster
from pytest_kubelb.lab.real_control_plane import processes
from pytest_kubelb.lab.real_control_plane.components import (
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    PROXY,
    SCHEDULER,
    Programs,
    write_running,
)
from pytest_kubelb.lab.real_control_plane.relay import Relay
from pytest_kubelb.lab.real_control_plane.supervising import Supervised, wait_ready

FOLDER = Path("/run/kubernetes")
READY_TIMEOUT_S = 45.0


class RealControlPlane:
    """etcd and kube-apiserver, started when it is made: they need seconds, which the hosts are made in."""

    def __init__(self, programs: Programs, credentials: Credentials, logs: Path) -> None:
        self._programs = programs
        self._logs = logs
        self._kube_proxy: Supervised | None = None
        self._files = processes.Files(FOLDER)
        self._files.write(credentials)
        self._server = Server(processes.API_PORT, credentials.ca_pem, credentials.token)
        self._first = [
            Supervised(ETCD, processes.etcd(programs, self._files), logs),
            Supervised(API_SERVER, processes.api_server(programs, self._files), logs),
        ]
        self._running = {ETCD: programs.versions[ETCD], API_SERVER: programs.versions[API_SERVER]}

    async def join(self, kubelet: Kubelet, nodes: Sequence[NodeSpec], api: socket.socket) -> JoinedCluster:
        """Give the cluster, with its nodes, once the API answers; serve it on the listening socket `api`."""
        await asyncio.to_thread(wait_ready, self._server, self._first, READY_TIMEOUT_S)
        for name, command in (
            (CONTROLLER_MANAGER, processes.controller_manager),
            (SCHEDULER, processes.scheduler),
        ):
            if name in self._programs:
                Supervised(name, command(self._programs, self._files), self._logs)
                self._running[name] = self._programs.versions[name]
        joined = JoinedCluster(
            self._server,
            kubelet,
            manage=CONTROLLER_MANAGER not in self._programs,
            schedule=SCHEDULER not in self._programs,
        )
        await joined.start(nodes, self._programs.versions[API_SERVER])
        Relay(api, processes.API_PORT)
        write_running(self._logs, self._running)
        return joined

    def start_kube_proxy(self, shell: Sequence[str]) -> bool:
        """Run the real kube-proxy on the host that `shell` runs commands on; give whether there is one.

        The one that was started before ends: its host was started again.
        """
        if PROXY not in self._programs:
            return False
        if self._kube_proxy is not None:
            self._kube_proxy.end()
        command = " ".join(["exec", *processes.proxy(self._programs, self._files)])
        self._kube_proxy = Supervised(PROXY, [*shell, command], self._logs)
        self._running[PROXY] = self._programs.versions[PROXY]
        write_running(self._logs, self._running)
        return True
