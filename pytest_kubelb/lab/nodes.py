"""The lab's hosts as network namespaces on one LAN bridge. Touches the holder's namespaces.

Every node that runs on this kernel is a named network namespace with one long-lived process, its anchor, which also
holds the node's mount namespace (so that /sys shows this node's interfaces) and host name.
"""

import subprocess
from pathlib import Path

from pyroute2 import IPRoute

from pytest_kubelb.lab import namespaces
from pytest_kubelb.lab.flannel import Batches
from pytest_kubelb.lab.topology import LAN, POD_BRIDGE, Node, mac_of

LAN_BRIDGE = "lan"
TAP = "tap0"
CABLE = "cable0"

# A private empty home: start-up files of the developer's shell would cost 100 ms per remote command. A private /tmp:
# what a command leaves there goes with the lab. (The holder itself keeps both: its Python may live in either.)
_ANCHOR = (
    'hostname "$1" && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs ~root'
    " && mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts && exec sleep infinity"
)


def make_lan() -> None:
    """Make the bridge that stands for the switch between the hosts, in the calling thread's namespace.

    It has an address of its own, from which the lab's agents reach a load balancer with its own kernel.
    """
    with IPRoute() as ip:
        ip.link("set", index=1, state="up")
        address = LAN.network_address + 1
        ip.link("add", ifname=LAN_BRIDGE, kind="bridge", address=mac_of(address))
        ip.link("set", index=_index(ip, LAN_BRIDGE), state="up")
        ip.addr("add", index=_index(ip, LAN_BRIDGE), address=str(address), prefixlen=LAN.prefixlen)


def make_cable() -> None:
    """Plug a pair of interfaces into the LAN whose loose end is for a kernel of its own to send and receive on.

    No device file has to be opened for it, and it is no slower than a tap device.
    """
    with IPRoute() as ip:
        ip.link("add", ifname=f"lan-{CABLE}", kind="veth", peer={"ifname": CABLE})
        ip.link("set", index=_index(ip, f"lan-{CABLE}"), master=_index(ip, LAN_BRIDGE), state="up")
        # This kernel hears all that arrives there as well, and must not answer.
        ip.link("set", index=_index(ip, CABLE), state="up", arp=False)


def make_tap(*, multi_queue: bool) -> None:
    """Plug a tap device into the LAN, the only cable that qemu can give several queues."""
    with IPRoute() as ip:
        ip.link("add", ifname=TAP, kind="tuntap", mode="tap", ifr={"multi_queue": int(multi_queue)})
        ip.link("set", index=_index(ip, TAP), master=_index(ip, LAN_BRIDGE), state="up")


def make_node(node: Node) -> subprocess.Popen[bytes]:
    """Make `node` as a namespace on the LAN and give its anchor process."""
    path = namespaces.create(node.name)
    with IPRoute() as ip, path.open("rb") as namespace:
        ip.link(
            "add",
            ifname=f"lan-{node.name}",
            kind="veth",
            peer={"ifname": "eth0", "address": node.mac, "net_ns_fd": namespace.fileno()},
        )
        ip.link("set", index=_index(ip, f"lan-{node.name}"), master=_index(ip, LAN_BRIDGE), state="up")
    with namespaces.inside(node.name):
        _configure(node)
        return subprocess.Popen(
            ["unshare", "--mount", "--uts", "sh", "-c", _ANCHOR, "anchor", node.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )


def _configure(node: Node) -> None:
    with IPRoute() as ip:
        ip.link("set", index=1, state="up")
        eth0 = _index(ip, "eth0")
        ip.link("set", index=eth0, state="up")
        ip.addr("add", index=eth0, address=str(node.address), prefixlen=LAN.prefixlen)
        if node.pod_network is not None:
            ip.link("add", ifname=POD_BRIDGE, kind="bridge", address=mac_of(node.gateway))
            bridge = _index(ip, POD_BRIDGE)
            ip.link("set", index=bridge, state="up")
            ip.addr("add", index=bridge, address=str(node.gateway), prefixlen=node.pod_network.prefixlen)
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def apply(node: Node, batches: Batches) -> None:
    """Run flannel's batches in the node's namespace; raises CalledProcessError with what `ip` said."""
    with namespaces.inside(node.name):
        for tool, batch in (("ip", batches.ip), ("bridge", batches.bridge)):
            if batch:
                subprocess.run([tool, "-batch", "-"], input=batch.encode(), check=True, capture_output=True)


def _index(ip: IPRoute, name: str) -> int:
    return int(ip.link_lookup(ifname=name)[0])
