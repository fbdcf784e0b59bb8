"""The lab's hosts and addresses, as in the seed. Pure: touches nothing.

Hosts are k04 (control plane), k05-k10 (workers), k11 (load balancer) and k12 (benchmarker) on 192.168.0.0/24;
pods live in 172.16.N.0/24, one range per cluster node; Services in 10.254.0.0/16. All of it exists only inside the
lab's namespaces.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

Role = Literal["control_plane", "worker", "load_balancer", "benchmarker"]

LAN = IPv4Network("192.168.0.0/24")
POD_RANGE = IPv4Network("172.16.0.0/16")
SERVICE_RANGE = IPv4Network("10.254.0.0/16")
CLUSTER_IP = IPv4Address("10.254.0.10")

VXLAN_DEVICE = "flannel.1"
VXLAN_ID = 1
VXLAN_PORT = 8472  # Linux' default, which flannel keeps; IANA's is 4789
VXLAN_OVERHEAD_BYTES = 50
ETHERNET_MTU = 1500
POD_BRIDGE = "cni0"

OVERLAYS = ("vxlan", "host-gw")


def mac_of(address: IPv4Address) -> str:
    """Give the MAC address that container networks derive from an IPv4 address: 0a:58 and its four bytes.

    Source: the bridge plugin of containernetworking/plugins. A derived address stays right in every neighbour table
    when a pod gives way to another one with the same address, and when a bridge gets a port with a lower one.
    """
    return "0a:58:" + ":".join(f"{byte:02x}" for byte in address.packed)


@dataclass(frozen=True)
class Node:
    """One host of the lab."""

    name: str
    role: Role
    address: IPv4Address
    pod_network: IPv4Network | None
    """Its share of the pod range; None for a host outside the cluster."""

    @property
    def mac(self) -> str:
        """The MAC address of its LAN interface, fixed so that neighbour tables can be written in advance."""
        return mac_of(self.address)

    @property
    def vtep_mac(self) -> str:
        """The MAC address of its VXLAN tunnel end point."""
        return mac_of(self.vtep_address)

    @property
    def vtep_address(self) -> IPv4Address:
        """The address of its VXLAN tunnel end point: flannel takes the first of the node's pod range."""
        return self._pods().network_address

    @property
    def gateway(self) -> IPv4Address:
        """The address of its pod bridge."""
        return self._pods().network_address + 1

    def _pods(self) -> IPv4Network:
        if self.pod_network is None:
            raise ValueError(f"{self.name} is not a cluster node: it has no pod network")
        return self.pod_network


def _node(name: str, role: Role, pod_subnet: int | None) -> Node:
    network = IPv4Network(f"172.16.{pod_subnet}.0/24") if pod_subnet is not None else None
    return Node(name, role, LAN.network_address + 100 + int(name[1:]), network)


CONTROL_PLANE = _node("k04", "control_plane", 60)
WORKERS = tuple(_node(f"k{number:02}", "worker", 56 + number) for number in range(5, 11))
LOAD_BALANCER = _node("k11", "load_balancer", 121)
BENCHMARKER = _node("k12", "benchmarker", None)

NODES = (CONTROL_PLANE, *WORKERS, LOAD_BALANCER, BENCHMARKER)
CLUSTER_NODES = (CONTROL_PLANE, *WORKERS, LOAD_BALANCER)


def node(name: str) -> Node:
    """Give the node called `name`; raises KeyError for a name the lab does not have."""
    return {each.name: each for each in NODES}[name]
