"""Signals of validity: silent at the limit, told above it, with host, value, limit and remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.evidence.findings.examine import examine
from pytest_kubelb.evidence.limits import Limits
from tests.evidence.made_runs import (
    CLIENT,
    LB,
    ROUTE,
    SERVICE,
    at,
    cpu,
    delta,
    errors,
    found,
    one,
    quiet,
)

if TYPE_CHECKING:
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.load.result import SocketErrors

QUIET = quiet()
WORKER = "k05"
ETH0 = dict(QUIET.hosts[LB].nics["eth0"])
PACKETS = ETH0["rx_packets"] + ETH0["tx_packets"]
CLIENT_PACKETS = sum(QUIET.hosts[CLIENT].nics["eth0"][name] for name in ("rx_packets", "tx_packets"))
REDIRECTED = (
    "10.254.0.10 via 192.168.0.105 dev eth0 src 192.168.0.112 uid 0 \\    cache <redirected> expires 287sec"
)


def with_errors(run: RunEvidence, of: SocketErrors) -> RunEvidence:
    assert run.result is not None
    return replace(run, result=replace(run.result, errors=of))


def of_requests(percent: float) -> int:
    assert QUIET.result is not None
    return int(QUIET.result.requests * percent / 100)


def softirqs(share: float) -> dict[str, int]:
    return {"softnet.time_squeeze": int(5000 * 16 * 60.1 * share)}


def moved(**after: str) -> RunEvidence:
    return replace(QUIET, pods_after={**QUIET.pods_before, **after})


def middle(extra: int) -> RunEvidence:
    nics = {"eth0": {**ETH0, "rx_packets": 2 * CLIENT_PACKETS - ETH0["tx_packets"] + extra}}
    return at(QUIET, LB, nics=nics)


# signal, host, effect, just within its limit, just beyond it
CASES = {
    "stalled": (CLIENT, "stalled", replace(QUIET, wall_s=63.0), replace(QUIET, wall_s=63.01)),
    "errors": (
        CLIENT,
        "contaminated",
        with_errors(QUIET, errors(timeout=of_requests(0.9999))),
        with_errors(QUIET, errors(timeout=of_requests(0.9), read=of_requests(0.2))),
    ),
    "conntrack_drops": (
        CLIENT,
        "contaminated",
        at(QUIET, CLIENT, counters={"conntrack.insert_failed": 3}),
        at(QUIET, CLIENT, counters={"conntrack.drop": 1}),
    ),
    "conntrack_full": (
        LB,
        "contaminated",
        at(QUIET, LB, levels={"conntrack.count": 2700.0, "conntrack.max": 3000.0}),
        at(
            QUIET,
            LB,
            levels={"conntrack.count": 2701.0, "conntrack.max": 3000.0},
            levels_before={"conntrack.count": 1},
        ),
    ),
    "route_changed": (
        CLIENT,
        "contaminated",
        at(QUIET, CLIENT, routes=(ROUTE, ROUTE + "<redirect> expires 3sec")),
        at(QUIET, CLIENT, routes=(ROUTE, REDIRECTED), counters={"Icmp.InRedirects": 1}),
    ),
    "ip_discards": (
        LB,
        "contaminated",
        at(QUIET, LB, counters={"Ip.InDiscards": PACKETS // 10_000}),
        at(QUIET, LB, counters={"Ip.InDiscards": PACKETS // 20_000, "Ip.OutDiscards": PACKETS // 20_000 + 2}),
    ),
    "nic_drops": (
        LB,
        "contaminated",
        at(QUIET, LB, nics={"eth0": {**ETH0, "rx_dropped": PACKETS // 10_000}}),
        at(QUIET, LB, nics={"eth0": {**ETH0, "rx_dropped": PACKETS // 10_000, "tx_errors": 1}}),
    ),
    "softnet_drops": (
        LB,
        "contaminated",
        at(QUIET, LB, counters={"softnet.dropped": PACKETS // 10_000}),
        at(QUIET, LB, counters={"softnet.dropped": PACKETS // 10_000 + 1}),
    ),
    "softnet_squeezed": (
        CLIENT,
        "none",
        at(QUIET, CLIENT, counters=softirqs(0.0999)),
        at(QUIET, CLIENT, counters=softirqs(0.1001)),
    ),
    "checksum_errors": (
        WORKER,
        "contaminated",
        at(QUIET, WORKER, counters={"Tcp.InCsumErrors": 10}),
        at(QUIET, WORKER, counters={"Tcp.InCsumErrors": PACKETS // 10_000}),
    ),
    "time_wait": (
        CLIENT,
        "none",
        at(QUIET, CLIENT, levels={"sockets.tw": 14116.0}),
        at(QUIET, CLIENT, levels={"sockets.tw": 14117.0}),
    ),
    "port_exhaustion": (
        CLIENT,
        "contaminated",
        at(QUIET, CLIENT, levels_before={"sockets.tw": 0.9 * 28232 - 801}),
        at(QUIET, CLIENT, levels_before={"sockets.tw": 0.9 * 28232 - 799}),
    ),
    "syn_retransmits": (
        CLIENT,
        "contaminated",
        at(QUIET, CLIENT, counters={"TcpExt.TCPSynRetrans": 960}),
        at(QUIET, CLIENT, counters={"TcpExt.TCPSynRetrans": 961}),
    ),
    "steal": (
        LB,
        "contaminated",
        at(QUIET, LB, cpu_percent=cpu(soft=20.0, steal=one(2.0))),
        at(QUIET, LB, cpu_percent=cpu(soft=20.0, steal=one(2.1))),
    ),
    "throttled": (
        WORKER,
        "contaminated",
        QUIET,
        at(QUIET, WORKER, counters={"throttle.package": 1}),
    ),
    "frequency_changed": (
        LB,
        "none",
        at(QUIET, LB, levels={"cpu_mhz.0": 1890.0}, levels_before={"cpu_mhz.0": 2100.0}),
        at(QUIET, LB, levels={"cpu_mhz.0": 1889.0}, levels_before={"cpu_mhz.0": 2100.0}),
    ),
    "cpu_pressure": (
        LB,
        "contaminated",
        at(QUIET, LB, cpu_percent=cpu(usr=4.0, nice=1.0)),
        at(QUIET, LB, cpu_percent=cpu(usr=4.0, nice=1.1)),
    ),
    "tuning_drift": (
        LB,
        "contaminated",
        QUIET,
        at(QUIET, LB, changed={"irq 82 eth0-rx-1": ("1", "4")}),
    ),
    "clock_skew": (
        WORKER,
        "none",
        at(QUIET, WORKER, clock_skew_s=-1.0),
        at(QUIET, WORKER, clock_skew_s=-1.01),
    ),
    "clock_step": (
        CLIENT,
        "contaminated",
        at(QUIET, CLIENT, clock_step_s=0.25),
        at(QUIET, CLIENT, clock_step_s=-0.26),
    ),
    "pods_changed": ("", "contaminated", moved(), moved(**{"nginx-3": "k06/172.16.64.9"})),
    "foreign_traffic": (
        LB,
        "contaminated",
        at(QUIET, LB, connections={SERVICE: 800, "proxy 10.254.0.1:443": 120}),
        at(QUIET, LB, connections={SERVICE: 800, "proxy 10.254.0.1:443": 121}),
    ),
}


@pytest.mark.parametrize("signal", CASES)
def test_a_signal_is_silent_within_its_limit_and_told_beyond_it(signal: str) -> None:
    host, effect, within, beyond = CASES[signal]
    assert found(within, signal) is None
    told = found(beyond, signal)
    assert told is not None
    assert (told.kind, told.host, told.effect) == ("validity", host, effect)
    assert told.limit is not None
    assert told.value > told.limit
    assert not host or host in told.sentence or signal in ("stalled", "errors")
    assert f"{told.limit:g}" in told.sentence


@pytest.mark.parametrize("signal", CASES)
def test_a_signal_that_is_off_is_silent(signal: str) -> None:
    fields = {"foreign_traffic": "foreign_connections"}
    beyond = CASES[signal][3]
    off = replace(beyond, limits=Limits(**{fields.get(signal, signal): None}))
    assert found(off, signal) is None


@pytest.mark.parametrize("signal", CASES)
def test_a_signal_alone_makes_the_validity_and_is_named_in_the_reason(signal: str) -> None:
    _, effect, _, beyond = CASES[signal]
    examined = examine(beyond)
    assert examined.validity == ("valid" if effect == "none" else effect)
    assert (examined.reason or f"{signal}: ").startswith(f"{signal}: ")


@pytest.mark.parametrize("rps", [10_711.0, 97_659.0, 160_803.0])
def test_a_healthy_run_has_no_finding(rps: float) -> None:
    assert examine(quiet(rps)).findings == ()


def test_a_healthy_run_at_a_full_link_has_the_ceiling_and_nothing_else() -> None:
    examined = examine(quiet(163_914.0, pods=20))
    assert [finding.signal for finding in examined.findings] == ["link"]
    assert examined.validity == "valid"


def test_a_short_run_may_be_a_second_late() -> None:
    short = replace(QUIET, duration_s=1.0, wall_s=2.0)
    assert found(short, "stalled") is None
    assert found(replace(short, wall_s=2.01), "stalled") is not None


def test_wrks_kinds_of_error_are_named_with_their_numbers() -> None:
    told = found(with_errors(QUIET, errors(connect=800, timeout=99_000, status=1_000)), "errors")
    assert told is not None
    assert "connect 800, timeout 99000, status 1000" in told.sentence


def test_as_many_errors_as_requests_make_a_run_fail() -> None:
    told = found(with_errors(QUIET, errors(write=of_requests(100))), "errors")
    assert told is not None
    assert told.effect == "failed"


def test_a_next_hop_that_was_redirected_before_the_run_counts_as_well() -> None:
    told = found(at(QUIET, CLIENT, routes=(REDIRECTED, REDIRECTED)), "route_changed")
    assert told is not None
    assert "192.168.0.105 dev eth0, is a redirected one" in told.sentence


def test_a_route_that_is_gone_is_a_changed_one() -> None:
    told = found(
        at(QUIET, CLIENT, routes=(ROUTE, "RTNETLINK answers: Network is unreachable")), "route_changed"
    )
    assert told is not None
    assert "from dev eth0 to none" in told.sentence


def test_a_heavy_squeeze_contaminates_on_the_benchmarker_and_is_the_load_on_the_load_balancer() -> None:
    for host, effect in ((CLIENT, "contaminated"), (LB, "none")):
        told = found(at(QUIET, host, counters=softirqs(0.51)), "softnet_squeezed")
        assert told is not None
        assert told.effect == effect


def test_redirects_that_its_own_address_translation_stops_are_no_lost_packets() -> None:
    redirects = at(QUIET, LB, counters={"Ip.OutDiscards": 9000, "Icmp.OutRedirects": 9000})
    assert found(redirects, "ip_discards") is None
    others = at(redirects, LB, counters={"Ip.InDiscards": 9000})
    assert found(others, "ip_discards") is not None


def test_frames_that_nobody_asked_for_are_no_drops_however_few_packets_there_are() -> None:
    idle = {"eth0": {**ETH0, "rx_packets": 1000, "tx_packets": 1000, "rx_dropped": 602}}
    assert found(at(QUIET, LB, nics={"eth0": {**idle["eth0"], "rx_dropped": 601}}), "nic_drops") is None
    assert found(at(QUIET, LB, nics=idle), "nic_drops") is not None


def test_a_tunnels_drops_are_not_the_nics() -> None:
    assert found(at(QUIET, LB, nics={"flannel.1": {**ETH0, "rx_dropped": 10**6}}), "nic_drops") is None


def test_fewer_time_wait_buckets_than_ports_are_the_bound() -> None:
    told = found(at(QUIET, CLIENT, levels={"sockets.tw": 600.0, "sockets.tw_max": 1000.0}), "time_wait")
    # The bound of the second reading counts for the 800 sockets of the first as well.
    assert told is not None
    assert "80 % of the 1000 that tcp_max_tw_buckets allows" in told.sentence


def test_others_beside_wrk_are_its_cpu_time_less_than_the_benchmarkers() -> None:
    used = (15.0 + 30.0) / 100 * 16 * 60.1
    assert found(replace(QUIET, wrk_cpu_s=used - 0.049 * 16 * 60.1), "cpu_pressure") is None
    told = found(replace(QUIET, wrk_cpu_s=used - 0.051 * 16 * 60.1), "cpu_pressure")
    assert told is not None
    assert told.host == CLIENT


def test_nobody_knows_what_others_took_when_wrks_own_time_is_unknown() -> None:
    assert found(replace(QUIET, wrk_cpu_s=None), "cpu_pressure") is None


def test_waiting_tasks_are_pressure_unless_softirqs_fill_a_cpu() -> None:
    told = found(at(QUIET, LB, pressure_percent={"cpu.some": 26.0}), "cpu_pressure")
    assert told is not None
    assert "waited for a CPU" in told.sentence
    full = at(QUIET, LB, pressure_percent={"cpu.some": 26.0}, cpu_percent=cpu(soft=one(90.0)))
    assert found(full, "cpu_pressure") is None


@pytest.mark.parametrize("signal", ["steal", "throttled", "cpu_pressure"])
def test_cpus_that_several_roles_share_are_told_and_nobody_is_blamed(signal: str) -> None:
    host, _, _, beyond = CASES[signal]
    # Namespaces of one machine read the same CPUs.
    same = beyond.hosts[host]
    hosts = {
        name: replace(each, boot_id="one machine", cpu_percent=same.cpu_percent, counters=same.counters)
        for name, each in beyond.hosts.items()
    }
    told = [finding for finding in examine(replace(beyond, hosts=hosts)).findings if finding.signal == signal]
    assert {finding.effect for finding in told} == {"none"}
    assert len(told) == 1 or signal == "cpu_pressure"  # which is another one on either host


def test_hosts_of_one_role_may_share_a_machine() -> None:
    beyond = CASES["throttled"][3]
    hosts = {
        name: replace(host, boot_id="workers") if name in beyond.roles["workers"] else host
        for name, host in beyond.hosts.items()
    }
    assert examine(replace(beyond, hosts=hosts)).validity == "contaminated"


@pytest.mark.parametrize(
    ("changed", "who"),
    [
        ({"irqbalance": ("stopped", "running"), "irq 82 eth0-rx-1": ("1", "4")}, "irqbalance was started"),
        ({"irq 82 eth0-rx-1": ("1", "4")}, "irqbalance or another session"),
        ({"boot_id": ("a", "b"), "irq 82 eth0-rx-1": ("1", "4")}, "was started again"),
        ({"governor cpu0": ("performance", "powersave")}, "a power daemon"),
        ({"rps_cpus eth0 rx-0": ("1-7", "none")}, "kubelb restore"),
    ],
)
def test_who_changed_a_setting_is_named_where_it_is_known(
    changed: dict[str, tuple[str, str]], who: str
) -> None:
    told = found(at(QUIET, LB, changed=changed), "tuning_drift")
    assert told is not None
    assert who in told.sentence


def test_a_clock_that_was_set_elsewhere_than_on_the_benchmarker_is_only_told() -> None:
    told = found(at(QUIET, LB, clock_step_s=5.0), "clock_step")
    assert told is not None
    assert told.effect == "none"


def test_pods_that_are_gone_and_new_are_named() -> None:
    after = {**QUIET.pods_before, "nginx-9": "k05/172.16.61.9"}
    del after["nginx-0"]
    told = found(replace(QUIET, pods_after=after), "pods_changed")
    assert told is not None
    assert told.value == 1
    assert "nginx-0 is gone, nginx-9 is new" in told.sentence


def test_pods_of_which_the_cluster_said_nothing_are_not_gone() -> None:
    assert found(replace(QUIET, pods_after={}), "pods_changed") is None


def test_packets_that_the_benchmarkers_traffic_does_not_explain_are_foreign() -> None:
    tenth = 2 * CLIENT_PACKETS // 10
    assert found(middle(tenth), "foreign_traffic") is None
    told = found(middle(tenth + 1), "foreign_traffic")
    assert told is not None
    assert "explains" in told.sentence


def test_connections_that_the_benchmarker_did_not_open_are_foreign_before_their_service_counts_them() -> None:
    took = at(QUIET, LB, counters={"ipvs.conns": 1101})
    assert found(took, "foreign_traffic") is None  # nobody knows how many the benchmarker opened
    told = found(at(took, CLIENT, counters={"Tcp.ActiveOpens": 800}), "foreign_traffic")
    assert told is not None
    assert "so 301 are others'" in told.sentence
    assert found(at(took, CLIENT, counters={"Tcp.ActiveOpens": 1100}), "foreign_traffic") is None


def test_what_a_cluster_at_rest_sends_is_not_foreign_to_a_slow_run() -> None:
    slow = quiet(10.0)
    busy = {**slow.hosts[LB].nics["eth0"], "rx_packets": 50_000}
    assert found(at(slow, LB, nics={"eth0": busy}), "foreign_traffic") is None


def test_a_service_of_others_that_took_the_few_connections_of_an_idle_cluster_is_not_foreign() -> None:
    short = replace(
        at(QUIET, LB, seconds=2.0, connections={SERVICE: 8, "proxy 10.254.0.1:443": 4}),
        connections=8,
        duration_s=2.0,
    )
    assert found(short, "foreign_traffic") is None


def test_the_gravest_effect_makes_the_validity_and_the_others_are_named() -> None:
    run = at(replace(QUIET, wall_s=370.0), CLIENT, counters={"conntrack.drop": 7})
    examined = examine(run)
    assert examined.validity == "stalled"
    assert examined.reason is not None
    assert examined.reason.startswith("stalled: wrk took 370.00 s")
    assert examined.reason.endswith("(also: conntrack_drops)")


def test_a_run_without_a_result_failed_whatever_the_counters_say() -> None:
    examined = examine(replace(QUIET, result=None))
    assert examined.validity == "failed"
    assert examined.wire_bytes_per_request is None


def test_a_run_without_any_counters_says_that_its_ceiling_is_unknown_and_nothing_else() -> None:
    examined = examine(replace(QUIET, hosts={}, specs={}))
    assert examined.validity == "valid"
    assert [finding.signal for finding in examined.findings] == ["unknown"]


def test_hosts_that_answered_nothing_contaminate_nothing() -> None:
    empty = {
        name: delta(
            name, {}, counters={}, levels={}, levels_before={}, cpu_percent={}, cpus=(), softirqs_per_s={}, seconds=0.0,
            pressure_percent={}, missing=("ipvs: ip_vs is not loaded",),
        )
        for name in QUIET.hosts
    }  # fmt: skip
    assert examine(replace(QUIET, hosts=empty)).validity == "valid"


@pytest.mark.parametrize("signal", CASES)
def test_a_finding_survives_its_json(signal: str) -> None:
    told = found(CASES[signal][3], signal)
    assert told is not None
    assert type(told).from_json(told.to_json()) == told
