"""Read and write IPVS tables as `ipvsadm --save -n` and `ipvsadm --restore` spell them. Pure.

Format: one command line per entry, `-A -t VIP:PORT -s SCHEDULER …` for a virtual service and
`-a -t VIP:PORT -r IP:PORT -m -w WEIGHT …` for each of its real servers (ipvsadm(8)).
"""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import TYPE_CHECKING

from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

Key = tuple[str, str]
"""What identifies a virtual service: `-t`, `-u` or `-f`, and the address or firewall mark."""

MASQUERADE = ("-m", "-w", "1")


@dataclasses.dataclass(frozen=True)
class VirtualService:
    """One virtual service; options are kept as ipvsadm prints them, real servers by address."""

    key: Key
    options: tuple[str, ...]
    real_servers: Mapping[str, tuple[str, ...]]


def wanted_service(vip: str, port: int, scheduler: str, pods: Iterable[str], pod_port: int) -> VirtualService:
    """Return a TCP service on VIP:port that masquerades to each pod address with equal weight."""
    servers = {f"{ipaddress.IPv4Address(pod)}:{pod_port}": MASQUERADE for pod in pods}
    return VirtualService(("-t", f"{ipaddress.IPv4Address(vip)}:{port}"), ("-s", scheduler), servers)


def parse_table(text: str) -> dict[Key, VirtualService]:
    """Read what `ipvsadm --save -n` printed. Raises TestbedError with the line that is not understood."""
    options: dict[Key, tuple[str, ...]] = {}
    servers: dict[Key, dict[str, tuple[str, ...]]] = {}
    for line in text.splitlines():
        match line.split():
            case []:
                continue
            case ["-A", kind, address, *rest]:
                options[kind, address] = tuple(rest)
                servers[kind, address] = {}
            case ["-a", kind, address, "-r", server, *rest] if (kind, address) in options:
                servers[kind, address][server] = tuple(rest)
            case _:
                raise TestbedError(
                    f"ipvsadm --save printed {line.strip()!r}, a line with -A or -a is expected; check the"
                    " version of ipvsadm on the load balancer (1.31 is known to work)"
                )
    return {key: VirtualService(key, options[key], servers[key]) for key in options}


def changes(current: VirtualService | None, wanted: VirtualService | None) -> list[str]:
    """Return the lines for `ipvsadm --restore` that turn one service into the other, [] when they are equal.

    Real servers that stay are not touched. Another scheduler or other options mean a new service.
    """
    if current is not None and (wanted is None or current.options != wanted.options):
        return [_line("-D", current.key), *changes(None, wanted)]
    if wanted is None:
        return []
    before = current.real_servers if current is not None else {}
    lines = [] if current is not None else [_line("-A", wanted.key, *wanted.options)]
    lines += [_line("-d", wanted.key, "-r", server) for server in before if server not in wanted.real_servers]
    for server, options in wanted.real_servers.items():
        if server not in before:
            lines.append(_line("-a", wanted.key, "-r", server, *options))
        elif before[server] != options:
            lines.append(_line("-e", wanted.key, "-r", server, *options))
    return lines


def differences(found: VirtualService | None, wanted: VirtualService | None) -> str:
    """Say in a few words how the service read back differs from the wanted one, "" when equal."""
    if found is None or wanted is None:
        return "" if found == wanted else f"the service is {'missing' if found is None else 'still there'}"
    said = [
        f"options {' '.join(found.options)} instead of {' '.join(wanted.options)}"
        if found.options != wanted.options else "",
        server_differences(found.real_servers.keys(), wanted.real_servers.keys()),
        _some("with other options", {
            server for server in found.real_servers.keys() & wanted.real_servers.keys()
            if found.real_servers[server] != wanted.real_servers[server]
        }),
    ]  # fmt: skip
    return "; ".join(part for part in said if part)


def server_differences(found: Set[str], wanted: Set[str]) -> str:
    """Say in a few words how the real servers found differ from the wanted ones, "" when equal."""
    said = [_some("missing", wanted - found), _some("too many", found - wanted)]
    return "; ".join(part for part in said if part)


def _line(command: str, key: Key, *options: str) -> str:
    return " ".join((command, *key, *options))


def _some(what: str, servers: Set[str]) -> str:
    shown = ", ".join(sorted(servers)[:3])
    return (
        f"{len(servers)} real servers {what} ({shown}{', …' if len(servers) > 3 else ''})" if servers else ""
    )
