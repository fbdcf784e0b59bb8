"""Count what a session and its lab hold at one moment. Reads /proc, and asks two hosts of the lab now and then."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_kubelb.testbed.hosts import Hosts

ASK_EVERY: Final = 10
"""Runs from one question to the hosts to the next: on User Mode Linux it takes as long as a short run."""
_CONNTRACK: Final = "/proc/sys/net/netfilter/nf_conntrack_count"

Counts = dict[str, float]
"""What was counted, by the name of its figure."""


@dataclass
class Counting:
    """Counts for the session `pytest_pid` in the lab whose first process is `init_pid`."""

    pytest_pid: int
    init_pid: int
    hosts: Hosts
    _conntrack: Counts = field(default_factory=dict)
    _asked_at: int = -ASK_EVERY

    def now(self, runs: int) -> Counts | None:
        """Count after so many runs; None when the session is just ending."""
        if runs - self._asked_at >= ASK_EVERY:
            self._asked_at = runs
            self._conntrack = {f"conntrack_{name}": entries for name, entries in self._entries()}
        with suppress(FileNotFoundError, ProcessLookupError, StopIteration):
            inside = self._in_the_lab()
            holder = next(
                pid for pid in inside if b"pytest_kubelb.lab.holder" in _command(pid) and pid != self.init_pid
            )
            return {
                "rss_pytest": _private_mib(self.pytest_pid),
                "rss_holder": _private_mib(holder),
                "fds_pytest": _descriptors(self.pytest_pid),
                "fds_holder": _descriptors(holder),
                "threads_pytest": _threads(self.pytest_pid),
                "threads_holder": _threads(holder),
                "processes_lab": len(inside),
                **self._conntrack,
            }
        return None

    def _entries(self) -> list[tuple[str, float]]:
        # A namespace without connection tracking has no such file.
        said = self.hosts.each(["k11", "k12"], ["sh", "-c", f"cat {_CONNTRACK} 2>/dev/null || :"])
        return [(name, float(done.stdout)) for name, done in said.items() if done.stdout.strip()]

    def _in_the_lab(self) -> list[int]:
        """Give the processes of the lab: those in the PID namespace of its first one."""
        namespace = Path(f"/proc/{self.init_pid}/ns/pid").readlink()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile, or has ended and was not reaped yet
                if (process / "ns/pid").readlink() == namespace:
                    found.append(int(process.name))
        return sorted(found)


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _private_mib(pid: int) -> float:
    """Give the memory that is this process's own (RssAnon, proc(5)): files it maps are not counted."""
    return _status(pid, "RssAnon:") / 1024


def _threads(pid: int) -> int:
    return _status(pid, "Threads:")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
