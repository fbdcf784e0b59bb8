"""The load balancer on User Mode Linux. Touches the state folder, one interface, one process and a CPU for it.

Source of the command line: Documentation/virt/uml/user_mode_linux_howto_v2.rst of the kernel. The root is the
host's own file system through hostfs, so the guest runs the host's sshd, ipvsadm and iptables on its own kernel
and modules.
"""

import os
import struct
from pathlib import Path

from pytest_kubelb.lab import own_cpu
from pytest_kubelb.lab.flannel import Batches
from pytest_kubelb.lab.guest import MODULES, Guest, Way, init_script, words_for_init
from pytest_kubelb.lab.nodes import CABLE
from pytest_kubelb.lab.topology import Node

KERNEL = "linux.uml"
MEMORY_MIB = 256
FILTER = "incoming.bpf"
# What the guest sends through one socket its other one would hear. Classic BPF, each instruction a struct sock_filter:
# load skb->pkt_type (SKF_AD_OFF + SKF_AD_PKTTYPE), drop PACKET_OUTGOING, take the rest whole.
_INCOMING = ((0x30, 0, 0, 0xFFFFF004), (0x15, 0, 1, 4), (0x06, 0, 0, 0), (0x06, 0, 0, 0x40000))


def boot(node: Node, state: Path, overlay: Batches) -> Guest:
    """Start the guest and give it while it boots."""
    init = state / "guest_init.sh"
    init.write_text(init_script("guest_uml.sh"))
    init.chmod(0o700)
    (state / "flannel.ip").write_text(overlay.ip)
    (state / "flannel.bridge").write_text(overlay.bridge)
    (state / FILTER).write_bytes(b"".join(struct.pack("=HBBI", *each) for each in _INCOMING))
    # The guest's memory is a file in TMPDIR, unlinked at once.
    command = [*_command(node, state), f"init={init}"]
    cpu = own_cpu.take()
    way = Way(KERNEL, cpu.command(command) if cpu else command, {**os.environ, "TMPDIR": "/run"})
    return Guest([way], state / "console.log", cpu)


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
        f"vec0:transport=raw,ifname={CABLE},depth=128,gro=1,bpffile={state / FILTER}",
        *words_for_init(node, state),
        f'KUBELB_MODULES="{" ".join(MODULES)}"',
    ]
