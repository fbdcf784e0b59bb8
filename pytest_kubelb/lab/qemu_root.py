"""The files of the load balancer's own kernel under qemu, packed from this machine's programs. Reads them, runs ldd.

It is the whole root file system, in memory. Packing it takes 0.2 s, beside the making of the namespaces, so nothing is
kept that could be out of date. It is not compressed: unpacking under software emulation costs more than reading.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import initramfs
from pytest_kubelb.lab.initramfs import Entry
from pytest_kubelb.lab.qemu_kernel import QEMU_MODULES, REMEDY, DebianKernel, module_order, read_module

PROGRAMS = (
    "dash",
    "busybox",
    "sshd",
    "ip",
    "bridge",
    "ipvsadm",
    "xtables-legacy-multi",
    "ethtool",
    "sysctl",
    "flock",
)
"""dash is its shell: busybox' own would take its applets for programs of the same name (ip, sysctl)."""
IF_PRESENT = ("irqbalance", "nft", "conntrack")
"""Packed where this machine has them, for tuning and for looking around by hand."""
_LEGACY = (
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
)
# What newer versions of sshd start for each connection, and sftp for people.
_SSHD_HELPERS = ("sshd-session", "sshd-auth", "sftp-server")
_BIN = "/usr/sbin"
_FOLDERS = ("bin", "dev", "etc", "proc", "root", "run/sshd", "sys", "usr/bin", "usr/sbin", "var/log")
_ACCOUNTS = (
    ("root:x:0:0:root:/root:/bin/sh", "root:x:0:"),
    ("sshd:x:100:65534:sshd:/run/sshd:/usr/sbin/nologin", "nogroup:x:65534:"),
    ("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin", "tty:x:5:"),
)


def pack(kernel: DebianKernel, init: str, search_path: str) -> bytes:
    """Give the archive that makes a load balancer of `kernel`; `init` is the script of its first process.

    Raises TestbedError when a program, a library or a module is not there.
    """
    programs = {name: _found(name, search_path) for name in PROGRAMS}
    extra = {name: shutil.which(name, path=search_path) for name in IF_PRESENT}
    programs |= {name: Path(place) for name, place in extra.items() if place is not None}
    helpers = [path for name in _SSHD_HELPERS if (path := Path("/usr/lib/openssh") / name).exists()]
    extensions = sorted(_xtables_folder().glob("lib*.so"))
    binaries = [*programs.values(), *helpers, *extensions[:1]]
    entries = [
        *map(initramfs.folder, _FOLDERS),
        initramfs.folder("tmp", 0o1777),
        initramfs.file("init", init.encode(), 0o755),
        *(initramfs.file(f"{_BIN}/{name}", path.read_bytes(), 0o755) for name, path in programs.items()),
        *(
            initramfs.file(str(path), path.read_bytes(), 0o755)
            for path in [*helpers, *extensions, *_libraries(binaries)]
        ),
        initramfs.link("bin/sh", f"{_BIN}/dash"),
        *(initramfs.link(f"{_BIN}/{name}", "xtables-legacy-multi") for name in _LEGACY),
        *_applets(programs["busybox"], {*programs, "ash"}),
        *_settings(),
        *_modules(kernel),
    ]
    return initramfs.archive(entries)


def _found(name: str, search_path: str) -> Path:
    path = shutil.which(name, path=search_path)
    if path is None:
        raise TestbedError(
            f"the load balancer's kernel needs {name}, which this machine does not have; {REMEDY}"
        )
    return Path(path)


def _xtables_folder() -> Path:
    """Give where iptables has its extensions: below the folder of libraries of this machine's architecture."""
    return next(iter(sorted(Path("/usr/lib").glob("*/xtables"))), Path("/usr/lib/xtables"))


def _libraries(binaries: Sequence[Path]) -> Iterator[Path]:
    said = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False)
    yield from parse_ldd(said.stdout)


def parse_ldd(text: str) -> list[Path]:
    """Give the libraries and dynamic loaders that ldd(1) printed; raises TestbedError when one is not found."""
    lost = sorted(set(re.findall(r"^\s+(\S+) => not found", text, re.MULTILINE)))
    if lost:
        raise TestbedError(f"this machine's programs lack {', '.join(lost)}: reinstall their packages")
    # "	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)" or "	/lib64/ld-linux-x86-64.so.2 (0x…)"
    found = re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", text, re.MULTILINE)
    return [Path(path) for path in sorted(set(found))]


def _applets(busybox: Path, but: Iterable[str]) -> Iterator[Entry]:
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for name in sorted(set(listed.split()) - {*but, "sh"}):
        yield initramfs.link(f"bin/{name}", f"{_BIN}/busybox")


def _settings() -> Iterator[Entry]:
    users, groups = zip(*_ACCOUNTS, strict=True)
    yield initramfs.file("etc/passwd", "".join(f"{user}\n" for user in users).encode())
    yield initramfs.file("etc/group", "".join(f"{group}\n" for group in groups).encode())
    yield initramfs.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files\nservices: files\n")
    for name in ("protocols", "services"):  # iptables and ipvsadm print names
        path = Path("/etc") / name
        if path.exists():
            yield initramfs.file(str(path), path.read_bytes())


def _modules(kernel: DebianKernel) -> Iterator[Entry]:
    """Give the modules and `order`, which names them one by one as they have to be loaded."""
    order = []
    for path in module_order(kernel.modules, QEMU_MODULES):
        place = f"/lib/modules/{path.name.removesuffix('.xz')}"
        order.append(place)
        yield initramfs.file(place, read_module(path))
    yield initramfs.file("lib/modules/order", "".join(f"{place}\n" for place in order).encode())
