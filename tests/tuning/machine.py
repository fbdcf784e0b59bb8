"""A host of the tests' own: namespaces for network, processes and mounts, with a pair of veths of four queues.

Its kernel is this machine's, so RPS, XPS, channels and the namespace's sysctls are real; it is reached by a shell, as
over SSH. What belongs to the whole machine (interrupts, governor) is none of the namespace's and is not touched.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.hosts import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence

# Processes are reaped, as by any init; the last line waits for the end of the tests.
_SET_UP = """\
set -e
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/sshd
ip link set lo up
ip link add eth0 numrxqueues 4 numtxqueues 4 type veth peer name eth1 numrxqueues 4 numtxqueues 4
ip addr add 192.168.0.11/24 dev eth0
ip link set eth0 up
ip link set eth1 up
echo ready
while :; do sleep 0.2; done"""


class Namespace:
    """A host with the interface of `backends.base.Remote`; a context manager that ends it with all it has."""

    def __init__(self, name: str = "k11", shell: Sequence[str] = ("sh",)) -> None:
        self.name = name
        self.trips: list[str] = []
        self.shell = tuple(shell)
        """In place of the host's sh."""
        self.prefix: tuple[str, ...] = ()
        """A command in front of every command: `env PATH=...`."""
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._process = subprocess.Popen(
            [*unshare, "sh", "-c", _SET_UP], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if said != "ready\n":
            said += self._process.stdout.read()
            self.close()
            raise TestbedError(f"no network namespace: {said}")
        process = self._process.pid
        inside = Path(f"/proc/{process}/task/{process}/children").read_text().split()[0]
        self.enter = ["nsenter", "--target", inside, "--net", "--mount", "--pid", "--"]
        """The command that runs others in it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - as Host.run
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> Completed:
        """Run a command in it, as `Host.run` does on a host."""
        assert not root
        self.trips.append(shlex.join(argv))
        words = [*self.shell, *argv[1:]] if argv[0] == "sh" else list(argv)
        started = time.perf_counter()
        done = subprocess.run(
            [*self.enter, *self.prefix, *words],
            input=(input or "").encode(), capture_output=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check and done.returncode:
            raise TestbedError(f"host {self.name}: exit code {done.returncode} ({stderr.strip()})")
        return Completed(
            self.name, shlex.join(argv), stdout, stderr, done.returncode, time.perf_counter() - started
        )

    def sh(self, script: str) -> str:
        """Give what a script prints there; it is not counted among the trips."""
        output = self.run(["sh", "-c", script]).stdout
        self.trips.pop()
        return output

    def snapshot(self) -> str:
        """Give everything that tuning may change there, and what is in /run."""
        return self.sh(
            "cd /proc/sys/net/ipv4; grep -s '' /sys/class/net/*/queues/*/?ps_* tcp_rmem ip_local_port_range;"
            " ethtool -l eth0; find /run; cat /proc/[0-9]*/comm | grep irqbalance || :"
        )
