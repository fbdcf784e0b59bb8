"""Read what ipvs and kube-proxy counted for each service and pod. Pure: text in, values out.

Sources: `ipvsadm -Ln --stats --exact` and /proc/net/ip_vs; `iptables-save -c -t nat` with the chains of kube-proxy
(Kubernetes, pkg/proxy/iptables/proxier.go). In the nat table only the first packet of a connection is counted.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_kubelb.evidence.kernel_files import counts as numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True)
class Forwarded:
    """Absolute counters of one backend."""

    services: dict[str, int] = field(default_factory=dict)
    """`ipvs 192.168.0.111:8888` -> connections; UDP's have `/udp` at the end."""
    endpoints: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """`ipvs 172.16.1.2` -> connections, packets and bytes, both directions; iptables counts connections alone."""


@dataclass(frozen=True)
class Opened:
    """Connections in ipvs's table now. They fall when an entry expires, two minutes after the connection's end."""

    services: dict[str, int] = field(default_factory=dict)
    pods: dict[str, int] = field(default_factory=dict)


_JUMP = re.compile(
    r"\[(\d+):\d+\] -A KUBE-(?:SERVICES (?:.* )?-d ([0-9a-fA-F.:]+)(?:/\d+)? .*-p (\w+) .*--dport (\d+) .*-j KUBE-"
    r"|NODEPORTS (?:.* )?-p (\w+) .*--dport (\d+) .*-j KUBE-)"
)
_REWRITE = re.compile(
    r"\[(\d+):\d+\] -A KUBE-SEP-\S+ .*-j DNAT .*--to-destination (\[[^\]]+\]|[0-9.]+)(?::\d+)?"
)


def kube_proxy(lines: Iterable[str]) -> Forwarded:
    """Read `iptables-save -c -t nat`; raises ValueError when there is no chain of kube-proxy in it."""
    services: dict[str, int] = {}
    endpoints: dict[str, tuple[int, int, int]] = {}
    known = False
    for line in lines:
        known = known or "KUBE-" in line
        # Each pattern begins with the counters; the word looked for first keeps long rule sets cheap.
        if " -A KUBE-SERVICES " in line or " -A KUBE-NODEPORTS " in line:
            if match := _JUMP.match(line):
                count, address, protocol, port, node_protocol, node_port = match.groups()
                place = _place(address or "*", port or node_port, protocol or node_protocol)
                services[f"proxy {place}"] = services.get(f"proxy {place}", 0) + numbers([count])[0]
        elif " DNAT " in line and (match := _REWRITE.match(line)):
            name = f"proxy {match[2].strip('[]')}"
            endpoints[name] = (endpoints.get(name, (0, 0, 0))[0] + numbers([match[1]])[0], 0, 0)
    if not known:
        raise ValueError("no chain of kube-proxy")
    return Forwarded(services, endpoints)


def ipvs(lines: Iterable[str]) -> Forwarded:
    """Read `ipvsadm -Ln --stats --exact`: conns, packets and bytes in and out; raises ValueError for other text."""
    services: dict[str, int] = {}
    endpoints: dict[str, tuple[int, int, int]] = {}
    for line in lines:
        match line.split():
            case ["IP", "Virtual", *_] | ["Prot", *_] | ["->", "RemoteAddress:Port", *_] | []:
                continue
            case ["->", server, *counts]:
                conns, *rest = numbers(counts)
                name = f"ipvs {_address(server)}"
                known = endpoints.get(name, (0, 0, 0))
                endpoints[name] = (known[0] + conns, known[1] + sum(rest[:2]), known[2] + sum(rest[2:]))
            case ["FWM", mark, *counts]:
                (services[f"ipvs fwmark {mark}"],) = numbers(counts[:1])
            case ["TCP" | "UDP" | "SCTP" as protocol, address, *counts]:
                (services[f"ipvs {address}{_suffix(protocol)}"],) = numbers(counts[:1])
            case _:
                raise ValueError(line.strip())
    return Forwarded(services, endpoints)


def open_connections(lines: Iterable[str]) -> Opened:
    """Read /proc/net/ip_vs: the connections in its table, the closing ones included, of each service and each pod."""
    services: dict[str, int] = {}
    pods: dict[str, int] = {}
    service = ""
    for words in _rows(lines):
        if words[0] == "->":
            count = sum(numbers((words[4], words[5])))
            pod = f"ipvs {_address(_plain(words[1]))}"
            pods[pod] = pods.get(pod, 0) + count
            services[service] += count
        else:
            mark = words[0] == "FWM"
            service = (
                f"ipvs fwmark {int(words[1], 16)}" if mark else f"ipvs {_plain(words[1])}{_suffix(words[0])}"
            )
            services[service] = 0
    return Opened(services, pods)


def _rows(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        words = line.split()
        if words and words[0] not in ("IP", "Prot") and words[1:2] != ["RemoteAddress:Port"]:
            yield words


def _plain(text: str) -> str:
    """Give `192.168.0.111:8888` for `C0A8006F:22B8`; IPv6 stands in brackets and is not hexadecimal throughout."""
    address, _, port = text.rpartition(":")
    if not address.startswith("["):
        address = str(ipaddress.IPv4Address(int(address, 16)))
    return f"{address}:{int(port, 16)}"


def _address(server: str) -> str:
    return server.rpartition(":")[0].strip("[]")


def _suffix(protocol: str) -> str:
    return "" if protocol.upper() == "TCP" else f"/{protocol.lower()}"


def _place(address: str, port: str, protocol: str) -> str:
    where = f"[{address}]" if ":" in address else address
    return f"{where}:{port}{_suffix(protocol)}"
