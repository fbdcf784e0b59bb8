"""What the hosts are, from what they said of themselves once per session. Pure; touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb import host_facts
from pytest_kubelb.evidence.spec import NicSpec, NodeSpec

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse(host: str, text: str) -> NodeSpec:
    """Read what `host_facts.SCRIPT` printed; what is not there is empty, 0 or None. Raises nothing."""
    facts = host_facts.parse(text)
    links: dict[str, list[str]] = {}
    offloads: dict[str, list[str]] = {}
    for line in text.splitlines():
        match line.split():
            case ["link", name, rest] if rest.count(":") == 4:
                links[name] = rest.split(":")
            case ["offload", name, feature]:
                offloads.setdefault(name, []).append(feature)
    kernel, cpu, cpus, memory = (facts.get(name) for name in ("kernel", "cpu", "cpus", "memory_mib"))
    return NodeSpec(
        host=host,
        kernel=kernel if isinstance(kernel, str) else "",
        cpu=cpu if isinstance(cpu, str) else None,
        cpus=cpus if isinstance(cpus, int) else 0,
        memory_mib=memory if isinstance(memory, int) else 0,
        nics={name: _nic(link, offloads.get(name, ())) for name, link in links.items()},
    )


def _nic(link: Sequence[str], offloads: Sequence[str]) -> NicSpec:
    driver, speed, mtu, rx_queues, tx_queues = link
    return NicSpec(
        driver=driver or None,
        speed_mbps=_count(speed),
        mtu=_count(mtu),
        rx_queues=_count(rx_queues) or 0,
        tx_queues=_count(tx_queues) or 0,
        offloads=tuple(offloads),
    )


def _count(text: str) -> int | None:
    # A virtual NIC says -1, or 4294967295 (SPEED_UNKNOWN as an unsigned number).
    known = text.isascii() and text.isdecimal() and len(text) < 10
    return int(text) if known else None
