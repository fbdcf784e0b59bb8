"""Readings of the lab's real hosts: its load balancer, its benchmarker and two workers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import host_facts
from pytest_kubelb.backends.ipvs import Ipvs
from pytest_kubelb.cluster.endpoints import Endpoint
from pytest_kubelb.evidence import specs
from pytest_kubelb.evidence.delta import HostDelta, delta
from pytest_kubelb.evidence.watch import Watch
from pytest_kubelb.lab import kube_proxy_rules, topology
from pytest_kubelb.testbed import inventory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

ROLES = {"load_balancer": ("k11",), "benchmarker": ("k12",), "workers": ("k05", "k06")}
NAMES = ("k11", "k12", "k05", "k06")
SERVERS = [str(topology.node(name).address) for name in ROLES["workers"]]
URL = "http://192.168.0.111:8888/"
CLUSTER_IP = "10.254.77.1"
SERVICE = kube_proxy_rules.ServicePort(
    "watched", "web", "", CLUSTER_IP, 80, tuple(sorted(f"{address}:80" for address in SERVERS))
)


@pytest.fixture(scope="module")
def watch(hosts: Hosts) -> Iterator[Watch]:
    opened = Watch({name: hosts[name] for name in NAMES}, ROLES, {"k12": ["net.ipv4.ip_local_port_range"]})
    yield opened
    opened.close()


NGINX = """\
folder=$(mktemp -d)
echo 'events {} http { access_log off; server { listen 80; location / { return 200 "here\n"; } } }' >"$folder/conf"
nginx -c "$folder/conf" -g "pid $folder/pid; error_log $folder/errors;" && echo "$folder"
"""


@pytest.fixture(scope="module")
def servers(hosts: Hosts) -> Iterator[None]:
    """A web server on two workers, where pods would be."""
    started = hosts.each(ROLES["workers"], ["sh", "-c", NGINX])
    yield
    for name, done in started.items():
        hosts[name].run(["sh", "-c", 'kill "$(cat "$1/pid")" && rm -r "$1"', "sh", done.stdout.strip()])


@pytest.fixture
def vip(lab: Lab, hosts: Hosts, servers: None) -> Iterator[None]:
    del servers
    backend = Ipvs.on_testbed(inventory.load(lab.inventory), hosts)
    backend.session = "watched"
    backend.program([Endpoint(address, f"pod-{address}", "") for address in SERVERS])
    backend.activate()
    yield
    backend.clear()


@pytest.fixture
def cluster_ip(hosts: Hosts, servers: None) -> Iterator[None]:
    del servers
    balancer, client = hosts["k11"], hosts["k12"]
    rules = kube_proxy_rules.rules([SERVICE], "172.16.0.0/16")
    balancer.run(["iptables-restore", "--noflush"], input=rules)
    client.run(["ip", "route", "add", CLUSTER_IP, "via", "192.168.0.111"])
    yield
    client.run(["ip", "route", "del", CLUSTER_IP])
    nothing = kube_proxy_rules.rules([], "172.16.0.0/16", kube_proxy_rules.chain_names([SERVICE]))
    balancer.run(["iptables-restore", "--noflush"], input=nothing)


def during(watch: Watch, hosts: Hosts, url: str, requests: int) -> dict[str, HostDelta]:
    """Read around so many requests, each on a connection of its own."""
    before = watch.read(url)
    script = 'i=0; while [ $i -lt "$1" ]; do curl -sSfo /dev/null "$2" || exit 1; i=$((i+1)); done'
    hosts["k12"].run(["sh", "-c", script, "sh", str(requests), url])
    counted = {}
    watch.read(url, since=before, each=lambda name, found: counted.update({name: delta(before[name], found)}))
    return counted


def test_every_host_is_read_by_one_question(watch: Watch) -> None:
    found = watch.read(URL)
    assert set(found) == set(NAMES)
    for name, reading in found.items():
        assert reading.host == name
        assert reading.cpu_ticks
        assert {"lo", "eth0"} <= set(reading.nics)
        assert not [reason for reason in reading.missing if "not understood" in reason]
    # Namespaces share the machine's kernel; the load balancer may have one of its own.
    assert len({found[name].boot_id for name in ("k12", "k05", "k06")}) == 1


def test_only_the_benchmarker_is_asked_for_the_route(watch: Watch) -> None:
    found = watch.read(URL)
    assert found["k12"].route.startswith("192.168.0.111 dev eth0 src 192.168.0.112")
    assert {found[name].route for name in ("k11", "k05", "k06")} == {""}


def test_sysctls_are_settings_of_the_hosts_they_were_asked_of(watch: Watch) -> None:
    found = watch.read(URL)
    low, high = found["k12"].settings["sysctl net.ipv4.ip_local_port_range"].split()
    assert found["k12"].levels["ports"] == int(high) - int(low) + 1
    assert "sysctl net.ipv4.ip_local_port_range" not in found["k05"].settings


def test_connections_through_ipvs_are_counted_by_service_and_pod_at_once(
    watch: Watch, hosts: Hosts, vip: None
) -> None:
    del vip
    found = during(watch, hosts, URL, 6)
    assert found["k11"].connections == {"ipvs 192.168.0.111:8888": 6}
    assert {pod: row["connections"] for pod, row in found["k11"].endpoints.items()} == dict.fromkeys(
        SERVERS, 3
    )
    assert found["k12"].nics["eth0"]["rx_bytes"] > 0
    assert found["k12"].connections == {}


def test_kube_proxys_rules_are_not_asked_for_again_while_all_that_is_forwarded_is_ipvss(
    watch: Watch, hosts: Hosts, vip: None
) -> None:
    del vip
    before = watch.read(URL)
    hosts["k12"].run(["curl", "-sSfo", "/dev/null", URL])
    after = watch.read(URL, since=before)
    # Where the load balancer is a namespace of this machine, ipvs's counters are its own as well.
    assert after["k11"].opened_past_ipvs == before["k11"].opened_past_ipvs
    assert after["k11"].proxy is before["k11"].proxy


def test_connections_through_kube_proxy_are_counted_by_service_and_pod(
    watch: Watch, hosts: Hosts, cluster_ip: None
) -> None:
    del cluster_ip
    found = during(watch, hosts, f"http://{CLUSTER_IP}/", 8)
    assert found["k11"].connections == {f"proxy {CLUSTER_IP}:80": 8}
    assert sum(row["connections"] for row in found["k11"].endpoints.values()) == 8
    again = during(watch, hosts, f"http://{CLUSTER_IP}/", 2)
    assert again["k11"].connections == {f"proxy {CLUSTER_IP}:80": 2}
    assert set(found["k11"].endpoints) <= set(SERVERS)
    assert found["k12"].routes[0].startswith(f"{CLUSTER_IP} via 192.168.0.111 dev eth0")


def test_a_setting_that_somebody_changes_is_seen(watch: Watch, hosts: Hosts) -> None:
    queue = "/sys/class/net/eth0/queues/rx-0/rps_cpus"
    if hosts["k05"].run(["test", "-w", queue], check=False).exit_code:
        pytest.skip("this kernel has no RPS on a veth")
    before = watch.read(URL)
    with contextlib.ExitStack() as undo:
        found = hosts["k05"].run(["cat", queue]).stdout.strip()
        undo.callback(hosts["k05"].run, ["sh", "-c", f"echo {found} >{queue}"])
        hosts["k05"].run(["sh", "-c", f"echo 1 >{queue}"])
        after = watch.read(URL)
    assert delta(before["k05"], after["k05"]).changed == {"rps_cpus eth0 rx-0": ("none", "0")}


def test_a_host_whose_connection_is_lost_between_readings_is_connected_to_again(
    watch: Watch, hosts: Hosts
) -> None:
    watch.read(URL)
    hosts["k06"].close()
    assert watch.read(URL)["k06"].cpu_ticks


def test_clocks_of_one_machine_do_not_differ(watch: Watch, hosts: Hosts) -> None:
    found = during(watch, hosts, URL, 0)
    for name in ("k12", "k05", "k06"):
        # The kernel gives its uptime to 10 ms, and a busy machine answers late.
        assert abs(found[name].clock_skew_s) < 5
        assert found[name].clock_step_s == 0


def test_the_nodes_say_what_they_are(hosts: Hosts) -> None:
    for name, said in hosts.each(NAMES, ["sh", "-c", host_facts.SCRIPT]).items():
        spec = specs.parse(name, said.stdout)
        assert spec.host == name
        assert spec.kernel.startswith("Linux ")
        assert spec.cpus >= 1
        assert spec.memory_mib > 0
        nic = spec.nics["eth0"]
        assert nic.mtu == 1500
        assert nic.tx_queues >= 1
        assert type(spec).from_json(spec.to_json()) == spec
