"""The lab that is up: hosts, overlay, both backends, real packets.

Also run inside a guest kernel, by test_host_kernel.py.
"""

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import holding
from pytest_kubelb.lab import topology
from pytest_kubelb.matrix import Point
from pytest_kubelb.testbed import inventory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.convergence import Convergence
    from pytest_kubelb.holding import HeldTestbed
    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

BACKENDS = {"ipvs": "pytest_kubelb.backends.ipvs:Ipvs", "proxy": "pytest_kubelb.backends.proxy:Proxy"}
LB_STATE = (
    "ipvsadm --save -n; ip -4 -br address | sort; ip -4 route | sort; sysctl net.ipv4.vs;"
    " iptables-save -t nat | grep -v KUBE | grep -e -A"
)


WANTED = holding.Wanted("test-session", ("ipvs", "proxy"), BACKENDS)


@pytest.fixture(scope="module")
def held(lab: Lab, hosts: Hosts) -> Iterator[HeldTestbed]:
    """The lab as a testbed, held as a session holds it; let go, its hosts have to be as they were."""
    described = inventory.load(lab.inventory)
    before = snapshot(hosts)
    with holding.hold(described, WANTED, lambda *_: None) as testbed:
        yield testbed
    assert snapshot(hosts) == before


@pytest.fixture(scope="module")
def convergence(held: HeldTestbed) -> Convergence:
    return held.convergence


def snapshot(hosts: Hosts) -> dict[str, str]:
    return {
        "k11": hosts["k11"].run(["sh", "-c", LB_STATE], check=False).stdout,
        "k12": hosts["k12"].run(["sh", "-c", "ip -4 route; ip -4 address; ls /tmp"]).stdout,
    }


def test_every_host_is_reached_by_its_name_and_has_its_address(hosts: Hosts) -> None:
    names = [node.name for node in topology.NODES]
    for name, done in hosts.each(names, ["sh", "-c", "hostname; ip -4 -br address show dev eth0"]).items():
        assert done.stdout.splitlines()[0] == name
        assert f"{topology.node(name).address}/24" in done.stdout


def test_a_host_sees_its_own_interfaces_and_an_empty_home(hosts: Hosts) -> None:
    done = hosts["k12"].run(["sh", "-c", "ls /sys/class/net; ls -A ~"])
    assert done.stdout.split() == ["eth0", "lo"]


def test_the_kernel_of_the_load_balancer_has_ipvs(hosts: Hosts) -> None:
    assert hosts["k11"].run(["test", "-e", "/proc/net/ip_vs"]).exit_code == 0


def test_only_the_owner_can_read_the_labs_files(lab: Lab) -> None:
    assert stat.S_IMODE(lab.folder.stat().st_mode) == 0o700
    secret = [
        path for path in lab.folder.iterdir() if path.name.startswith(("id_", "host_key", "kubeconfig"))
    ]
    assert len(secret) == len(topology.NODES) + 2
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in secret)


@pytest.mark.parametrize("overlay", ["vxlan", "host-gw"])
@pytest.mark.parametrize("backend", ["ipvs", "proxy"])
def test_every_pod_answers_by_its_own_address(convergence: Convergence, backend: str, overlay: str) -> None:
    # converge() itself asks until each has answered, and raises when a stranger does.
    target = convergence.converge(Point(backend, 7, overlay))
    assert len({endpoint.ip for endpoint in target.endpoints}) == 7
    assert len({endpoint.node for endpoint in target.endpoints}) == len(topology.WORKERS)


def test_the_overlay_is_what_it_is_called(convergence: Convergence, hosts: Hosts) -> None:
    routes = {}
    for overlay in ("host-gw", "vxlan"):
        convergence.converge(Point("ipvs", 2, overlay))
        routes[overlay] = {name: hosts[name].run(["ip", "route"]).stdout for name in ("k05", "k11")}
    worker = topology.node("k06")
    for name in ("k05", "k11"):
        assert f"{worker.pod_network} via {worker.address} dev eth0" in routes["host-gw"][name]
        assert "flannel.1" not in routes["host-gw"][name]
        assert f"{worker.pod_network} via {worker.vtep_address} dev flannel.1 onlink" in routes["vxlan"][name]


def test_packets_go_through_the_vxlan_tunnel(convergence: Convergence, hosts: Hosts) -> None:
    sent = ["cat", "/sys/class/net/flannel.1/statistics/tx_packets"]
    target = convergence.converge(Point("ipvs", 6, "vxlan"))
    before = int(hosts["k11"].run(sent).stdout)
    hosts["k12"].run(["curl", "--silent", "--fail", f"{target.url}?[1-12]"])
    assert int(hosts["k11"].run(sent).stdout) >= before + 12


@pytest.mark.parametrize("pods", [1, 4, 40, 3])
def test_scaling_gives_exactly_the_pods_asked_for(convergence: Convergence, hosts: Hosts, pods: int) -> None:
    target = convergence.converge(Point("ipvs", pods, "vxlan"))
    table = hosts["k11"].run(["ipvsadm", "--save", "-n"]).stdout
    servers = {line.split(" -r ")[1].split(":")[0] for line in table.splitlines() if line.startswith("-a")}
    assert servers == {endpoint.ip for endpoint in target.endpoints}
    assert len(servers) == pods


def test_kube_proxys_rules_on_the_load_balancer_name_exactly_the_endpoints(
    convergence: Convergence, hosts: Hosts
) -> None:
    target = convergence.converge(Point("proxy", 5, "vxlan"))
    saved = hosts["k11"].run(["iptables-save", "-t", "nat"]).stdout.splitlines()
    jumps = [line for line in saved if line.startswith("-A KUBE-SVC") and " -> " in line]
    ours = [line for line in jumps if '"kubelb/kubelb' in line]
    assert {line.split(" -> ")[1].split(":")[0] for line in ours} == {e.ip for e in target.endpoints}
    assert [("--probability" in line) for line in ours] == [True, True, True, True, False]
    chains = {
        line.split()[1] for line in saved if line.startswith("-A KUBE-SEP") and '"kubelb/kubelb' in line
    }
    assert len(chains) == 5


def test_wrk_measures_through_each_backend_and_the_load_balancer_counts_it(
    held: HeldTestbed, hosts: Hosts
) -> None:
    target = held.convergence.converge(Point("ipvs", 2, "vxlan"))
    connections = ["sh", "-c", "ipvsadm --list --numeric --stats --exact | grep 192.168.0.111:8888"]
    before = int(hosts["k11"].run(connections).stdout.split()[2])
    hosts["k12"].run(["wrk", "-c", "8", "-t", "1", "-d", "1s", target.url])
    # The kernel sums these counters every 2 s (ip_vs_est.c).
    deadline = time.monotonic() + 6
    while int(hosts["k11"].run(connections).stdout.split()[2]) < before + 8:
        assert time.monotonic() < deadline, "no connection went through IPVS"
    target = held.convergence.converge(Point("proxy", 2, "vxlan"))
    assert "requests in" in hosts["k12"].run(["wrk", "-c", "8", "-t", "1", "-d", "1s", target.url]).stdout
