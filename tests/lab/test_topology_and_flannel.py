"""The lab's addresses, and flannel's batches, given to the real `ip` and `bridge` in a fresh namespace."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from pytest_kubelb.lab import launch, topology
from pytest_kubelb.lab.flannel import overlay_batches, removal_batch
from pytest_kubelb.lab.topology import CLUSTER_NODES, LOAD_BALANCER, NODES, Node

MOST_PODS = 40

# eth0 is a veth as in the lab. Left out is what changes at moments of its own: IPv6's addresses, the carrier.
FRESH = """
set -e
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip link add eth0 address $MAC type veth peer name lan
ip link set lan up
ip link set eth0 up
ip address add $ADDRESS/24 dev eth0
state() {
  ip -4 -oneline address; ip -details -oneline link | sed 's/<[^>]*>//; s/ state [A-Z]*//'
  ip -4 route; ip -4 neigh show nud permanent; bridge fdb show | sort
}
state >$FOLDER/before
ip -batch $FOLDER/ip
[ ! -s $FOLDER/bridge ] || bridge -batch $FOLDER/bridge
state >$FOLDER/with
ip -batch $FOLDER/removal
state >$FOLDER/after
"""


def test_no_address_and_no_mac_is_given_twice() -> None:
    addresses = [
        *(node.address for node in NODES),
        *(node.gateway for node in CLUSTER_NODES),
        *(node.vtep_address for node in CLUSTER_NODES),
    ]
    macs = [*(node.mac for node in NODES), *(node.vtep_mac for node in CLUSTER_NODES)]
    assert len(set(addresses)) == len(addresses)
    assert len(set(macs)) == len(macs)


def test_the_networks_do_not_overlap() -> None:
    pods = [node.pod_network for node in CLUSTER_NODES if node.pod_network]
    assert len(pods) == len(CLUSTER_NODES)
    for number, network in enumerate(pods):
        assert network.subnet_of(topology.POD_RANGE)
        assert not any(network.overlaps(other) for other in pods[:number])
    wide = [topology.LAN, topology.POD_RANGE, topology.SERVICE_RANGE]
    assert not any(a.overlaps(b) for a in wide for b in wide if a is not b)


def test_the_hosts_and_addresses_are_those_of_the_seed() -> None:
    assert [node.name for node in NODES] == [f"k{number:02}" for number in range(4, 13)]
    assert [str(node.address) for node in NODES] == [f"192.168.0.{number}" for number in range(104, 113)]
    assert str(LOAD_BALANCER.address) == "192.168.0.111"
    assert str(topology.CLUSTER_IP) == "10.254.0.10"


def test_the_packaged_inventory_says_the_same() -> None:
    written = tomllib.loads((Path(launch.__file__).parent / launch.INVENTORY).read_text())
    assert written["roles"] == {
        "control_plane": [topology.CONTROL_PLANE.name],
        "workers": [node.name for node in topology.WORKERS],
        "load_balancer": LOAD_BALANCER.name,
        "benchmarker": topology.BENCHMARKER.name,
    }
    assert written["backends"]["ipvs"]["vip"] == str(LOAD_BALANCER.address)
    assert written["backends"]["proxy"]["cluster_ip"] == str(topology.CLUSTER_IP)
    assert written["backends"]["proxy"]["via"] == str(LOAD_BALANCER.address)


def test_the_answers_of_all_pods_are_12_to_14_bytes_long() -> None:
    # A pod answers its own address and a newline.
    each = -(-MOST_PODS // len(topology.WORKERS))
    answers = [f"{node.gateway + number}\n" for node in topology.WORKERS for number in range(1, each + 1)]
    assert {len(answer) for answer in answers} <= {12, 13, 14}


def test_a_host_outside_the_cluster_has_no_pods() -> None:
    with pytest.raises(ValueError, match="k12 is not a cluster node"):
        _ = topology.BENCHMARKER.gateway


def test_a_name_the_lab_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        topology.node("k99")


def test_an_overlay_that_flannel_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="'ipip' is not one of vxlan, host-gw"):
        overlay_batches(LOAD_BALANCER, "ipip")


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace is made by root")
@pytest.mark.parametrize("overlay", topology.OVERLAYS)
@pytest.mark.parametrize("node", CLUSTER_NODES, ids=lambda node: node.name)
def test_the_batches_are_accepted_and_their_removal_leaves_nothing(
    node: Node, overlay: str, tmp_path: Path
) -> None:
    batches = overlay_batches(node, overlay)
    (tmp_path / "ip").write_text(batches.ip)
    (tmp_path / "bridge").write_text(batches.bridge)
    (tmp_path / "removal").write_text(removal_batch(node, overlay))
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", FRESH],
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "FOLDER": str(tmp_path),
            "ADDRESS": str(node.address),
            "MAC": node.mac,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    lines = (tmp_path / "with").read_text().splitlines()
    for peer in CLUSTER_NODES:
        if peer is not node:
            assert set(expected(peer, overlay)) <= {line.strip() for line in lines}
    assert str(node.pod_network) not in "\n".join(lines)
    if overlay == "vxlan":
        (device,) = [line for line in lines if "vxlan id 1 " in line]
        assert f"local {node.address} dev eth0" in device
        assert "dstport 8472 nolearning" in device
        assert "mtu 1450" in device


def expected(peer: Node, overlay: str) -> list[str]:
    """Give what `ip` and `bridge` show of one peer."""
    if overlay == "host-gw":
        return [f"{peer.pod_network} via {peer.address} dev eth0"]
    return [
        f"{peer.pod_network} via {peer.vtep_address} dev flannel.1 onlink",
        f"{peer.vtep_address} dev flannel.1 lladdr {peer.vtep_mac} PERMANENT",
        f"{peer.vtep_mac} dev flannel.1 dst {peer.address} self permanent",
    ]
