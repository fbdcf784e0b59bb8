"""The process that holds a lab: builds the hosts, serves the API, runs the nodes' agents. Run by `launch`.

It is started inside fresh network, mount and PID namespaces. Everything it makes lives in those and ends with
them: there is no clean-up code to run or to forget. It says one line of JSON on its standard output when the
lab is ready, or why not.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.lab import doors, guest_uml, namespaces, nodes, qemu, rootless, sshd
from pytest_kubelb.lab.cluster import LabCluster, SetOverlay
from pytest_kubelb.lab.flannel import Batches, overlay_batches, removal_batch
from pytest_kubelb.lab.guest import Guest
from pytest_kubelb.lab.state import INSIDE
from pytest_kubelb.lab.topology import LOAD_BALANCER, NODES, Node

KUBECONFIG = "kubeconfig"
GUEST_TIMEOUT_S = 50.0
FIRST_OVERLAY = "vxlan"
LOOK_EVERY_S = 0.5
"""How often it is looked whether the load balancer's console grew, which costs a stat()."""


def main() -> None:
    """Hold a lab until the standard input of a tied one closes, or for ever."""
    parser = argparse.ArgumentParser(prog="pytest_kubelb.lab.holder")
    parser.add_argument("state", type=Path)
    parser.add_argument("lock", type=int, help="the descriptor whose lock says that this lab is alive")
    parser.add_argument(
        "api", type=int, help="the listening socket, opened before the network namespace was entered"
    )
    parser.add_argument("kernel", choices=["host", "uml", "qemu"])
    parser.add_argument("--tied", action="store_true")
    parser.add_argument("--kvm", action="store_true", help="try KVM first under qemu")
    arguments = parser.parse_args()
    os.set_inheritable(arguments.lock, False)
    os.set_inheritable(arguments.api, False)
    folder = _Folder(arguments.state)
    try:
        asyncio.run(_hold(arguments, folder))
    except (KubelbError, OSError, subprocess.CalledProcessError) as error:
        print(json.dumps({"error": _sentence(error)}), flush=True)
        sys.exit(1)


async def _hold(arguments: argparse.Namespace, folder: "_Folder") -> None:
    if arguments.tied:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), folder.abandon)
    arguments.state = folder.cover_run()
    if rootless.inside():
        _cover_accounts()
    # In a thread: pyroute2 runs an event loop of its own.
    await asyncio.to_thread(nodes.make_lan)
    cluster = LabCluster(FIRST_OVERLAY, arguments.state)
    anchors, guest = await asyncio.to_thread(_build, arguments)
    shell = _load_balancer_shell(arguments.state, anchors)
    api = socket.socket(fileno=arguments.api)
    await cluster.start(api, arguments.state / KUBECONFIG, _overlay_setter(shell))
    if guest is not None:
        await asyncio.to_thread(guest.wait_ready, GUEST_TIMEOUT_S)
        qemu.forget_root(arguments.state)
    await cluster.start_kube_proxy(shell, _log, shares_files=arguments.kernel != "qemu")
    accelerator = qemu.accelerator(guest) if guest is not None and arguments.kernel == "qemu" else None
    with doors.opened(arguments.state, _answers(anchors)):
        print(json.dumps({"accelerator": accelerator}), flush=True)
        if guest is None:
            await asyncio.Event().wait()
        else:
            await _follow_reboots(guest, cluster, shell)


async def _follow_reboots(guest: Guest, cluster: LabCluster, shell: Sequence[str]) -> None:
    """Put on the load balancer again what its agents had done, whenever its kernel was started again."""
    boots, size = guest.boots(), -1
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if size == (size := guest.console.stat().st_size) or boots == (boots := guest.boots()):
            continue
        try:
            await cluster.load_balancer_rebooted(shell)
        except KubelbError as error:
            _log(error)


