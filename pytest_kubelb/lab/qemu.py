"""The load balancer on a machine of its own: qemu, with several CPUs and a NIC with several queues.

Touches the state folder, one tap device and one process; the first way that is tried opens /dev/kvm.

Here the knobs are real that namespaces and User Mode Linux lack: interrupts of each queue, rps_cpus, flow tables. The
kernel is Debian's cloud kernel; its root is in memory (`qemu_root`).
"""

import os
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import initramfs, qemu_kernel, qemu_root
from pytest_kubelb.lab.flannel import Batches
from pytest_kubelb.lab.guest import Guest, Way, init_script, words_for_init
from pytest_kubelb.lab.nodes import TAP
from pytest_kubelb.lab.topology import Node

PROGRAM = "qemu-system-x86_64"
MEMORY_MIB = 256
ROOT = "initramfs"
CPUS_VARIABLE = "KUBELB_LAB_CPUS"
DEFAULT_CPUS = 2
MOST_CPUS = 16
KVM_PATIENCE_S = 5.0
# Without what takes its time in an emulator. Its CPUs' clocks look unsynchronised to the kernel, and are not; the one
# it would take instead is a device, which costs a trap for every packet that is stamped.
_WORDS = (
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr audit=0"
    " i8042.noaux i8042.nokbd tsc=reliable no_timer_check"
)


def cpus() -> int:
    """Give how many CPUs, and queues of its NIC, the load balancer gets: KUBELB_LAB_CPUS; raises TestbedError."""
    text = os.environ.get(CPUS_VARIABLE) or str(DEFAULT_CPUS)
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MOST_CPUS:
        raise TestbedError(
            f"{CPUS_VARIABLE}={text!r} is not allowed: write a whole number from 1 to {MOST_CPUS},"
            " the CPUs of the lab's load balancer under qemu"
        )
    return int(text)


def boot(node: Node, state: Path, overlay: Batches, *, kvm: bool) -> Guest:
    """Start the guest and give it while it boots: on KVM if that is allowed and works, else emulated."""
    kernel = qemu_kernel.unpacked(qemu_kernel.FOLDER)
    if kernel is None:
        raise TestbedError(f"there is no kernel in {qemu_kernel.FOLDER} for qemu; {qemu_kernel.REMEDY}")
    root = state / ROOT
    root.write_bytes(
        qemu_root.pack(kernel, init_script("guest_qemu.sh"), os.environ["PATH"])
        + _own_files(node, state, overlay)
    )
    command = _command(node, state, kernel.image, root)
    # A KVM that cannot run this kernel can make qemu abort: that is no reason to leave a core file somewhere.
    no_core = ["prlimit", "--core=0", "--"]
    ways = [Way("qemu, kvm", [*no_core, *command, "-accel", "kvm"], patience_s=KVM_PATIENCE_S)] if kvm else []
    ways.append(Way("qemu, tcg", [*command, "-accel", "tcg,thread=multi"]))
    return Guest(ways, state / "console.log")


def forget_root(state: Path) -> None:
    """Give back the memory that a booted guest's root takes up as a file, and the key in it."""
    (state / ROOT).unlink(missing_ok=True)


def accelerator(guest: Guest) -> str:
    """Give `kvm` or `tcg`, whichever the guest came up with."""
    return guest.way.name.rpartition(" ")[2]


def _own_files(node: Node, state: Path, overlay: Batches) -> bytes:
    """Give the archive of what is this lab's own: keys, and what flannel wrote."""
    secret = ("authorized_keys", f"host_key_{node.name}", f"sshd_config_{node.name}")
    return initramfs.archive(
        [
            *(initramfs.file(str(state / name), (state / name).read_bytes(), 0o600) for name in secret),
            initramfs.file(str(state / "flannel.ip"), overlay.ip.encode()),
            initramfs.file(str(state / "flannel.bridge"), overlay.bridge.encode()),
        ]
    )


def _command(node: Node, state: Path, image: Path, root: Path) -> list[str]:
    number = cpus()
    # One interrupt for each queue, one for the configuration and one for the control queue.
    vectors = 2 * number + 2
    return [
        PROGRAM,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-cpu", "max", "-smp", str(number), "-m", str(MEMORY_MIB)),
        *("-kernel", str(image), "-initrd", str(root)),
        *("-append", " ".join([_WORDS, *words_for_init(node, state)])),
        *("-chardev", "stdio,id=console", "-serial", "chardev:console"),
        *("-netdev", f"tap,id=lan,ifname={TAP},script=no,downscript=no,queues={number}"),
        *("-device", f"virtio-net-pci,netdev=lan,mac={node.mac},mq=on,vectors={vectors},romfile="),
    ]
