"""Start and end a lab from outside its namespaces. Touches the state folder and the processes it starts.

The lab is one process tree in its own network, mount and PID namespaces. `unshare --kill-child` ties the tree together:
when any of unshare, the first process or the holder ends, the kernel ends the rest and all namespaces with it.
"""

import contextlib
import json
import os
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, cast

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import doors, requirements, rootless, sshd, state
from pytest_kubelb.lab.topology import NODES

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
ABANDON_TIMEOUT_S = 3.0
BY_HAND = "default"
HOLDER_LOG = "holder.log"
INVENTORY = "inventory.toml"

_NAMESPACES = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
# The shell is the first process of the PID namespace: it reaps what loses its parent, and ends when the holder ends.
_INIT = ["sh", "-c", '"$@"; exit $?', "kubelb-lab"]


@dataclass(frozen=True)
class Lab:
    """A lab that is up: the files that make it a testbed like any other."""

    folder: Path
    facts: state.Facts

    @property
    def inventory(self) -> Path:
        """The inventory that names the two files below."""
        return self.folder / INVENTORY

    @property
    def ssh_config(self) -> Path:
        """The ssh_config that reaches every host."""
        return self.folder / sshd.SSH_CONFIG

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the lab's API."""
        return self.folder / "kubeconfig"


def find(name: str = BY_HAND) -> Lab | None:
    """Give the lab called `name` when it is up."""
    folder = state.labs_root() / name
    facts = state.read_facts(folder) if folder.is_dir() else None
    return Lab(folder, facts) if facts else None


def start(name: str | None = None, kernel: str = "auto", *, tied: bool) -> Lab:
    """Start a lab and return when it is ready.

    `name` is None for a lab of one session. A `tied` lab ends with the calling process, however that ends.
    Raises TestbedError in one sentence when this machine cannot run it or it does not come up.
    """
    began = time.monotonic()
    chosen = requirements.choose_kernel(kernel)
    requirements.check(chosen)
    state.remove_dead()
    folder, lock = state.create(name or f"session-{os.getpid()}-{secrets.token_hex(2)}")
    try:
        lab = _start(folder, lock, chosen, began, tied=tied)
    except BaseException:
        os.close(lock)
        state.wait_gone(folder, STOP_TIMEOUT_S)
        state.remove_dead()
        raise
    os.close(lock)
    return lab


def stop(lab: Lab) -> None:
    """End the lab and remove its folder; no error when it is gone already."""
    with _init_of(lab) as init:
        _end(lab)
        # The lock is free a moment before: the first process of a PID namespace waits for all the others.
        if init is not None and not select.select([init], [], [], STOP_TIMEOUT_S)[0]:
            raise TestbedError(
                f"the lab in {lab.folder} still has processes {STOP_TIMEOUT_S:.0f} s after it was killed"
            )
    state.remove_dead()


@contextlib.contextmanager
def _init_of(lab: Lab) -> Iterator[int | None]:
    """Give a descriptor that becomes readable when the lab's first process has ended; None when it is gone."""
    init = None
    with contextlib.suppress(ProcessLookupError):
        # While the lock is held, the process id is still that of the lab.
        if lab.folder.is_dir() and state.is_alive(lab.folder):
            init = os.pidfd_open(lab.facts.init_pid)
    try:
        yield init
    finally:
        if init is not None:
            os.close(init)


def _end(lab: Lab) -> None:
    process = _started.pop(lab.facts.pid, None)
    if process is not None:
        # The holder of a tied lab removes the folder itself: so it goes even when we are killed at this moment.
        if process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ABANDON_TIMEOUT_S)
        process.kill()
        _release(process)
    elif lab.folder.is_dir() and state.is_alive(lab.folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(lab.facts.pid, signal.SIGKILL)
    if lab.folder.is_dir():
        state.wait_gone(lab.folder, STOP_TIMEOUT_S)


# The labs this process started. The open standard input of a tied one is what keeps its holder alive.
_started: dict[int, subprocess.Popen[bytes]] = {}


def _start(folder: Path, lock: int, kernel: str, began: float, *, tied: bool) -> Lab:
    doors.require_short(folder)
    sshd.write_keys(folder)
    kvm = kernel == "qemu" and requirements.kvm_is_open() and not state.kvm_failed()
    options = [word for word, given in (("--tied", tied), ("--kvm", kvm)) if given]
    with socket.create_server(("127.0.0.1", 0), backlog=64) as api:
        process = _spawn(folder, [lock, api.fileno()], kernel, options)
    try:
        accelerator = _await_ready(process, folder)
        init_pid = _only_child(process.pid)
        boot_s = round(time.monotonic() - began, 3)
        facts = state.Facts(process.pid, init_pid, kernel, boot_s, accelerator, rootless.wanted())
        if kvm and accelerator != "kvm":
            state.note_kvm_failed()
        _write_client_files(folder)
        state.write_facts(folder, facts)
    except BaseException:
        process.kill()
        _release(process)
        raise
    _started[process.pid] = process
    return Lab(folder, facts)


def _spawn(
    folder: Path, descriptors: Sequence[int], kernel: str, options: Sequence[str]
) -> subprocess.Popen[bytes]:
    holder = [
        sys.executable,
        "-P",
        "-m",
        "pytest_kubelb.lab.holder",
        str(folder),
        *map(str, descriptors),
        kernel,
    ]
    user = rootless.UNSHARE if rootless.wanted() else ()
    with (folder / HOLDER_LOG).open("wb") as log:
        return subprocess.Popen(
            ["unshare", *user, *_NAMESPACES, *_INIT, *holder, *options],
            stdin=subprocess.PIPE if "--tied" in options else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=descriptors,
            start_new_session=True,  # a Ctrl-C at the terminal is for us to handle, not for the lab
            env={
                **os.environ,
                "PATH": requirements.search_path(),
                # This package from where we have it, the others from where we would.
                "PYTHONPATH": os.pathsep.join(
                    [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
                ),
            },
        )


def _await_ready(process: subprocess.Popen[bytes], folder: Path) -> str | None:
    """Read the holder's one line of JSON, which has the accelerator of a load balancer under qemu."""
    output = cast("IO[bytes]", process.stdout)
    readable, _, _ = select.select([output], [], [], START_TIMEOUT_S)
    line = output.readline() if readable else b""
    if not line:
        log = (folder / HOLDER_LOG).read_text(errors="replace").strip().splitlines()
        cause = f"its last words were {log[-1]!r}" if log else "it said nothing"
        waited = "" if readable else f" within {START_TIMEOUT_S:.0f} s"
        raise TestbedError(f"the lab did not come up{waited}: {cause}")
    answer = json.loads(line)
    if "error" in answer:
        raise TestbedError(f"the lab did not come up: {answer['error']}")
    accelerator: str | None = answer["accelerator"]
    return accelerator


def _release(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _write_client_files(folder: Path) -> None:
    commands = {node.name: shlex.join(["nc", "-U", str(doors.door(folder, node.name))]) for node in NODES}
    (folder / sshd.SSH_CONFIG).write_text(sshd.ssh_config(folder, commands))
    (folder / INVENTORY).write_text(files("pytest_kubelb.lab").joinpath(INVENTORY).read_text())
