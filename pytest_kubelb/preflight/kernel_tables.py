"""Read the kernel's tables of IPVS services, listeners and routes. Pure.

Formats: /proc/net/ip_vs as net/netfilter/ipvs/ip_vs_ctl.c writes it (addresses in network order, in hexadecimal),
/proc/net/tcp and tcp6 as proc(5) has it (each 32-bit word in the host's order), and what iproute2 prints.
"""

from __future__ import annotations

import sys
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from pytest_kubelb.load import json_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAPPED = "0000000000000000FFFF0000"  # the first words of ::ffff:0:0/96 on a little-endian host


def virtual_services(lines: Iterable[str]) -> dict[str, int]:
    """Give the TCP services of IPVS: `address:port` -> number of real servers."""
    found: dict[str, int] = {}
    service = ""
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "->" and service:
            found[service] += 1
        elif len(words) > 1 and ":" in words[1] and words[0] in ("TCP", "UDP", "SCTP"):
            address, _, port = words[1].rpartition(":")
            is_ours = words[0] == "TCP" and len(address) == 8
            service = f"{IPv4Address(int(address, 16))}:{int(port, 16)}" if is_ours else ""
            if service:
                found[service] = 0
    return found


def listens(lines: Iterable[str], address: str, port: int) -> str | None:
    """Give the local `address:port` of a listener that takes connections to this one; None where there is none."""
    number = int(IPv4Address(address)).to_bytes(4, "big")
    word = f"{int.from_bytes(number, sys.byteorder):08X}"
    everywhere = {"0" * 8, "0" * 32}
    for line in lines:
        words = line.split()
        if len(words) < 4 or words[3] != "0A":
            continue
        local, _, at = words[1].rpartition(":")
        if int(at, 16) == port and (local in everywhere or local in (word, _MAPPED + word)):
            return f"{'*' if local in everywhere else address}:{port}"
    return None


def addresses(lines: Iterable[str]) -> dict[str, str]:
    """Give each IPv4 address of a host and the interface that has it, out of `ip -4 -o address show`."""
    found = {}
    for line in lines:
        match line.split():
            case [number, interface, "inet", address, *_] if number.endswith(":"):
                found[address.partition("/")[0]] = interface
    return found


def route_to(lines: Iterable[str], network: IPv4Network) -> str | None:
    """Give the most specific route of `ip -4 route show` that covers a network; None where there is none."""
    best: tuple[int, str] | None = None
    for line in lines:
        words = line.split() or [""]
        word = "0.0.0.0/0" if words[0] == "default" else words[0]
        try:
            covered = IPv4Network(word)
        except ValueError:  # `unreachable`, `blackhole`, an indented next hop
            continue
        if network.subnet_of(covered) and (best is None or covered.prefixlen > best[0]):
            best = (covered.prefixlen, line.strip())
    return best[1] if best else None


def way(lines: Iterable[str]) -> tuple[str, str | None]:
    """Give (device, gateway) out of `ip -json route get`; the gateway is None on the same network.

    Raises ValueError with what was printed instead.
    """
    text = "\n".join(lines)
    try:
        (route,) = json_fields.decode(text)
        return str(route["dev"]), route.get("gateway")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(" ".join(text.split())[:120] or "nothing was printed") from None
