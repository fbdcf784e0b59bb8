"""The load balancer on User Mode Linux. Touches the state folder, one tap device and one process.

Source of the command line: Documentation/virt/uml/user_mode_linux_howto_v2.rst of the kernel. The root is the
host's own file system through hostfs, so the guest runs the host's sshd, ipvsadm and iptables on its own kernel
and modules.
"""

import os
from pathlib import Path

from pytest_kubelb.lab.flannel import Batches
from pytest_kubelb.lab.guest import MODULES, Guest, Way, init_script, words_for_init
from pytest_kubelb.lab.nodes import TAP
from pytest_kubelb.lab.topology import Node

KERNEL = "linux.uml"
MEMORY_MIB = 256


def boot(node: Node, state: Path, overlay: Batches) -> Guest:
    """Start the guest and give it while it boots."""
    init = state / "guest_init.sh"
    init.write_text(init_script("guest_uml.sh"))
    init.chmod(0o700)
    (state / "flannel.ip").write_text(overlay.ip)
    (state / "flannel.bridge").write_text(overlay.bridge)
    # The guest's memory is a file in TMPDIR, unlinked at once.
    way = Way(KERNEL, [*_command(node, state), f"init={init}"], {**os.environ, "TMPDIR": "/run"})
    return Guest([way], state / "console.log")


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
        *words_for_init(node, state),
        f'KUBELB_MODULES="{" ".join(MODULES)}"',
    ]
