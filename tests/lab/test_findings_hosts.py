"""Findings about what happens on the hosts beside the run, each provoked for real while it is measured in the lab."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.evidence.limits import Limits
from tests.lab.provoking import (
    CLUSTER_IP,
    L_ADDRESS,
    W_ADDRESS,
    Bench,
    C,
    L,
    W,
    found,
    grave,
    holding_bench,
    python,
    udp,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts


@pytest.fixture(scope="module")
def bench(lab: Lab, hosts: Hosts) -> Iterator[Bench]:
    """The lab, held as a session holds it."""
    with holding_bench(lab, hosts, "test-findings-hosts") as opened:
        yield opened


@pytest.fixture
def own_kernel(lab: Lab) -> None:
    """Skip where the load balancer shares the host's kernel, whose settings are not the lab's to change."""
    if lab.facts.kernel == "host":
        pytest.skip("the load balancer is a namespace of this machine's kernel, whose setting that is")


def test_packets_without_a_route_contaminate_the_run(bench: Bench) -> None:
    sample = bench.run(meanwhile=bench.later(C, udp("203.0.113.9", 2000)))
    assert (sample.validity, grave(sample)) == ("contaminated", {"ip_discards"})
    assert found(sample, "ip_discards").host == C


def test_frames_that_are_dropped_above_the_nic_contaminate_the_run(bench: Bench) -> None:
    frames = python(
        "import socket",
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "s.bind(('eth0', 0))",
        # 0x88b5: an EtherType for experiments, which nobody takes
        "frame = bytes.fromhex('0a58c0a80070' '0a58c0a80069' '88b5') + bytes(50)",
        "for _ in range(3000): s.send(frame)",
    )
    sample = bench.run(meanwhile=bench.later(W, frames))
    assert (sample.validity, grave(sample)) == ("contaminated", {"nic_drops"})
    assert found(sample, "nic_drops").host == C


def test_wrong_check_sums_contaminate_the_run(bench: Bench) -> None:
    segments = python(
        "import socket, struct",
        "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)",
        "segment = struct.pack('!HHIIBBHHH', 1, 2, 3, 4, 0x50, 0x10, 1000, 0xdead, 0)",
        "for _ in range(2000): s.sendto(segment, ('192.168.0.112', 0))",
    )
    sample = bench.run(meanwhile=bench.later(W, segments))
    assert (sample.validity, grave(sample)) == ("contaminated", {"checksum_errors"})
    assert found(sample, "checksum_errors").host == C


@pytest.mark.usefixtures("own_kernel")
def test_softirqs_that_run_out_of_budget_are_told_of_a_load_balancer(bench: Bench) -> None:
    target = bench.target()
    with bench.written(L, "/proc/sys/net/core/netdev_budget", "1"):
        sample = bench.run(target)
    assert sample.validity == "valid"
    assert found(sample, "softnet_squeezed").host == L


def test_another_next_hop_contaminates_the_run(bench: Bench) -> None:
    target = bench.target()
    there, back = (
        f"ip route replace {L_ADDRESS}/32 via {W_ADDRESS}",
        f"ip route del {L_ADDRESS}/32 via {W_ADDRESS}",
    )
    with contextlib.ExitStack() as stack:
        stack.callback(bench.sh, C, f"{back}; ip route flush cache")
        for nic in ("all", "eth0"):  # the worker says that there is a better way
            file = f"/proc/sys/net/ipv4/conf/{nic}/accept_redirects"
            stack.enter_context(bench.written(C, file, "0"))
        sample = bench.run(target, meanwhile=bench.later(C, there))
    changed = found(sample, "route_changed")
    assert (sample.validity, changed.host) == ("contaminated", C)
    assert f"from dev eth0 to {W_ADDRESS} dev eth0" in changed.sentence


def test_a_redirect_that_the_benchmarker_accepts_contaminates_the_run(bench: Bench) -> None:
    # What cost the seed 49 runs. The load balancer has a better way for what it does not translate, and says so.
    target = bench.target("proxy")
    settings = "/proc/sys/net/ipv4/conf"
    asks = python(
        "import socket, time",
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        f"s.connect(('{CLUSTER_IP}', 9))",
        "for _ in range(5):",
        "    try: s.send(b'x')",
        "    except OSError: pass",
        "    time.sleep(0.05)",
    )
    accept = f"for c in all eth0; do echo 1 >{settings}/$c/accept_redirects; done"
    route = f"{CLUSTER_IP}/32 via {W_ADDRESS}"
    before = bench.sh(C, f"cat {settings}/all/accept_redirects {settings}/eth0/accept_redirects").split()
    bench.sh(C, accept)
    try:
        with bench.changed(L, f"ip route add {route}", f"ip route del {route}"):
            sample = bench.run(target, meanwhile=bench.later(C, asks))
    finally:
        bench.sh(C, "ip route flush cache")
        for name, value in zip(("all", "eth0"), before, strict=True):
            bench.sh(C, f"echo {value} >{settings}/{name}/accept_redirects")
    changed = found(sample, "route_changed")
    assert changed.host == C
    assert sample.validity in ("contaminated", "failed")
    assert f"from 192.168.0.111 dev eth0 to {W_ADDRESS} dev eth0" in changed.sentence
    assert "ICMP redirects came" in changed.sentence


def test_a_setting_that_somebody_changes_contaminates_the_run(bench: Bench) -> None:
    target, file = bench.target(), "/sys/class/net/eth0/queues/rx-0/rps_cpus"
    with bench.written(C, file, "0"):
        sample = bench.run(target, meanwhile=bench.later(C, f"echo 1 >{file}"))
    drift = found(sample, "tuning_drift")
    assert (sample.validity, grave(sample), drift.host) == ("contaminated", {"tuning_drift"}, C)
    assert "rps_cpus eth0 rx-0 from none to 0" in drift.sentence


@pytest.mark.usefixtures("own_kernel")
def test_a_clock_that_is_set_is_told_and_takes_nothing_from_the_run(bench: Bench) -> None:
    target = bench.target()
    ahead = "date -s @$(($(date +%s) + 30))"
    try:
        step = bench.run(target, meanwhile=bench.later(L, ahead))
        skew = bench.run(target)
    finally:
        bench.sh(L, f"date -s @{time.time():.3f}")
    assert (step.validity, skew.validity) == ("valid", "valid")
    assert found(step, "clock_step").host == L
    assert found(step, "clock_step").value == pytest.approx(30, abs=2)
    assert found(skew, "clock_skew").host == L
    assert not [finding for finding in skew.findings if finding.signal == "clock_step"]


def test_connections_through_another_service_contaminate_the_run(bench: Bench) -> None:
    target, other = bench.target(), "192.168.0.111:9999"
    pod = target.endpoints[0].ip
    opens = python(
        "import socket",
        "for _ in range(30):",
        "    s = socket.socket()",
        "    s.setblocking(False)",
        "    s.connect_ex(('192.168.0.111', 9999))",
    )
    with bench.changed(
        L, f"ipvsadm -A -t {other} -s rr; ipvsadm -a -t {other} -r {pod}:80 -m", f"ipvsadm -D -t {other}"
    ):
        sample = bench.run(target, meanwhile=bench.later(W, opens))
    foreign = found(sample, "foreign_traffic")
    assert (sample.validity, grave(sample), foreign.host) == ("contaminated", {"foreign_traffic"}, L)
    # Which service they went through is known when ipvs has counted for it, two seconds later at most.
    assert f"through ipvs {other}" in foreign.sentence or "are others'" in foreign.sentence


def test_packets_that_the_benchmarker_did_not_send_contaminate_the_run(bench: Bench) -> None:
    sample = bench.run(meanwhile=bench.later(W, udp("192.168.0.111", 30_000)))
    foreign = found(sample, "foreign_traffic")
    assert (sample.validity, foreign.host) == ("contaminated", L)
    assert "passed" in foreign.sentence


def test_others_that_compute_beside_wrk_are_told_where_they_share_its_kernel(bench: Bench) -> None:
    target = bench.target()
    with bench.known(limits=Limits()), bench.running(C, "while :; do :; done"):
        sample = bench.run(target)
    assert [(told.host, told.effect) for told in sample.findings if told.signal == "cpu_pressure"][-1:] == [
        (C, "none")
    ]
