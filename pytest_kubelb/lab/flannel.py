"""What flannel writes on a node: the batches for `ip` and `bridge`. Pure: touches nothing.

Source of the shape: flannel's vxlan backend (one neighbour and one forwarding entry per peer, one route per peer's pod
range through the peer's tunnel end point, `onlink`) and its host-gw backend (one route per peer's pod range through the
peer's LAN address).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_kubelb.lab.topology import (
    CLUSTER_NODES,
    ETHERNET_MTU,
    VXLAN_DEVICE,
    VXLAN_ID,
    VXLAN_OVERHEAD_BYTES,
    VXLAN_PORT,
    Node,
)


@dataclass(frozen=True)
class Batches:
    """Text for `ip -batch -` and, after it, for `bridge -batch -`."""

    ip: str
    bridge: str


def overlay_batches(node: Node, overlay: str, peers: Sequence[Node] = CLUSTER_NODES) -> Batches:
    """Give what brings `node` to `overlay` from nothing; raises ValueError for an overlay flannel does not have."""
    others = [peer for peer in peers if peer != node]
    if overlay == "vxlan":
        return _vxlan(node, others)
    if overlay == "host-gw":
        routes = [f"route replace {peer.pod_network} via {peer.address} dev eth0" for peer in others]
        return Batches("\n".join(routes) + "\n", "")
    raise ValueError(f"overlay {overlay!r} is not one of vxlan, host-gw")


def removal_batch(node: Node, overlay: str, peers: Sequence[Node] = CLUSTER_NODES) -> str:
    """Give the `ip` batch that takes away what `overlay_batches` wrote."""
    if overlay == "vxlan":
        return f"link del {VXLAN_DEVICE}\n"
    return "".join(f"route del {peer.pod_network}\n" for peer in peers if peer != node)


def _vxlan(node: Node, others: Sequence[Node]) -> Batches:
    device = VXLAN_DEVICE
    ip = [
        f"link add {device} address {node.vtep_mac} mtu {ETHERNET_MTU - VXLAN_OVERHEAD_BYTES} type vxlan"
        f" id {VXLAN_ID} local {node.address} dev eth0 dstport {VXLAN_PORT} nolearning",
        f"addr add {node.vtep_address}/32 dev {device}",
        f"link set {device} up",
    ]
    bridge = []
    for peer in others:
        ip.append(f"neigh replace {peer.vtep_address} lladdr {peer.vtep_mac} dev {device} nud permanent")
        ip.append(f"route replace {peer.pod_network} via {peer.vtep_address} dev {device} onlink")
        bridge.append(f"fdb replace {peer.vtep_mac} dev {device} dst {peer.address} self permanent")
    return Batches("\n".join(ip) + "\n", "\n".join(bridge) + "\n")
