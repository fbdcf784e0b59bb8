"""What a lab could leave behind on this machine, as one comparable value. Reads /proc and asks `ip` and `iptables`."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path


def traces() -> dict[str, object]:
    """Give everything of this machine that a lab must not change."""
    return {
        "processes in other namespaces": _foreign_processes(),
        "network": _said("ip -4 -br address; ip -4 route; ip -4 rule; ip -br link"),
        "rules": _said("iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'"),
        "mounts": sorted(
            line.split(" ", 4)[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "named namespaces": sorted(os.listdir("/run/netns")) if Path("/run/netns").is_dir() else [],  # noqa: PTH208
        "sysctls": _said(
            "sysctl net.ipv4.ip_forward net.core.somaxconn net.ipv4.ip_local_port_range kernel.modprobe"
        ),
        "state folders": sorted(path.name for path in Path("/run/kubelb").glob("*")),
    }


def wait_for(expected: dict[str, object], timeout_s: float = 10.0) -> dict[str, object]:
    """Give the traces once they are `expected`, or what they are after `timeout_s`: the kernel cleans up behind us."""
    deadline = time.monotonic() + timeout_s
    while (found := traces()) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _foreign_processes() -> list[str]:
    own = Path("/proc/self/ns/net").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / "net").readlink() != own:
                found.append((process / "cmdline").read_text().replace("\0", " ").strip())
        except OSError:
            continue  # it ended meanwhile, or is a kernel thread
    return sorted(found)


def _said(script: str) -> str:
    path = "/usr/sbin:/sbin:" + os.environ.get("PATH", "")
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    ).stdout
