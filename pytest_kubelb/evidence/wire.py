"""What passed a host's wires: frames, and the bytes they occupy there. Pure; touches nothing.

/proc/net/dev counts a frame with its 14 byte Ethernet header and without its check sum (struct rtnl_link_stats64
in linux/if_link.h: "the length of Ethernet Frames excluding the FCS"). On the wire each one takes 24 more bytes:
preamble and start of frame 8, check sum 4, gap 12 (IEEE 802.3, 3.2 and 4.4.2); 38 more than its IP packet. vxlan's
headers are inside the outer packet that the NIC counts. Frames of less than 60 bytes are padded where the
counters may not see it; TCP's shortest, 66 bytes with timestamps, is not among them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.spec import NodeSpec

PER_FRAME_BYTES: Final = 24
"""On the wire beyond what /proc/net/dev counts."""

# What these carry passes another NIC as well, or no wire at all.
_NO_WIRE_DRIVERS: Final = frozenset(
    (
        "vxlan",
        "geneve",
        "bridge",
        "bonding",
        "team",
        "dummy",
        "tun",
        "ipvlan",
        "macvlan",
        "wireguard",
        "802.1Q VLAN Support",
    )
)
_NO_WIRE_NAMES: Final = (
    "lo", "flannel", "cni", "kube-", "veth", "vxlan", "docker", "br-", "virbr", "cali", "cilium", "lxc", "dummy", "ifb",
    "nodelocaldns", "tunl", "gre", "sit", "ip6tnl", "ip_vti", "ip6_vti", "erspan", "wg",
)  # fmt: skip
_NO_LINK_DRIVERS: Final = frozenset(("veth",))
"""They give a speed (veth: 10 Gbit/s) that nothing limits them to."""


class Wire(NamedTuple):
    """One NIC during one run. Bytes are those on the wire, framing included.

    A tuple, because four are made for every run: a frozen dataclass takes four times as long.
    """

    nic: str
    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    drops: int
    """Received or sent frames that the NIC or its driver dropped, damaged ones included."""
    speed_mbps: int | None
    """None when nobody says; 0 for a NIC without a link of its own, which cannot be full."""

    @property
    def packets(self) -> int:
        """Give both directions' frames."""
        return self.rx_packets + self.tx_packets

    @property
    def bytes(self) -> int:
        """Give both directions' bytes on the wire."""
        return self.rx_bytes + self.tx_bytes

    def busy(self, load_s: float) -> float | None:
        """Give the fuller direction's share of the link during `load_s` seconds, in %; None without a speed."""
        if self.speed_mbps is None or load_s <= 0:
            return None
        if self.speed_mbps == 0:
            return 0.0
        return max(self.rx_bytes, self.tx_bytes) * 8e-4 / (self.speed_mbps * load_s)


def wires(delta: HostDelta, spec: NodeSpec | None) -> Iterator[Wire]:
    """Give the host's NICs that end in a wire and that carried anything, tunnels, bridges and pods' ends left out."""
    known = spec.nics if spec is not None else {}
    for name, counted in delta.nics.items():
        nic = known.get(name)
        if not _ends_in_wire(name, nic.driver if nic is not None else None):
            continue
        get = counted.get
        rx, tx = get("rx_packets", 0), get("tx_packets", 0)
        if not rx and not tx:
            continue
        yield Wire(
            name,
            rx,
            tx,
            get("rx_bytes", 0) + PER_FRAME_BYTES * rx,
            get("tx_bytes", 0) + PER_FRAME_BYTES * tx,
            get("rx_dropped", 0) + get("rx_errors", 0) + get("tx_dropped", 0) + get("tx_errors", 0),
            None if nic is None else 0 if nic.driver in _NO_LINK_DRIVERS else nic.speed_mbps,
        )


@lru_cache(maxsize=1024)
def _ends_in_wire(name: str, driver: str | None) -> bool:
    return not name.startswith(_NO_WIRE_NAMES) and driver not in _NO_WIRE_DRIVERS


def per_request(bytes_on_wire: int, requests: int) -> float | None:
    """Give the bytes on the benchmarker's wires per request, both directions; None when there was no request."""
    return bytes_on_wire / requests if requests > 0 and bytes_on_wire > 0 else None


def unequal_load(one: tuple[str, float], other: tuple[str, float], limit_percent: float | None) -> str | None:
    """Give the sentence for two points whose load is not equal; None when it is, or when the limit is off.

    Each is (its name, its wire bytes per request). A full link carries the cheaper of two loads faster, so such points
    rank nothing.
    """
    (name, of_one), (other_name, of_other) = one, other
    if limit_percent is None or not min(of_one, of_other) > 0:
        return None
    apart = (max(of_one, of_other) / min(of_one, of_other) - 1) * 100
    if apart <= limit_percent:
        return None
    return (
        f"{name} takes {of_one:.1f} wire bytes per request and {other_name} {of_other:.1f}, {apart:.2f} % "
        f"apart where {limit_percent:g} % are allowed: give both the same Host header and the same "
        "response before they are compared"
    )
