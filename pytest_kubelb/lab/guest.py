"""The load balancer on a kernel of its own: what its guests have in common. Touches the processes it starts.

Which kernel, and how it is started, is in `guest_uml` and `qemu`. Either way the guest's first process is a script made
of two: one for that kernel, and `guest_serve.sh`. It says on its console how far it is.
"""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.own_cpu import OwnCpu
from pytest_kubelb.lab.topology import LAN, Node

MODULES = (
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_sh",
    "iptable_nat",
    "iptable_filter",
    "ipt_REJECT",
    "xt_MASQUERADE",
    "xt_addrtype",
    "xt_comment",
    "xt_conntrack",
    "xt_ipvs",
    "xt_mark",
    "xt_nat",
    "xt_statistic",
    "xt_tcpudp",
    "vxlan",
)
"""What the backends and the overlay use; a guest has no autoload that works."""

_RUNS = "kubelb: kernel runs"
_READY = "kubelb: ready"
_TROUBLE = ("kubelb: sshd failed", "kubelb: module failed", "kubelb: flannel failed", "Kernel panic")


@dataclass(frozen=True)
class Way:
    """One way to start the guest."""

    name: str
    """As an error names it: `linux.uml`, `qemu (kvm)`."""
    command: Sequence[str]
    environment: dict[str, str] | None = None
    """None for this process's own."""
    patience_s: float | None = None
    """How long its kernel may take to run its first process before the next way is tried; None where there is none."""


@dataclass
class Guest:
    """A guest kernel that is started by the first of `ways` that works; `console` is what its console is written to."""

    ways: Sequence[Way]
    console: Path
    cpu: OwnCpu | None = None
    """The one that it is kept on, until it ends with this process."""
    way: Way = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._start(self.ways[0])

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the guest's sshd listens; raises TestbedError with the console's last line when it does not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            text = self.console.read_text(errors="replace")
            if _READY in text:
                return
            if self._given_up(text):
                self._start_next()
                continue
            trouble = next(
                (line for line in text.splitlines() if any(mark in line for mark in _TROUBLE)), None
            )
            if trouble or self.process.poll() is not None:
                raise TestbedError(
                    f"the load balancer's kernel ({self.way.name}) did not come up: {trouble or _last_line(text)!r}"
                )
            time.sleep(0.02)
        raise TestbedError(
            f"the load balancer's kernel ({self.way.name}) was not ready after {timeout_s:.0f} s;"
            f" the last line on its console was {_last_line(self.console.read_text(errors='replace'))!r}"
        )

    def boots(self) -> int:
        """Give how often its sshd has begun to listen: once more each time that it was rebooted."""
        return self.console.read_bytes().count(_READY.encode())

    def _start(self, way: Way) -> None:
        self.way = way
        self._started = time.monotonic()
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                way.command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=way.environment,
            )

    def _given_up(self, text: str) -> bool:
        """Tell whether this way does not lead anywhere, and there is another one."""
        if self.way.patience_s is None or _RUNS in text:
            return False
        return self.process.poll() is not None or time.monotonic() - self._started > self.way.patience_s

    def _start_next(self) -> None:
        self.process.kill()
        self.process.wait()
        self._start(self.ways[self.ways.index(self.way) + 1])


def init_script(head: str) -> str:
    """Give the script of the guest's first process; `head` names the file that is about this kernel."""
    lab = files("pytest_kubelb.lab")
    return lab.joinpath(head).read_text() + lab.joinpath("guest_serve.sh").read_text()


def words_for_init(node: Node, state: Path) -> list[str]:
    """Give the words of the kernel's command line that reach the first process as environment variables."""
    return [
        f"KUBELB_STATE={state}",
        f"KUBELB_NAME={node.name}",
        f"KUBELB_ADDRESS={node.address}/{LAN.prefixlen}",
        f"KUBELB_MAC={node.mac}",
    ]


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "nothing on its console"
