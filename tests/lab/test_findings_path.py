"""Findings about path, fairness and ceiling, each provoked for real while a run is measured in the lab."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.lab.provoking import (
    CLUSTER_IP,
    CONNECTIONS,
    L_ADDRESS,
    VIP,
    W_ADDRESS,
    Bench,
    C,
    L,
    W,
    counted_by,
    found,
    grave,
    holding_bench,
    listens,
    python,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

NO_SERVICES = "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n"


@pytest.fixture(scope="module")
def bench(lab: Lab, hosts: Hosts) -> Iterator[Bench]:
    """The lab, held as a session holds it, with a worker that has kube-proxy's chains, as those of a cluster have."""
    hosts[W].run(["iptables-restore"], input=NO_SERVICES)
    with holding_bench(lab, hosts, "test-findings-path") as opened:
        yield opened
    hosts[W].run(["sh", "-c", "iptables -t nat -F; iptables -t nat -X"])


def test_a_way_past_the_load_balancer_contaminates_the_run_and_who_took_it_is_named(bench: Bench) -> None:
    # Workers have kube-proxy's rules as well, so that the ClusterIP answers there all the same.
    target = bench.target("proxy")
    rules = bench.sh(L, "iptables-save -t nat | grep -e KUBE -e '^[*]' -e COMMIT")
    bench.hosts[W].run(["iptables-restore", "--noflush"], input=rules)
    past = f"ip route replace {CLUSTER_IP} via {W_ADDRESS}"
    try:
        with bench.changed(C, past, f"ip route replace {CLUSTER_IP} via {L_ADDRESS}"):
            sample = bench.run(target)
    finally:
        bench.hosts[W].run(["iptables-restore"], input=NO_SERVICES)
    missed, elsewhere = found(sample, "path_missed"), found(sample, "path_elsewhere")
    assert (sample.validity, missed.host, missed.value) == ("contaminated", L, 100)
    assert (elsewhere.host, elsewhere.value) == (W, CONNECTIONS + 1)  # wrk tries the target first


def test_connections_that_pass_both_backends_contaminate_the_run(bench: Bench) -> None:
    # A proxy behind the VIP that goes to the ClusterIP, as an ingress controller may.
    relay = python(
        "import socket, threading",
        "def pump(source, sink):",
        "    while data := source.recv(65536): sink.sendall(data)",
        "    sink.shutdown(socket.SHUT_WR)",
        "listener = socket.create_server(('', 8080), backlog=64)",
        "while True:",
        "    near, _ = listener.accept()",
        f"    far = socket.create_connection(('{CLUSTER_IP}', 80))",
        "    threading.Thread(target=pump, args=(near, far), daemon=True).start()",
        "    threading.Thread(target=pump, args=(far, near), daemon=True).start()",
    )
    target = bench.target("ipvs")
    pods = [f"{endpoint.ip}:80" for endpoint in target.endpoints]
    relayed = f"{W_ADDRESS}:8080"
    route = f"{CLUSTER_IP}/32 via {L_ADDRESS}"
    away = [f"ipvsadm -a -t {VIP} -r {relayed} -m", *(f"ipvsadm -d -t {VIP} -r {pod}" for pod in pods)]
    back = [f"ipvsadm -d -t {VIP} -r {relayed}", *(f"ipvsadm -a -t {VIP} -r {pod} -m" for pod in pods)]
    with bench.changed(W, f"ip route add {route}", f"ip route del {route}"), bench.running(W, relay):
        bench.sh(W, listens(8080))
        with bench.changed(L, "; ".join(away), "; ".join(back)):
            sample = bench.run(target)
    twice = found(sample, "path_twice")
    assert (sample.validity, twice.host) == ("contaminated", L)
    assert f"proxy {CLUSTER_IP}:80 took" in twice.sentence


def test_a_scheduler_that_sends_all_to_one_pod_is_told(bench: Bench) -> None:
    target = bench.target()
    with bench.changed(L, f"ipvsadm -E -t {VIP} -s sh", f"ipvsadm -E -t {VIP} -s rr"):
        sample = bench.run(target, connections=40)
    assert sample.validity == "valid"
    assert found(sample, "uneven_connections").host == L


def test_a_slow_pod_is_told_by_what_its_connections_carry(bench: Bench) -> None:
    target = bench.target(pods=3)
    nodes = [endpoint.node for endpoint in target.endpoints]
    quick, *slow = sorted(nodes)
    assert quick not in slow, nodes
    shape = "tc qdisc replace dev eth0 root tbf rate 200kbit burst 3000 latency 500ms"
    try:
        for node in slow:
            bench.sh(node, shape)
        for _ in range(3):
            observed = bench.observed(target, connections=9, duration_s=4)
            counted = counted_by(observed, L)
            # ipvs may be late with what each pod got, which says nothing about fairness then.
            if (
                sum(row["connections"] for row in counted.endpoints.values())
                >= counted.counters["ipvs.conns"]
            ):
                break
    finally:
        for node in slow:
            bench.sh(node, "tc qdisc del dev eth0 root")
    pod = next(endpoint.ip for endpoint in target.endpoints if endpoint.node == quick)
    told = {each.signal: each.sentence for each in observed.sample.findings}
    for signal in ("uneven_packets", "uneven_bytes"):
        assert f"a connection to pod {pod} " in told.get(signal, ""), (told, nodes, counted)


def test_connections_that_are_no_multiple_of_the_pods_are_told(bench: Bench) -> None:
    sample = bench.run(connections=CONNECTIONS + 1)
    assert (sample.validity, grave(sample)) == ("valid", set())
    assert found(sample, "keepalive_skew").value == pytest.approx(100 / 9)


def test_a_full_link_is_the_ceiling(bench: Bench) -> None:
    # A veth has no speed, so the queue in front of it gives it one, of which the specs tell.
    target, mbps = bench.target(pods=1), 4
    host = target.endpoints[0].node
    specs = bench.observer._known.specs
    nic = replace(specs[host].nics["eth0"], driver="igb", speed_mbps=mbps)
    slow = {**specs, host: replace(specs[host], nics={**specs[host].nics, "eth0": nic})}
    shape = f"tc qdisc replace dev eth0 root tbf rate {mbps}mbit burst 3000 latency 500ms overhead 24"
    with bench.changed(host, shape, "tc qdisc del dev eth0 root"), bench.known(specs=slow):
        sample = bench.run(target, connections=20)
    link = found(sample, "link")
    assert (sample.ceiling, sample.validity, link.host) == ("link", "valid", host)
    assert "eth0 of " in link.sentence
    assert " sent " in link.sentence
    assert link.value == pytest.approx(100, abs=8)
