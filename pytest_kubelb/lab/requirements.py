"""What the lab needs of this machine: programs, privileges, kernel. Reads the machine, changes nothing.

Each requirement knows the Debian package that brings it and why it is needed, so that `kubelb lab install` can
say both.
"""

import ctypes
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import qemu_kernel, rootless

Kernel = Literal["host", "uml", "qemu"]

CAP_SYS_ADMIN = 21
CAP_NET_ADMIN = 12


@dataclass(frozen=True)
class Requirement:
    """A program, the Debian package that has it, and what the lab uses it for."""

    program: str
    package: str
    why: str


BASE = (
    Requirement("wrk", "wrk", "makes the load on the benchmarker"),
    Requirement("nginx", "nginx-light", "answers in every pod"),
    Requirement("curl", "curl", "asks each pod through the load balancer before a point is measured"),
    Requirement("sshd", "openssh-server", "every remote command goes over real SSH"),
    Requirement("ssh", "openssh-client", "`kubelb lab ssh HOST`"),
    Requirement("ipvsadm", "ipvsadm", "programs the ipvs backend"),
    Requirement("iptables-restore", "iptables", "kube-proxy's rules for the proxy backend"),
    Requirement("ip", "iproute2", "links, routes and the overlay"),
    Requirement("nc", "netcat-openbsd", "reaches the sshd of the load balancer's kernel"),
    Requirement("nsenter", "util-linux", "enters the hosts' namespaces"),
    Requirement("sysctl", "procps", "reads and sets kernel settings on the hosts"),
)
UML = (
    Requirement(
        "linux.uml", "user-mode-linux", "a kernel with IPVS for the load balancer, since this one has none"
    ),
    Requirement("modprobe", "kmod", "loads IPVS in that kernel"),
)
QEMU = (
    Requirement(
        "qemu-system-x86_64",
        "qemu-system-x86",
        "a load balancer with several CPUs and a NIC with several queues",
    ),
    Requirement("busybox", "busybox-static", "the small programs of that load balancer"),
    Requirement("ethtool", "ethtool", "queues, rings and coalescing of its NIC"),
    Requirement("dash", "dash", "its shell"),
    Requirement("ldd", "libc-bin", "finds the libraries of the programs it gets"),
)
QUEUES_NEED_QEMU = (
    "the lab's load balancer runs under qemu: a tuning profile needs a NIC with several queues,"
    " which neither a network namespace nor User Mode Linux has"
)


def missing(requirements: Iterable[Requirement]) -> list[Requirement]:
    """Give those whose program is not on this machine."""
    return [each for each in requirements if shutil.which(each.program, path=search_path()) is None]


def search_path() -> str:
    """Give PATH with the sbin folders, which a plain PATH (cron's, for one) leaves out."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def needed(kernel: Kernel) -> tuple[Requirement, ...]:
    """Give what a lab with the load balancer on `kernel` needs."""
    return (*BASE, *{"host": (), "uml": UML, "qemu": QEMU}[kernel])


def host_has_ipvs() -> bool:
    """Tell whether this machine's kernel has IPVS loaded or built in; the lab loads no module on its host."""
    return Path("/proc/net/ip_vs").exists()


def kvm_is_open() -> bool:
    """Tell whether this machine lets us try KVM; whether it can run a kernel is only seen by trying."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def choose_kernel(wanted: str, *, needs_queues: bool = False) -> Kernel:
    """Give the kernel for the load balancer; raises TestbedError when `host` is wanted and has no IPVS for us.

    `auto` takes qemu only for `needs_queues`: who asks for that tells the user so, in the words of QUEUES_NEED_QEMU. A
    kernel that was named is given all the same: there, such knobs are reported as unsupported.
    """
    if wanted == "qemu" or (wanted == "auto" and needs_queues):
        return "qemu"
    if wanted == "uml":
        return "uml"
    if rootless.wanted():
        if wanted == "host":
            raise TestbedError(
                "--kubelb-lab-kernel host: this machine's IPVS is for root of the machine alone;"
                " run the lab as root, or use --kubelb-lab-kernel uml"
            )
        return "uml"
    if host_has_ipvs():
        return "host"
    if wanted == "host":
        raise TestbedError(
            "--kubelb-lab-kernel host: this machine's kernel has no IPVS (/proc/net/ip_vs is absent);"
            " run `modprobe ip_vs` or use --kubelb-lab-kernel uml"
        )
    return "uml"


def check(kernel: Kernel) -> None:
    """Raise TestbedError with one sentence that names everything that is missing and what to do."""
    ordinary = rootless.wanted()
    if not ordinary:
        _check_privileges()
    absent = missing(needed(kernel))
    command = "kubelb lab install --kernel qemu" if kernel == "qemu" else "kubelb lab install"
    if absent:
        names = ", ".join(each.program for each in absent)
        packages = " ".join(dict.fromkeys(each.package for each in absent))
        raise TestbedError(
            f"the lab needs {names}, which this machine does not have;"
            f" run `{command}` (or apt-get install {packages})"
        )
    if ordinary:
        rootless.check(search_path())
    if kernel == "qemu" and qemu_kernel.unpacked(qemu_kernel.FOLDER) is None:
        raise TestbedError(
            "the lab's load balancer runs under qemu and needs a kernel to boot, which is not in"
            f" {qemu_kernel.FOLDER}; run `{command}`"
        )
    if kernel == "qemu" and not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise TestbedError(
            "the lab's load balancer runs under qemu and needs /dev/net/tun, which cannot be opened here; load the tun"
            " module, let its users open it (`chmod 666 /dev/net/tun`, as udev does), or give the container the device"
        )


def _check_privileges() -> None:
    effective = _effective_capabilities()
    lacking = [
        name
        for name, bit in (("CAP_SYS_ADMIN", CAP_SYS_ADMIN), ("CAP_NET_ADMIN", CAP_NET_ADMIN))
        if not effective >> bit & 1
    ]
    if lacking:
        raise TestbedError(
            f"the lab makes network namespaces and needs {' and '.join(lacking)}, which this root does not have;"
            " in a container, start it with --privileged"
        )
    _check_unshare()


def _effective_capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)


def _check_unshare() -> None:
    """Make and drop a network namespace in a child: the only proof that the kernel and its limits allow one."""
    child = os.fork()
    if child == 0:
        clone_new_net = 0x40000000
        libc = ctypes.CDLL(None, use_errno=True)
        os._exit(0 if libc.unshare(clone_new_net) == 0 else ctypes.get_errno())
    _, status = os.waitpid(child, 0)
    number = os.waitstatus_to_exitcode(status)
    if number != 0:
        raise TestbedError(
            f"the lab makes network namespaces, and this kernel refuses: {os.strerror(number)};"
            " see /proc/sys/user/max_net_namespaces and the container's seccomp profile"
        )