def _build(arguments: argparse.Namespace) -> tuple[dict[str, int], Guest | None]:
    """Make the hosts; the guest boots while the namespaces are made."""
    guest = _boot(arguments)
    anchors = {}
    for node in NODES:
        if node is LOAD_BALANCER and guest is not None:
            continue
        anchors[node.name] = nodes.make_node(node).pid
        if node.pod_network is not None:
            nodes.apply(node, overlay_batches(node, FIRST_OVERLAY))
    return anchors, guest


def _boot(arguments: argparse.Namespace) -> Guest | None:
    """Start the kernel that the load balancer has for itself, if it has one."""
    if arguments.kernel == "host":
        return None
    overlay = overlay_batches(LOAD_BALANCER, FIRST_OVERLAY)
    if arguments.kernel == "uml":
        nodes.make_cable()
        return guest_uml.boot(LOAD_BALANCER, arguments.state, overlay)
    nodes.make_tap(multi_queue=qemu.cpus() > 1)
    return qemu.boot(LOAD_BALANCER, arguments.state, overlay, kvm=arguments.kvm)


def _load_balancer_shell(state: Path, anchors: Mapping[str, int]) -> list[str]:
    """Give the command prefix that runs a command on the load balancer, wherever its kernel is."""
    name = LOAD_BALANCER.name
    if name in anchors:
        return [*sshd.inside_anchor(anchors[name]), "sh", "-c"]
    path = state / "ssh_config_inside"
    path.write_text(sshd.ssh_config(state, {name: f"nc {LOAD_BALANCER.address} 22"}))
    return ["ssh", "-F", str(path), name]


def _answers(anchors: Mapping[str, int]) -> dict[str, list[str] | doors.Address]:
    """Give for each host the command that answers an SSH connection to it, or where something does."""
    commands = {
        name: [*sshd.inside_anchor(anchor), *sshd.inetd_command(name)] for name, anchor in anchors.items()
    }
    return {LOAD_BALANCER.name: (str(LOAD_BALANCER.address), 22), **commands}


def _cover_accounts() -> None:
    """Put the lab's own account database over the machine's."""
    for name, text in rootless.accounts().items():
        ours = Path("/run", name)
        ours.write_text(text)
        ours.chmod(0o600 if name == "shadow" else 0o644)
        namespaces.mount(str(ours), Path("/etc", name), "none", namespaces.MS_BIND)


def _overlay_setter(shell: Sequence[str]) -> SetOverlay:
    """Give the function that takes a node from one overlay to another."""

    def set_overlay(node: Node, before: str, after: str) -> None:
        batches = overlay_batches(node, after)
        batches = Batches(removal_batch(node, before) + batches.ip, batches.bridge)
        if node is not LOAD_BALANCER:
            nodes.apply(node, batches)
            return
        for tool, batch in (("ip", batches.ip), ("bridge", batches.bridge)):
            if batch:
                subprocess.run(
                    [*shell, f"{tool} -batch -"], input=batch.encode(), check=True, capture_output=True
                )

    return set_overlay


def _log(error: KubelbError) -> None:
    print(error, file=sys.stderr, flush=True)


def _sentence(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"{' '.join(error.cmd)} said {(error.stderr or b'').decode(errors='replace').strip()!r}"
    return str(error)


class _Folder:
    """The state folder as seen from inside, where /run is the lab's own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)

    def cover_run(self) -> Path:
        """Put an empty /run over the machine's: what is made there goes with us. Gives where our folder is in it."""
        here = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        namespaces.mount("tmpfs", Path("/run"), "tmpfs", options="mode=0755")
        INSIDE.mkdir()
        namespaces.mount(f"/proc/self/fd/{here}", INSIDE, "none", namespaces.MS_BIND)
        os.close(here)
        Path("/run/sshd").mkdir(mode=0o755)
        return INSIDE

    def abandon(self) -> None:
        """End the lab at once: whoever it was tied to is gone, so its folder is ours to remove."""
        for entry in INSIDE.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        os.rmdir(self._path.name, dir_fd=self._parent)
        os._exit(0)


if __name__ == "__main__":
    main()
