"""What a lab could leave behind on this machine. Reads /proc and asks `ip`, `iptables` and `sysctl`."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

MARK = "KUBELB_TEST_MARK"
"""An environment variable that a session passes on to everything it starts; its value tells sessions apart."""


def machine() -> dict[str, object]:
    """Give everything of this machine that no lab may change."""
    return {
        "network": _said("ip -4 -br address; ip -4 route; ip -4 rule; ip -br link"),
        "rules": _said("iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'"),
        "mounts": sorted(
            line.split(" ", 4)[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "named namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "sysctls": _said(
            "sysctl net.ipv4.ip_forward net.core.somaxconn net.ipv4.ip_local_port_range kernel.modprobe"
        ),
    }


def left_by(pid: int, mark: str, timeout_s: float = 10.0) -> list[str]:
    """Give the processes and state folders that the pytest process `pid`, marked `mark`, has left.

    The kernel cleans up behind a killed session: what is gone within `timeout_s` was not left. Processes inside the
    lab that lose the mark (pods do) live in its PID namespace, which ends with its first process, a marked one.
    """
    deadline = time.monotonic() + timeout_s
    while (found := [*_marked(mark), *_folders(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _marked(mark: str) -> list[str]:
    wanted = f"{MARK}={mark}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " ").strip())
        except OSError:
            continue  # it ended meanwhile, or is a kernel thread
    return sorted(found)


def _folders(pid: int) -> list[str]:
    return [str(path) for path in Path("/run/kubelb").glob(f"session-{pid}-*")]


def _said(script: str) -> str:
    environment = {**os.environ, "PATH": "/usr/sbin:/sbin:" + os.environ.get("PATH", "")}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, env=environment)
    return done.stdout
