"""The lab's container runtime: each pod a network namespace on its node's bridge, running nginx.

Touches the holder's namespaces.

What a pod runs is what its spec says: its container's command, environment, user and sysctls, with a tmpfs for
each emptyDir. There is no image to unpack: a pod sees this machine's files, so its nginx is this machine's
nginx.
"""

import contextlib
import http.client
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from pyroute2 import IPRoute

from pytest_kubelb.lab import namespaces, rootless
from pytest_kubelb.lab.topology import POD_BRIDGE, Node, mac_of

LOGS = Path("/run/pods")
PROBE_INTERVAL_S = 0.003
# A SYN to a link that is coming up is lost, and TCP sends the next one after a second: try anew before that.
FIRST_PATIENCE_S = 0.05


class PodStartError(Exception):
    """A pod did not come up; `reason` is the word Kubernetes uses for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class PodTask:
    """What the runtime needs to know of a pod."""

    uid: str
    node: Node
    command: tuple[str, ...]
    environment: Mapping[str, str]
    empty_dirs: tuple[str, ...]
    """Where a tmpfs of the pod's own is mounted."""
    sysctls: Mapping[str, str]
    user: int
    group: int
    port: int
    probe_path: str
    mtu: int


@dataclass(frozen=True)
class _Running:
    task: PodTask
    address: IPv4Address
    process: subprocess.Popen[bytes]


class PodRuntime:
    """Starts and stops pods; safe to call from several threads."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._taken: set[IPv4Address] = set()
        self._lock = threading.Lock()
        LOGS.mkdir(mode=0o755, exist_ok=True)

    def start(self, task: PodTask, timeout_s: float) -> str:
        """Start the pod and give its address once its container answers; raises PodStartError."""
        address = self._allocate(task.node)
        try:
            process = self._launch(task, address)
            self._running[task.uid] = _Running(task, address, process)
            _wait_answering(task, address, process, timeout_s)
        except (OSError, PodStartError) as error:
            self.stop(task.uid)
            with self._lock:
                self._taken.discard(address)
            if isinstance(error, PodStartError):
                raise
            raise PodStartError("CreateContainerError", str(error)) from error
        return str(address)

    def stop(self, uid: str) -> None:
        """End the pod's processes and take its namespace away; unknown pods are no error."""
        running = self._running.pop(uid, None)
        if running is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
        _unplug(running.task)
        namespaces.delete(_namespace(uid))
        _log(uid).unlink(missing_ok=True)
        with self._lock:
            self._taken.discard(running.address)

    def _allocate(self, node: Node) -> IPv4Address:
        # The lowest free address: one-digit host parts keep every pod's answer equally long.
        network = node.pod_network
        if network is None:
            raise PodStartError("FailedCreatePodSandBox", f"{node.name} is not a cluster node")
        with self._lock:
            address = next(
                host for host in network.hosts() if host > node.gateway and host not in self._taken
            )
            self._taken.add(address)
        return address

    def _launch(self, task: PodTask, address: IPv4Address) -> subprocess.Popen[bytes]:
        name = _namespace(task.uid)
        path = namespaces.create(name)
        with namespaces.inside(task.node.name), IPRoute() as ip, path.open("rb") as namespace:
            bridge = ip.link_lookup(ifname=POD_BRIDGE)[0]
            peer = {
                "ifname": "eth0",
                "address": mac_of(address),
                "net_ns_fd": namespace.fileno(),
                "mtu": task.mtu,
            }
            ip.link(
                "add",
                ifname=_veth(task),
                kind="veth",
                master=bridge,
                mtu=task.mtu,
                state="up",
                peer=peer,
            )
        with namespaces.inside(name), _log(task.uid).open("wb") as log:
            _configure(address, task)
            if not rootless.inside():  # /dev/stderr is opened anew by the container's user
                os.fchown(log.fileno(), task.user, task.group)
            return subprocess.Popen(
                _container_command(task),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={
                    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    **task.environment,
                },
                start_new_session=True,  # a process group of its own, so that stop() ends nginx' workers as well
            )


def _container_command(task: PodTask) -> list[str]:
    mounts = "".join(
        f"mount -t tmpfs -o mode=1777 tmpfs {shlex.quote(place)} && " for place in task.empty_dirs
    )
    return [
        "unshare",
        "--mount",
        "sh",
        "-c",
        f'{mounts}exec {_identity(task)} -- "$@"',
        "container",
        *task.command,
    ]


def _identity(task: PodTask) -> str:
    """Give the command that makes what follows it the container's user."""
    if not rootless.inside():
        return f"setpriv --reuid {task.user} --regid {task.group} --clear-groups --no-new-privs"
    # There is one uid only: what makes it another user than the host's is that it may do nothing.
    nothing = "--inh-caps=-all --ambient-caps=-all --bounding-set=-all" if task.user else ""
    return f"setpriv {nothing} --no-new-privs"


def _veth(task: PodTask) -> str:
    """Give the node's end of a pod's link."""
    return f"veth{task.uid[:8]}"


def _unplug(task: PodTask) -> None:
    """Take a pod's link away, as a network plugin does.

    The pod's namespace is there until its last connection ends, which for one whose peer is cut off takes minutes.
    """
    with namespaces.inside(task.node.name), IPRoute() as ip:
        for link in ip.link_lookup(ifname=_veth(task)):
            ip.link("del", index=link)


def _namespace(uid: str) -> str:
    return f"pod-{uid}"


def _log(uid: str) -> Path:
    return LOGS / f"{uid}.log"


def _last_words(uid: str, exit_code: int) -> str:
    lines = _log(uid).read_text(errors="replace").strip().splitlines()
    return f"container ended with exit code {exit_code}: {lines[-1] if lines else 'it said nothing'}"


def _configure(address: IPv4Address, task: PodTask) -> None:
    for name, value in task.sysctls.items():
        Path("/proc/sys", *name.split(".")).write_text(value)
    with IPRoute() as ip:
        ip.link("set", index=1, state="up")
        eth0 = ip.link_lookup(ifname="eth0")[0]
        ip.link("set", index=eth0, state="up")
        prefix = task.node.pod_network.prefixlen if task.node.pod_network else 32
        ip.addr("add", index=eth0, address=str(address), prefixlen=prefix)
        ip.route("add", dst="default", gateway=str(task.node.gateway))


def _wait_answering(
    task: PodTask, address: IPv4Address, process: subprocess.Popen[bytes], timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    patience_s = FIRST_PATIENCE_S
    with namespaces.inside(task.node.name):
        while not _answers(str(address), task.port, task.probe_path, patience_s):
            if process.poll() is not None:
                raise PodStartError("CrashLoopBackOff", _last_words(task.uid, process.returncode))
            if time.monotonic() > deadline:
                raise PodStartError(
                    "ContainersNotReady", f"no answer on port {task.port} within {timeout_s:.0f} s"
                )
            time.sleep(PROBE_INTERVAL_S)
            patience_s = min(1.0, patience_s * 1.5)


def _answers(address: str, port: int, path: str, timeout_s: float) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (TimeoutError, OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
