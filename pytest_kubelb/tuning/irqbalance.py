"""The irqbalance daemon: whether it runs, what runs it, and how it is stopped and started again. Pure: touches nothing.

Where systemd runs it, systemd stops and starts it; a bare process is ended by its name and started again with the
command line it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from pytest_kubelb.backends.base import root_line

RUNNING: Final = "running"
STOPPED: Final = "stopped"
ABSENT: Final = "absent"
UNIT: Final = "irqbalance.service"

# /proc/PID/cmdline is empty for a process that has ended and whose parent has not noticed.
QUESTION: Final = """\
echo "@@irqbalance"
for p in $(grep -lsx irqbalance /proc/[0-9]*/comm || :); do
  p=${p%/comm}
  c=$(tr '\\0' '\\n' <"$p/cmdline") 2>/dev/null || continue
  [ -n "$c" ] || continue
  while read -r g; do case $g in */irqbalance.service) echo "service"; break ;; esac; done <"$p/cgroup" || :
  echo "argv"
  printf '%s\\n' "$c"
  break
done
echo "@@irqbalance_there"
if [ -d /run/systemd/system ]; then
  for u in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    [ ! -f "$u/irqbalance.service" ] || { echo unit; break; }
  done
fi
command -v irqbalance || :"""
"""Script lines; the answer is in two sections. Costs one process where it does not run."""


@dataclass(frozen=True)
class Irqbalance:
    """What is there of irqbalance."""

    argv: tuple[str, ...] = ()
    """The command line of the running one; empty when none runs."""
    by_systemd: bool = False
    """It runs as the service, or would: systemd is there and knows it."""
    installed: bool = False

    @property
    def state(self) -> str:
        """One of running, stopped, absent."""
        if self.argv:
            return RUNNING
        return STOPPED if self.installed else ABSENT

    def to_json(self) -> dict[str, object]:
        """Give it as a JSON object; `from_json` gives it back."""
        return {"argv": list(self.argv), "by_systemd": self.by_systemd, "installed": self.installed}

    @classmethod
    def from_json(cls, value: object) -> Irqbalance:
        """Read what `to_json` gave. Raises ValueError; no other program than irqbalance is ever accepted."""
        fields = value if isinstance(value, Mapping) else {}
        argv = fields.get("argv")
        if not isinstance(argv, list) or not all(isinstance(word, str) and "\0" not in word for word in argv):
            raise ValueError(f"'irqbalance' is {value!r}, without a list of words 'argv'")
        if argv and PurePosixPath(argv[0]).name != "irqbalance":
            raise ValueError(f"'irqbalance' was run as {argv[0]!r}, which is not irqbalance")
        return cls(tuple(argv), bool(fields.get("by_systemd")), bool(fields.get("installed")))


def parse(running: list[str], there: list[str]) -> Irqbalance:
    """Read the two sections of the answer."""
    argv = tuple(running[running.index("argv") + 1 :]) if "argv" in running else ()
    by_systemd = running[:1] == ["service"] if argv else "unit" in there
    return Irqbalance(argv, by_systemd, bool(argv or there))


def stop_command(now: Irqbalance) -> str:
    """Give the script's command that ends it; `k` is the script's function that ends bare processes."""
    return root_line("systemctl", "stop", UNIT) if now.by_systemd else "k"


def start_command(before: Irqbalance) -> tuple[str, bool]:
    """Give the script's command that starts it as it ran `before`, and whether it has to go to the background.

    One that was started in the foreground (-f) would never come back.
    """
    if before.by_systemd:
        return root_line("systemctl", "start", UNIT), False
    return root_line(*(before.argv or ("irqbalance",))), True
