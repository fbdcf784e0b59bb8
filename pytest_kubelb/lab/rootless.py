"""A lab for an ordinary user: all of it in a user namespace that has one uid. Reads the machine, changes nothing.

An unprivileged process may map one uid and one gid into a user namespace, user_namespaces(7), and no more. sshd as uid
0 would want a second one for its unprivileged part, so the one uid is an ordinary one in there too. It has every
capability over the namespaces of the lab through the ambient set, capabilities(7), which commands inherit, and the
lab's account database calls it root.
"""

import os
import subprocess
from pathlib import Path

from pytest_kubelb.errors import TestbedError

UID = 1000
"""Who the user is in the lab, as a number; any but 0."""
UNSHARE = ("--user", f"--map-user={UID}", f"--map-group={UID}", "--keep-caps")
"""What `unshare` is told for it beside the other namespaces."""
LIMITS = (
    "pods run as one user, whatever their runAsUser says",
    "a pod whose container asks for uid 0 has that user's rights to this machine's files (nginx without a"
    " configuration of its own cannot write /var/log/nginx)",
    "sysctls that belong to the whole machine, and the settings of its CPUs and interrupts, can be read and not"
    " changed on hosts other than k11",
    "the load balancer cannot use this machine's own IPVS",
)
"""What such a lab cannot do and root's can, each as part of a sentence."""

# Once each thing that needs a capability there: a kernel may allow the namespaces and no use of them.
_TRIAL = (
    "mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && mount -t devpts -o newinstance devpts /dev/pts"
    " && ip link add name kubelb0 type bridge && ip link add name kubelb1 type veth peer name kubelb2"
)
_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("user/max_net_namespaces", "0", "user.max_net_namespaces=10000"),
)


def wanted() -> bool:
    """Tell whether a lab of this process is that of an ordinary user: not root, or root of a user namespace only.

    The machine's own user namespace maps every uid to itself.
    """
    if os.geteuid() != 0:
        return True
    table = Path("/proc/self/uid_map")
    # A kernel without user namespaces has no such file.
    return table.exists() and table.read_text().split() != ["0", "0", str(2**32 - 1)]


def inside() -> bool:
    """Tell whether this process is in such a lab, where root's lab has uid 0."""
    return os.geteuid() == UID


def check(search_path: str) -> None:
    """Try what the lab will do, in namespaces that end at once; raises TestbedError with what forbids it."""
    command = ["unshare", *UNSHARE, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*command, "sh", "-c", _TRIAL],
        env={**os.environ, "PATH": search_path, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise TestbedError(
        f"the lab of an ordinary user (uid {os.geteuid()}) needs a user namespace with its own network, and this"
        f" machine refuses it ({said[0]}); {_remedy()},"
        " run it as root, or name a real testbed with --kubelb-inventory FILE"
    )


def _remedy() -> str:
    for name, forbids, setting in _SWITCHES:
        switch = Path("/proc/sys", name)
        if switch.exists() and switch.read_text().strip() == forbids:
            return f"run `sysctl -w {setting}` as root"
    return "see the seccomp profile and the masked /proc of the container, if this is one"


def accounts() -> dict[str, str]:
    """Give the lab's passwd, group and shadow, made from the machine's: root is the one uid that there is.

    There is no group tty, whose number does not exist in there: sshd would give it the terminals. The machine's shadow
    is not for the user to read, and where systemd answers instead of it, root is locked.
    """
    users = _others("passwd", "root")
    groups = _others("group", "root", "tty")
    return {
        "passwd": "\n".join([f"root:x:{UID}:{UID}:root:/root:/bin/sh", *users, ""]),
        "group": "\n".join([f"root:x:{UID}:", *groups, ""]),
        "shadow": "root:*:1::::::\n",
    }


def _others(database: str, *names: str) -> list[str]:
    lines = Path("/etc", database).read_text().splitlines()
    return [line for line in lines if line.partition(":")[0] not in names]
