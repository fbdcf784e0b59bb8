"""Unpack Debian's cloud kernel for qemu into a folder of ours. Touches that folder; installs nothing, no boot loader.

Of the package only the image and the modules are kept.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.qemu_kernel import PACKAGE, unpacked


def unpack_kernel(folder: Path) -> str:
    """Download the kernel that the package names now and put it where `folder` is; give the package's name.

    Raises TestbedError with what apt or dpkg said.
    """
    package = parse_depends(_said("apt-cache", "depends", PACKAGE))
    if package is None:
        raise TestbedError(
            f"apt knows no {PACKAGE} with a kernel for this machine, which only Debian on amd64 has;"
            " use --kubelb-lab-kernel uml or host"
        )
    folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=folder.parent) as name:
        work = Path(name)
        _said("apt-get", "--quiet", "--option", "APT::Sandbox::User=root", "download", package, where=work)
        (archive,) = work.glob("*.deb")
        _said("dpkg-deb", "--extract", str(archive), str(work / "all"))
        kept = work / "kernel"
        for part in ("boot", "lib/modules", "usr/lib/modules"):
            if (work / "all" / part).is_dir():
                (kept / part).parent.mkdir(parents=True, exist_ok=True)
                (work / "all" / part).rename(kept / part)
        if unpacked(kept) is None:
            raise TestbedError(
                f"the package {package} has no kernel image with modules; report this as a bug"
            )
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)
    return package


def parse_depends(text: str) -> str | None:
    """Give the kernel's package in what `apt-cache depends` printed of the package that always names the newest."""
    found = re.search(r"^\s*Depends: (linux-image-\S+)$", text, re.MULTILINE)
    return found[1] if found else None


def _said(*command: str, where: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=where, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise TestbedError(
            f"`{' '.join(command)}` ended with exit code {done.returncode}: {said[-1] if said else 'no output'}"
        )
    return done.stdout
