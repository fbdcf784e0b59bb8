"""`kubelb lab install`: bring the Debian packages the lab needs. Touches the machine's packages, after saying so.

No service is started or enabled by it: the lab wants the programs of nginx and sshd, not the machine's own daemons.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import qemu_kernel
from pytest_kubelb.lab.qemu_install import unpack_kernel
from pytest_kubelb.lab.requirements import Kernel, Requirement, choose_kernel, missing, needed

POLICY = Path("/usr/sbin/policy-rc.d")
# Source: the policy-rc.d(8) interface of Debian; 101 forbids every action of invoke-rc.d.
FORBID = "#!/bin/sh\n# Written by `kubelb lab install` for the length of one installation.\nexit 101\n"
UNITS = ("nginx.service", "ssh.service", "ipvsadm.service")


def install(say: Callable[[str], None], kernel: str = "auto") -> None:
    """Install what is missing for a lab on `kernel`, or say that nothing is; raises TestbedError when it cannot."""
    chosen = choose_kernel(kernel)
    absent = missing(needed(chosen))
    no_kernel = chosen == "qemu" and qemu_kernel.unpacked(qemu_kernel.FOLDER) is None
    if not absent and not no_kernel:
        say("the lab has all the programs it needs: nothing to install")
        return
    packages = list(dict.fromkeys(each.package for each in absent))
    if packages:
        say("the lab needs these Debian packages:")
    for package in packages:
        say(f"  {package:18} {_reasons(package, absent)}")
    if no_kernel:
        say(f"the lab needs {qemu_kernel.PACKAGE}, unpacked into {qemu_kernel.FOLDER} (not installed)")
    _check_possible(packages, chosen)
    _bring(packages)
    if packages:
        still = missing(absent)
        if still:
            raise TestbedError(f"installed, and yet not found: {', '.join(each.program for each in still)}")
        say(f"installed {len(packages)} packages")
    if no_kernel:
        say(f"unpacked {unpack_kernel(qemu_kernel.FOLDER)}")


def _check_possible(packages: list[str], kernel: Kernel) -> None:
    if shutil.which("apt-get") is None:
        raise TestbedError(
            "this machine has no apt-get; install the programs named above by its own package manager"
        )
    if os.geteuid() != 0:
        command = (
            "kubelb lab install --kernel qemu"
            if kernel == "qemu"
            else f"apt-get install {' '.join(packages)}"
        )
        raise TestbedError(f"installing needs root; run: sudo {command}")


def _bring(packages: list[str]) -> None:
    present = {unit for unit in UNITS if _unit_exists(unit)}
    with _no_service_starts():
        _apt("update")
        if packages:
            _apt("install", "--yes", "--no-install-recommends", *packages)
    _disable(unit for unit in UNITS if unit not in present and _unit_exists(unit))


def _reasons(package: str, absent: list[Requirement]) -> str:
    return "; ".join(each.why for each in absent if each.package == package)


def _apt(*words: str) -> None:
    command = ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=300", *words]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise TestbedError(
            f"`{' '.join(command)}` ended with exit code {done.returncode}: {said[-1] if said else 'no output'}"
        )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    # A policy of the machine's own stays. Ours, left by an installation that was killed, is taken over and removed.
    if POLICY.exists() and POLICY.read_text(errors="replace") != FORBID:
        yield
        return
    try:
        POLICY.write_text(FORBID)
        POLICY.chmod(0o755)
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def _unit_exists(unit: str) -> bool:
    return any((Path(folder) / unit).exists() for folder in ("/lib/systemd/system", "/etc/systemd/system"))


def _disable(units: Iterator[str]) -> None:
    names = list(units)
    if names and shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", *names], capture_output=True, check=False)
