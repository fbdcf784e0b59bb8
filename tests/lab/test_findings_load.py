"""Findings about the load and its connections, each provoked for real while a run is measured in the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.evidence.limits import Limits
from tests.lab.provoking import (
    CONNECTIONS,
    VIP,
    W_ADDRESS,
    Bench,
    C,
    L,
    W,
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

NEW_CONNECTIONS = "INPUT -p tcp --dport 8888 --syn"
CONNTRACK_MAX = "/proc/sys/net/netfilter/nf_conntrack_max"


@pytest.fixture(scope="module")
def bench(lab: Lab, hosts: Hosts) -> Iterator[Bench]:
    """The lab, held as a session holds it."""
    with holding_bench(lab, hosts, "test-findings-load") as opened:
        yield opened


@pytest.fixture
def own_kernel(lab: Lab) -> None:
    """Skip where the load balancer shares the host's kernel, whose settings are not the lab's to change."""
    if lab.facts.kernel == "host":
        pytest.skip("the load balancer is a namespace of this machine's kernel, whose setting that is")


@pytest.mark.parametrize("overlay", ["vxlan", "host-gw"])
@pytest.mark.parametrize("backend", ["ipvs", "proxy"])
def test_nothing_is_held_against_a_healthy_run(bench: Bench, backend: str, overlay: str) -> None:
    target = bench.target(backend, overlay=overlay)
    for _ in range(2):
        sample = bench.run(target)
        assert (sample.validity, sample.reason, grave(sample)) == ("valid", None, set())
        assert {finding.kind for finding in sample.findings} <= {"ceiling", "validity"}


def test_cpus_that_hosts_share_leave_the_ceiling_unknown_in_one_sentence(bench: Bench) -> None:
    sample = bench.run()
    assert sample.ceiling == "unknown"
    sentence = found(sample, "unknown").sentence
    assert "k12, k05, k06, k07, k08, k09 and k10 share their CPUs with hosts of other roles" in sentence


def test_a_path_that_lets_no_connection_through_stalls_the_run(bench: Bench) -> None:
    target, rule = bench.target(), f"{NEW_CONNECTIONS} -j DROP"
    bench.sh(L, f"iptables -I {rule}")
    sample = bench.run(target, meanwhile=lambda: bench.sh(L, f"sleep 1.5; iptables -D {rule}"))
    stalled = found(sample, "stalled")
    assert (sample.validity, stalled.host, stalled.effect) == ("stalled", C, "stalled")
    assert stalled.value > 2  # SYNs go again after 1 s and after 2 s more
    assert found(sample, "syn_retransmits").host == C


def test_responses_with_an_error_status_contaminate_the_run(bench: Bench) -> None:
    # A pod's nginx does not change its mind, so a real server beside them answers so.
    server = python(
        "import http.server as h",
        "class Broken(h.BaseHTTPRequestHandler):",
        "    protocol_version = 'HTTP/1.1'",
        "    def do_GET(self):",
        "        self.send_response(503); self.send_header('Content-Length', 0); self.end_headers()",
        "h.ThreadingHTTPServer(('', 8080), Broken).serve_forever()",
    )
    target = bench.target()
    with bench.running(W, server):
        bench.sh(W, listens(8080))
        with bench.changed(
            L, f"ipvsadm -a -t {VIP} -r {W_ADDRESS}:8080 -m", f"ipvsadm -d -t {VIP} -r {W_ADDRESS}:8080"
        ):
            sample = bench.run(target, connections=9)
    errors = found(sample, "errors")
    assert (sample.validity, errors.host) == ("contaminated", C)
    assert "(status " in errors.sentence
    assert grave(sample) == {"errors"}


def test_connections_that_are_reset_contaminate_the_run_or_fail_it(bench: Bench) -> None:
    target, rule = bench.target("proxy"), "FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset"
    try:
        sample = bench.run(target, meanwhile=bench.later(L, f"iptables -I {rule}"), duration_s=2)
    finally:
        bench.sh(L, f"iptables -D {rule}")
    errors = found(sample, "errors")
    assert errors.host == C
    assert sample.validity == errors.effect != "none"
    assert "read " in errors.sentence or "connect " in errors.sentence


def test_a_pod_that_is_deleted_in_the_midst_contaminates_the_run(bench: Bench) -> None:
    target = bench.target()
    name = target.endpoints[0].pod
    sample = bench.run(target, meanwhile=lambda: bench.delete_pod(name))
    changed = found(sample, "pods_changed")
    assert sample.validity in ("contaminated", "failed")
    assert changed.effect == "contaminated"
    assert f"{name} is gone" in changed.sentence
    bench.target(provisioning=2)  # the convergence does not know of it


@pytest.mark.usefixtures("own_kernel")
def test_a_full_conntrack_table_on_the_load_balancer_contaminates_the_run(bench: Bench) -> None:
    target = bench.target()
    new_connection = f"curl --silent --max-time 0.2 {target.url}"

    def fill() -> None:
        bench.sh(L, f"sleep 0.3; echo 1 >{CONNTRACK_MAX}")
        bench.hosts[C].run(["sh", "-c", new_connection], check=False)

    before = bench.sh(L, f"cat {CONNTRACK_MAX}").strip()
    try:
        sample = bench.run(target, meanwhile=fill)
    finally:
        bench.sh(L, f"echo {before} >{CONNTRACK_MAX}")
    assert sample.validity == "contaminated"
    for signal in ("conntrack_drops", "conntrack_full"):
        finding = found(sample, signal)
        assert (finding.host, finding.effect) == (L, "contaminated")


def test_sockets_in_time_wait_are_told(bench: Bench) -> None:
    target = bench.target()
    with bench.written(C, "/proc/sys/net/ipv4/tcp_max_tw_buckets", str(CONNECTIONS + 2)):
        sample = bench.run(target)
    assert sample.validity == "valid"
    assert found(sample, "time_wait").host == C


def test_too_few_ports_contaminate_the_run(bench: Bench) -> None:
    target = bench.target()
    last = 40000 + CONNECTIONS  # wrk tries the target with one more
    few = bench.written(C, "/proc/sys/net/ipv4/ip_local_port_range", f"40000 {last}")
    with few, bench.known(limits=Limits(port_exhaustion=80, cpu_pressure=None)):
        sample = bench.run(target)
    assert sample.validity == "contaminated"
    assert found(sample, "port_exhaustion").host == C


def test_lost_syns_contaminate_the_run(bench: Bench) -> None:
    target = bench.target()
    rule = f"{NEW_CONNECTIONS} -m statistic --mode nth --every 2 --packet 1 -j DROP"
    with bench.changed(L, f"iptables -I {rule}", f"iptables -D {rule}"):
        sample = bench.run(target, duration_s=2)
    assert (sample.validity, grave(sample)) == ("contaminated", {"syn_retransmits"})
    assert found(sample, "syn_retransmits").host == C
