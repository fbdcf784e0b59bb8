"""The Debian kernel that qemu boots: where it lies, which modules a load balancer needs of it. Reads its folder.

`kubelb lab install --kernel qemu` unpacks the package there; it is not installed on the machine.
"""

import lzma
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.guest import MODULES

PACKAGE = "linux-image-cloud-amd64"
FOLDER = Path("/var/lib/kubelb/kernel")
REMEDY = "run `kubelb lab install --kernel qemu`"
# What a load balancer needs beyond that: a NIC, and (libcrc32c asks for it by name) a checksum.
QEMU_MODULES = ("virtio_pci", "virtio_net", "crc32c_generic", *MODULES)


@dataclass(frozen=True)
class DebianKernel:
    """A kernel package, unpacked."""

    image: Path
    modules: Path
    """The folder that has `kernel/` and `modules.builtin`."""


def unpacked(folder: Path) -> DebianKernel | None:
    """Give the kernel in `folder`, or None when there is no whole one."""
    images = sorted(folder.glob("boot/vmlinuz-*"))
    # Where /usr is merged the package has usr/lib/modules.
    modules = sorted([*folder.glob("lib/modules/*/kernel"), *folder.glob("usr/lib/modules/*/kernel")])
    return DebianKernel(images[-1], modules[-1].parent) if images and modules else None


def module_order(modules: Path, wanted: Sequence[str]) -> list[Path]:
    """Give the files of the modules `wanted` and of all they depend on, each after what it needs.

    What is built in is left out. Raises TestbedError for a module that is not there.
    """
    files = {_name(path.name): path for path in (modules / "kernel").rglob("*.ko*")}
    built_in = {_name(Path(line).name) for line in (modules / "modules.builtin").read_text().split()}
    order: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in order or name in built_in:
            return
        if name not in files:
            raise TestbedError(f"the kernel in {modules} has no module {name}; {REMEDY} anew")
        for needed in depends_of(read_module(files[name])):
            add(needed)
        order[name] = files[name]

    for name in wanted:
        add(name)
    return list(order.values())


def read_module(path: Path) -> bytes:
    """Give a module as insmod takes it; Debian compresses modules from 13 (trixie) on."""
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def depends_of(module: bytes) -> list[str]:
    """Give the names in the `depends=` field of a module's .modinfo section (strings that end with a NUL byte)."""
    field = re.search(rb"\0depends=([^\0]*)\0", module)
    return [_name(name) for name in field[1].decode().split(",") if name] if field else []


def _name(file_name: str) -> str:
    """Give a module's name as the kernel writes it, from that of its file."""
    return file_name.partition(".")[0].replace("-", "_")
