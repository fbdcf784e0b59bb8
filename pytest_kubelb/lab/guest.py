"""The load balancer on a kernel of its own: User Mode Linux. Touches one tap device and one process.

Source of the command line: Documentation/virt/uml/user_mode_linux_howto_v2.rst of the kernel. The root is the
host's own file system through hostfs, so the guest runs the host's sshd, ipvsadm and iptables on its own kernel
and modules.
"""

import os
import subprocess
import time
from importlib.resources import files
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.flannel import Batches
from pytest_kubelb.lab.nodes import TAP
from pytest_kubelb.lab.topology import LAN, Node

KERNEL = "linux.uml"
MEMORY_MIB = 256
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

_READY = "kubelb: ready"
_TROUBLE = ("kubelb: sshd failed", "kubelb: modprobe failed", "kubelb: flannel failed", "Kernel panic")


class Guest:
    """A running guest kernel; `console` is the file its console is written to."""

    def __init__(self, node: Node, state: Path, overlay: Batches) -> None:
        self.console = state / "console.log"
        init = state / "guest_init.sh"
        init.write_text(files("pytest_kubelb.lab").joinpath("guest_init.sh").read_text())
        init.chmod(0o700)
        (state / "flannel.ip").write_text(overlay.ip)
        (state / "flannel.bridge").write_text(overlay.bridge)
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                [*_command(node, state), f"init={init}"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": "/run"},  # the guest's memory is a file there, unlinked at once
            )

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the guest's sshd listens; raises TestbedError with the console's last line when it does not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            text = self.console.read_text(errors="replace")
            if _READY in text:
                return
            trouble = next(
                (line for line in text.splitlines() if any(mark in line for mark in _TROUBLE)), None
            )
            if trouble or self.process.poll() is not None:
                raise TestbedError(
                    f"the load balancer's kernel ({KERNEL}) did not come up: {trouble or _last_line(text)!r}"
                )
            time.sleep(0.02)
        raise TestbedError(
            f"the load balancer's kernel ({KERNEL}) was not ready after {timeout_s:.0f} s;"
            f" the last line on its console was {_last_line(self.console.read_text(errors='replace'))!r}"
        )


def _command(node: Node, state: Path) -> list[str]:
    return [
        KERNEL,
        f"mem={MEMORY_MIB}M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "rw",
        "con=null",
        "con0=null,fd:1",
        "umid=k11",
        f"uml_dir={state / 'uml'}",
        f"vec0:transport=tap,ifname={TAP},depth=128,gro=1",
        f"KUBELB_STATE={state}",
        f"KUBELB_NAME={node.name}",
        f"KUBELB_ADDRESS={node.address}/{LAN.prefixlen}",
        f"KUBELB_MAC={node.mac}",
        f'KUBELB_MODULES="{" ".join(MODULES)}"',
    ]


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "nothing on its console"
