"""What masquerading IPVS needs on a load balancer besides the table: how to read, set and undo it. Pure.

With `net.ipv4.vs.conntrack=1` connections through IPVS are seen by conntrack, so that netfilter can
masquerade them (kernel documentation, networking/ipvs-sysctl). The rule matches on the original destination
that conntrack remembers, the VIP: xt_conntrack is there wherever kube-proxy runs, xt_ipvs often is not.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from typing import TYPE_CHECKING

from pytest_kubelb.backends.base import AS_ROOT, root_line
from pytest_kubelb.backends.ipvs_table import Key, VirtualService, parse_table
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMENT = "kubelb ipvs"
_SECTION = "%% "


@dataclasses.dataclass(frozen=True)
class IpvsHost:
    """The virtual server's address, and which iptables the load balancer's rules are kept with."""

    vip: str
    port: int
    iptables: str = "iptables"

    @property
    def key(self) -> Key:
        """The virtual service in the table."""
        return ("-t", f"{ipaddress.IPv4Address(self.vip)}:{self.port}")

    def rule(self, command: str) -> tuple[str, ...]:
        """Return the command line that checks (-C), adds (-A) or deletes (-D) the masquerading rule."""
        return (
            self.iptables, "-w", "5", "-t", "nat", command, "POSTROUTING", "-p", "tcp",
            "-m", "conntrack", "--ctorigdst", self.vip, "--ctorigdstport", str(self.port),
            "-m", "comment", "--comment", COMMENT, "-j", "MASQUERADE",
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class State:
    """The load balancer as it was read, or as it should become."""

    service: VirtualService | None
    sysctls: Mapping[str, str]
    has_vip: bool
    has_rule: bool
    kernel: tuple[int, int]


def sysctls_for(kernel: tuple[int, int]) -> dict[str, str]:
    """Return the sysctls that masquerading IPVS needs.

    Before Linux 5.9 conn_reuse_mode=1 together with conntrack drops the first packet of a connection that
    reuses a port, one second lost each (fixed by "ipvs: allow connection reuse for unconfirmed
    conntrack"). Later, 0 would tie such a connection to its old real server.
    """
    return {
        "net.ipv4.ip_forward": "1",
        "net.ipv4.vs.conntrack": "1",
        "net.ipv4.vs.conn_reuse_mode": "1" if kernel >= (5, 9) else "0",
        "net.ipv4.vs.expire_nodest_conn": "1",
    }


def questions(what: IpvsHost) -> list[str]:
    """Return the script lines whose output `read_state` reads: one round trip."""
    # ipvsadm comes first: it loads ip_vs, without which its sysctls do not exist.
    return [
        f"echo '{_SECTION}table'", f"{AS_ROOT} ipvsadm --save -n",
        f"echo '{_SECTION}sysctls'", f"sysctl {' '.join(sysctls_for((6, 0)))}",
        f"echo '{_SECTION}kernel'", "uname -r",
        f"echo '{_SECTION}addresses'", "ip -json -4 address show",
        f"echo '{_SECTION}rule'", f"if {root_line(*what.rule('-C'))} 2>/dev/null; then echo there; fi",
    ]  # fmt: skip


def read_state(printed: str, what: IpvsHost) -> State:
    """Read what the questions printed. Raises TestbedError when a part is missing or not understood."""
    parts = re.split(rf"^{_SECTION}(\w+)\n", printed, flags=re.MULTILINE)
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    try:
        sysctls = dict(line.split(" = ", 1) for line in said["sysctls"].splitlines())
        major, minor = re.findall(r"\d+", said["kernel"])[:2]
        addresses = {
            address["local"]
            for link in json_fields.decode(said["addresses"])
            for address in link.get("addr_info", ())
        }
        return State(
            service=parse_table(said["table"]).get(what.key),
            sysctls={name: sysctls[name] for name in sysctls_for((6, 0))},
            has_vip=what.vip in addresses,
            has_rule=said["rule"].strip() == "there",
            kernel=(int(major), int(minor)),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TestbedError(
            f"the state of the load balancer cannot be read ({type(error).__name__}: {error} in"
            f" {printed[-200:]!r}); run 'ipvsadm --save -n', 'sysctl -a' and 'ip -json address' there by hand"
        ) from error


def steps(now: State, wanted: State, what: IpvsHost) -> list[str]:
    """Return the script lines that turn all but the table from one state into the other, [] when equal."""
    changed = [f"{name}={value}" for name, value in wanted.sysctls.items() if now.sysctls[name] != value]
    lines = [root_line("sysctl", "-q", "-w", *changed)] if changed else []
    if now.has_vip != wanted.has_vip:
        verb = "add" if wanted.has_vip else "del"
        lines.append(root_line("ip", "address", verb, f"{what.vip}/32", "dev", "lo"))
    if now.has_rule != wanted.has_rule:
        lines.append(root_line(*what.rule("-A" if wanted.has_rule else "-D")))
    return lines
