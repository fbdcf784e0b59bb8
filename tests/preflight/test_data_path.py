"""The load balancer's and the benchmarker's answers, as such hosts print them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.preflight import benchmarker, load_balancer
from tests.preflight.made import answered, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.preflight.check import Check
    from pytest_kubelb.preflight.wanted import Wanted

LOAD_BALANCER = """\
%% network
2: eth0    inet 192.168.0.111/24 scope global eth0
172.16.61.0/24 via 172.16.61.0 dev flannel.1 onlink
192.168.0.0/24 dev eth0 proto kernel scope link src 192.168.0.111
%% sysctls
net.ipv4.ip_forward 1
net.ipv4.vs.conntrack 0
net.ipv4.vs.conn_reuse_mode 1
net.ipv4.vs.expire_nodest_conn 0
%% ipvs
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
%% kernel
ip_vs_rr 2029 0 - Live 0x0000000000000000
ip_vs 162529 1 ip_vs_rr, Live 0x0000000000000000
%% proxy_mode
iptables
"""
BENCHMARKER = """\
%% wrk
wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer
%% limits
20000
32768	60999
writable
%% way_to_vip
[{"dst":"192.168.0.111","dev":"eth0","prefsrc":"192.168.0.112"}]
%% ping
can
answered
%% way_to_via
[{"dst":"192.168.0.111","dev":"eth0","prefsrc":"192.168.0.112"}]
%% way_to_cluster_ip
"""
THROUGH_A_ROUTER = '[{"dst":"192.168.0.111","gateway":"10.0.0.1","dev":"eth0"}]'
PODS = {"k05": "172.16.61.0/24"}
OURS = {"192.168.0.111": "eth0"}


def of_load_balancer(folder: Path, printed: str, **options: str) -> list[Check]:
    return list(load_balancer.judge(answered("k11", printed), wanted(folder, **options), PODS))


def of_benchmarker(folder: Path, printed: str, **options: str) -> list[Check]:
    return list(benchmarker.judge(answered("k12", printed), wanted(folder, **options), OURS))


def wrong(checks: list[Check]) -> list[tuple[str, str, str]]:
    return [(each.verdict, each.check, each.found) for each in checks if each.verdict != "ok"]


def test_a_good_data_path_has_nothing_wrong_and_shows_what_a_session_will_change(tmp_path: Path) -> None:
    checks = [*of_load_balancer(tmp_path, LOAD_BALANCER), *of_benchmarker(tmp_path, BENCHMARKER)]
    assert not wrong(checks)
    told = {each.found for each in checks}
    assert "mode iptables" in told
    assert "192.168.0.111:8888 is free; the address is on eth0" in told
    assert any("net.ipv4.vs.conntrack 0 -> 1" in each for each in told)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "ip_forward 1", "ip_forward 0",
            ("fail", "sysctl", "net.ipv4.ip_forward is 0, so nothing is forwarded"),
        ),
        (
            "vs.conntrack 0", "vs.conntrack absent",
            ("fail", "sysctl", "net.ipv4.vs.conntrack is not there"),
        ),
        (
            "ip_vs_rr 2029", "ip_vs_sh 2029",
            ("warning", "ipvs", "IPVS 1.2.1; ip_vs_rr is not loaded, which the kernel tries when it is needed"),
        ),
        (
            "%% kernel", "TCP  C0A8006F:22B8 rr\n  -> AC103D09:0050      Masq    1      0          0\n%% kernel",
            ("warning", "vip", "192.168.0.111:8888 is an IPVS service with 1 real server, programmed by somebody else: "
             "a session replaces it and puts it back"),
        ),
        (
            "%% kernel", "%% kernel\n1: 00000000:22B8 00000000:0000 0A 0 0 0 0 0 1",
            ("fail", "vip", "192.168.0.111:8888 is taken by a listener on *:8888"),
        ),
        (
            "172.16.61.0/24", "172.16.99.0/24",
            ("fail", "pod routes", "no route to 172.16.61.0/24, the pods of k05"),
        ),
        (
            "\niptables\n", "\n\n",
            ("warning", "kube-proxy", "no trace of it: neither its port 10249 nor its rules"),
        ),
    ],
)  # fmt: skip
def test_each_fault_of_a_load_balancer_is_found(
    tmp_path: Path, old: str, new: str, expected: tuple[str, str, str]
) -> None:
    checks = of_load_balancer(tmp_path, LOAD_BALANCER.replace(old, new, 1))
    assert wrong(checks) == [expected]
    assert all(each.remedy for each in checks if each.verdict != "ok")


@pytest.mark.parametrize(
    ("loadable", "verdict", "remedy"),
    [("%% loadable\nip_vs\n", "warning", "in /etc/modules-load.d"), ("", "fail", "package of modules")],
)
def test_without_ip_vs_the_remedy_is_modprobe(
    tmp_path: Path, loadable: str, verdict: str, remedy: str
) -> None:
    head, _, tail = LOAD_BALANCER.partition("%% ipvs\n")
    printed = f"{head}{loadable}%% kernel{tail.partition('%% kernel')[2]}"
    (check,) = [each for each in of_load_balancer(tmp_path, printed) if each.check == "ipvs"]
    assert check.verdict == verdict
    assert check.remedy.startswith("run `modprobe ip_vs` there")
    assert remedy in check.remedy


def test_a_default_route_to_the_pods_is_not_trusted(tmp_path: Path) -> None:
    printed = LOAD_BALANCER.replace(
        "172.16.61.0/24 via 172.16.61.0 dev flannel.1 onlink", "default via 192.168.0.1"
    )
    assert wrong(of_load_balancer(tmp_path, printed))[0][:2] == ("warning", "pod routes")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("4.1.0", "3.1.2", ("fail", "wrk", "wrk debian/3.1.2-3+b2")),
        (
            "wrk debian/4.1.0-3+b2", "what",
            ("warning", "wrk", "its version is not understood: 'what [epoll] Copyright (C) 2012 Will Glozer'"),
        ),
        ("20000", "256", ("fail", "limits", "`ulimit -n` is 256, and 800 connections need 864")),
        ("60999", "33000", ("fail", "limits", "net.ipv4.ip_local_port_range has 233 ports for 800 connections")),
        ("writable", "", ("fail", "limits", "root may not write to /tmp")),
    ],
)  # fmt: skip
def test_each_fault_of_a_benchmarker_is_found(
    tmp_path: Path, old: str, new: str, expected: tuple[str, str, str]
) -> None:
    assert wrong(of_benchmarker(tmp_path, BENCHMARKER.replace(old, new, 1))) == [expected]


@pytest.mark.parametrize(
    ("part", "printed", "found"),
    [
        ("vip", "RTNETLINK answers: what", "no way to 192.168.0.111: RTNETLINK answers: what"),
        ("vip", '[{"dst":"192.168.0.111","dev":"lo"}]', "192.168.0.111 is an address of the benchmarker"),
        ("vip", THROUGH_A_ROUTER, "192.168.0.111 goes through the router 10.0.0.1 (eth0)"),
        ("via", THROUGH_A_ROUTER, "192.168.0.111 is behind the router 10.0.0.1, and cannot be a next hop"),
    ],
)  # fmt: skip
def test_a_way_that_does_not_lead_to_the_load_balancer_is_found(
    tmp_path: Path, part: str, printed: str, found: str
) -> None:
    head, mark, tail = BENCHMARKER.partition(f"%% way_to_{part}\n")
    told = wrong(of_benchmarker(tmp_path, f"{head}{mark}{printed}\n{tail.partition(chr(10))[2]}"))
    assert [each for _, _, each in told] == [found]


def test_a_vip_that_another_host_answers_for_is_found(tmp_path: Path) -> None:
    checks = benchmarker.judge(answered("k12", BENCHMARKER), wanted(tmp_path), {"192.168.0.99": "eth0"})
    assert [each.found for each in checks if each.verdict == "fail"] == [
        "192.168.0.111 answers a ping and is not an address of the load balancer: another host has it",
        "192.168.0.111 is not an address of the load balancer",
    ]


def test_what_is_not_measured_is_not_asked_for(tmp_path: Path) -> None:
    checks = [
        *of_load_balancer(tmp_path, LOAD_BALANCER, backend="proxy"),
        *of_benchmarker(tmp_path, BENCHMARKER, backend="proxy"),
    ]
    assert not {"ipvs", "vip", "way to vip"} & {each.check for each in checks}


def test_a_service_of_a_session_that_was_killed_is_a_failure_with_the_way_to_put_it_back(
    tmp_path: Path,
) -> None:
    left = LOAD_BALANCER.replace("%% kernel", "TCP  C0A8006F:22B8 rr\n%% kernel", 1) + "kubelb ipvs\n"
    (check,) = [each for each in of_load_balancer(tmp_path, left) if each.verdict != "ok"]
    assert (check.verdict, check.check) == ("fail", "vip")
    assert check.found.endswith("left or used by another session of kubelb")
    assert check.remedy.startswith("run `kubelb restore`")


@pytest.mark.parametrize(
    ("old", "new", "verdict", "found"),
    [
        ("%% kernel", "TCP  C0A8006F:22B8 rr\n  -> AC103D09:0050      Masq    1      0          0\n%% kernel", "ok",
         "192.168.0.111:8888 is programmed by others, with 1 real servers now"),
        ("%% kernel", "%% kernel", "warning",
         "192.168.0.111:8888 is no IPVS service, and external = true leaves it to others"),
        ("%% ipvs\n", "%% kernel\n", "warning",
         "192.168.0.111:8888 is programmed by others, and there is no IPVS to look at"),
    ],
)  # fmt: skip
def test_a_load_balancer_that_others_program_is_looked_at_only(
    tmp_path: Path, old: str, new: str, verdict: str, found: str
) -> None:
    printed = LOAD_BALANCER.replace(old, new, 1).replace("ip_forward 1", "ip_forward 0")
    told = external(wanted(tmp_path, backend="ipvs"))
    checks = list(load_balancer.judge(answered("k11", printed), told, PODS))
    assert [(each.verdict, each.found) for each in checks if each.check == "vip"] == [(verdict, found)]
    assert not {"ipvs", "sysctl"} & {each.check for each in checks}


def external(told: Wanted) -> Wanted:
    """Give the same with `external = true` in `[backends.ipvs]`."""
    assert told.inventory.ipvs is not None
    spec = dataclasses.replace(told.inventory.ipvs, external=True)
    return dataclasses.replace(told, inventory=dataclasses.replace(told.inventory, ipvs=spec))
