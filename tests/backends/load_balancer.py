"""A load balancer without IPVS.

The kernel under the tests may have no IPVS, so this one answers the backend's scripts from a table,
sysctls, addresses, rules and undo journals of its own, and records every round trip. The same scripts run on a real
kernel in the lab, and the lines of the journals in a real shell in tests/testbed.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from pytest_kubelb.backends.ipvs_table import parse_table
from pytest_kubelb.testbed import journal
from pytest_kubelb.testbed.hosts import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence


class LoadBalancer:
    """Carries out the scripts of the ipvs backend on values; the methods are the commands."""

    name = "k11"

    def __init__(self) -> None:
        self.trips: list[str] = []
        self.table = ""
        self.sysctls = {
            "net.ipv4.ip_forward": "0",
            "net.ipv4.vs.conntrack": "0",
            "net.ipv4.vs.conn_reuse_mode": "1",
            "net.ipv4.vs.expire_nodest_conn": "0",
        }
        self.addresses = ["192.168.0.11"]
        self.rules: list[list[str]] = []
        self.kernel = "6.1.176"
        self.swallow = ""
        """Real server that the table loses again, as if someone else removed it."""
        self.journals: dict[str, str] = {}
        """File -> its line."""
        self._stdin: list[str] = []
        self.untouched: tuple[object, ...] | None = None
        """The state that the host has to be in when a journal is written."""

    def state(self) -> tuple[object, ...]:
        """Everything a backend may change."""
        return (parse_table(self.table), dict(self.sysctls), list(self.addresses), list(self.rules))

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - as Host.run
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> Completed:
        """Carry out `sh -c SCRIPT`, line by line."""
        assert (timeout_s, check, root) == (20.0, True, False)
        shell, option, script = argv
        assert (shell, option) == ("sh", "-c")
        self.trips.append(script)
        self._stdin = (input or "").splitlines()
        lines = script.splitlines()
        assert lines[0] == "set -e"
        printed = "".join(self._line(line) for line in lines[2:])
        return Completed(self.name, script, printed, "", 0, 0.001)

    def _line(self, line: str) -> str:
        if line == journal.NAMESPACE_LINE or journal.ROOT in line:
            self._journal(line)
            return ""
        line, asked = re.subn(r"^if (.*) 2>/dev/null; then echo there; fi$", r"\1", line)
        words = shlex.split(line.removeprefix("$s "))
        match words:
            case ["echo", section]:
                return f"{section}\n"
            case ["uname", "-r"]:
                return f"{self.kernel}\n"
            case ["ip", *words]:
                return self._ip(words)
            case ["sysctl", *words]:
                return self._sysctl(words)
            case ["iptables", "-w", "5", "-t", "nat", command, "POSTROUTING", *rule]:
                if asked:
                    return "there\n" if rule in self.rules else ""
                self.rules.append(rule) if command == "-A" else self.rules.remove(rule)
                return ""
            case ["ipvsadm", "--restore"]:
                self._restore(self._stdin)
                return ""
            case ["ipvsadm", "--save", "-n"]:
                return self.table
        raise AssertionError(f"unexpected command {line!r}")

    def _ip(self, words: list[str]) -> str:
        if words == ["-json", "-4", "address", "show"]:
            return json.dumps([{"addr_info": [{"local": one} for one in self.addresses]}]) + "\n"
        address, verb, prefix, *where = words
        assert (address, where) == ("address", ["dev", "lo"])
        ip = prefix.removesuffix("/32")
        self.addresses.append(ip) if verb == "add" else self.addresses.remove(ip)
        return ""

    def _sysctl(self, words: list[str]) -> str:
        if words[:2] == ["-q", "-w"]:
            self.sysctls.update(dict(setting.split("=") for setting in words[2:]))
            return ""
        return "".join(f"{name} = {self.sysctls[name]}\n" for name in words)

    def _journal(self, line: str) -> None:
        if moved := re.search(r"mv -f \S+ (\S+) ", line):
            assert not self.touched(), "the journal is written before anything else"
            self.journals[moved[1]] = self._stdin.pop(0)
        elif line.startswith("rm -f "):
            del self.journals[line.removeprefix("rm -f ")]

    def touched(self) -> bool:
        """Tell whether anything is not as it was when the tests said `untouched`."""
        return self.untouched is not None and self.state() != self.untouched

    def _restore(self, batch: list[str]) -> None:
        lines = self.table.splitlines()
        for line in batch:
            command, rest = line[:2], line[3:]
            if command in {"-A", "-a"}:
                at = len(lines)
                if command == "-a":
                    service = " ".join(rest.split()[:2])
                    at = max(n for n, one in enumerate(lines) if one[3:].startswith(service)) + 1
                lines.insert(at, line)
            else:
                lines = [one for one in lines if not one[3:].startswith(rest)]
        self.table = "".join(f"{one}\n" for one in lines if not self.swallow or self.swallow not in one)
