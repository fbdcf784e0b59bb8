"""What happened between two readings."""

from __future__ import annotations

import json

import pytest

from pytest_kubelb.evidence.delta import HostDelta, delta
from pytest_kubelb.evidence.rates import grown

from .answers import FILES, HEAD, TABLES, later, reading

STAT = "cpu0 {} 0 50 450 0 0 {} 0 0 0\ncpu1 100 0 50 1450 0 0 25 0 0 0\nctxt 5000\nbtime {}\nprocesses 700\n"
IPVS_TOTALS = (
    "       Total Incoming Outgoing         Incoming         Outgoing\n"
    "CPU    Conns  Packets  Packets            Bytes            Bytes\n"
    "  0 {:8X}        0        0                0                0\n"
    "  ~ {:8X}        0        0                0                0\n\n"
    "     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n"
    "           0        0        0                0                0\n"
)
IPVS = (
    "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
    "TCP  C0A8006F:22B8 rr\n"
    "  -> AC100102:0050      Masq    1      {}          0\n"
    "  -> AC100202:0050      Masq    1      {}          0\n"
)


def test_shares_are_those_of_mpstat() -> None:
    found = delta(reading(), later({"/proc/stat": STAT.format(400, 725, 1700000000)}))
    assert found.cpus == (0, 1)
    assert found.cpu_percent["usr"] == (30.0, 0.0)
    assert found.cpu_percent["soft"] == (70.0, 0.0)
    assert found.cpu_percent["idle"] == (0.0, 100.0)


def test_guest_time_is_not_counted_twice() -> None:
    before = {"/proc/stat": "cpu0 0 0 0 0 0 0 0 0 0 0\n"}
    after = {"/proc/stat": "cpu0 60 0 0 40 0 0 0 0 60 0\n"}
    shares = delta(reading(before), later(after)).cpu_percent
    assert (shares["usr"], shares["guest"], shares["idle"]) == ((0.0,), (60.0,), (40.0,))


def test_interrupts_and_softirqs_are_rates_for_each_cpu_and_still_rows_are_left_out() -> None:
    interrupts = FILES["/proc/interrupts"].replace("100        200", "100       2200")
    softirqs = FILES["/proc/softirqs"].replace("NET_RX:   100", "NET_RX:   155")
    found = delta(reading(), later({"/proc/interrupts": interrupts, "/proc/softirqs": softirqs}))
    assert found.interrupts_per_s == {"82 eth0-rx-1": (0.0, 200.0)}
    assert found.softirqs_per_s == {"NET_RX": (5.5, 0.0)}


def test_the_seconds_are_the_hosts_own() -> None:
    assert delta(reading(), later({}, seconds=12.5)).seconds == 12.5


def test_the_skew_is_taken_at_the_middle_of_the_round_trip() -> None:
    # The question left at ...100.0 and the answer began at ...100.1 by our clock; the host said ...100.25.
    assert delta(reading(), later({})).clock_skew_s == 0.2


def test_a_clock_that_was_set_back_is_a_step() -> None:
    set_back = reading(head="%% now 110.00\n%% clock\n1700000108.25\n110.00\n")
    assert delta(reading(), set_back).clock_step_s == -2.0


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [(5, 9, 4), (9, 9, 0), (0xFFFFFFF0, 4, 20), (1000, 4, 4), (1 << 40, 4, 4), (0xFFFFFFFF, 0, 1)],
)
def test_a_counter_that_wrapped_or_was_reset_is_never_negative(
    before: int, after: int, difference: int
) -> None:
    assert grown(before, after) == difference


def test_a_cpu_that_came_and_a_nic_that_went_are_said_to_have_changed() -> None:
    stat = FILES["/proc/stat"].replace("intr", "cpu2 1 1 1 1 1 1 1 0 0 0\nintr")
    dev = FILES["/proc/net/dev"].replace("  eth0: 1000", "  eth9: 1000")
    found = delta(reading(), later({"/proc/stat": stat, "/proc/net/dev": dev}))
    assert found.cpus == (0, 1)
    assert found.changed == {"cpus": ("0-1", "0-2"), "nics": ("lo, eth0", "lo, eth9")}
    assert list(found.nics) == ["lo"]


def test_a_setting_that_differs_is_named_with_both_values() -> None:
    changes = {"/sys/class/net/eth0/queues/rx-0/rps_cpus": "0", "/proc/irq/82/smp_affinity_list": "0"}
    found = delta(reading(), later(changes, head=HEAD.replace("stopped", "running")))
    assert found.changed == {
        "irq 82 eth0-rx-1": ("1-4", "0"),
        "irqbalance": ("stopped", "running"),
        "rps_cpus eth0 rx-0": ("1-7", "none"),
    }


def test_pressure_is_a_share_of_the_time() -> None:
    found = delta(reading(), later({"/proc/pressure/cpu": "some avg10=0.00 total=3500000\n"}))
    assert found.pressure_percent == {"cpu.some": 25.0}


def test_every_service_that_took_connections_is_there() -> None:
    tables = TABLES.replace("[60:3600]", "[860:3600]").replace("[9:600]", "[10:600]").replace("[40:", "[840:")
    before = reading(head=HEAD + TABLES, load_balancer=True)
    found = delta(before, later({}, head=HEAD + tables, load_balancer=True))
    assert found.connections == {"proxy 10.254.0.10:80": 800, "proxy 10.254.0.2:53/udp": 1}
    assert found.endpoints == {"172.16.1.2": {"connections": 800}}


def test_a_chain_that_kube_proxy_wrote_anew_counts_from_zero() -> None:
    tables = TABLES.replace("[60:3600]", "[7:420]")
    before = reading(head=HEAD + TABLES, load_balancer=True)
    found = delta(before, later({}, head=HEAD + tables, load_balancer=True))
    assert found.connections == {"proxy 10.254.0.10:80": 7}


ONE_SERVICE = (
    HEAD + "%% ipvs\nTCP  192.168.0.111:8888  {}  0 0 0 0\n"
    "  -> 172.16.1.2:80  {}  0 0 0 0\n  -> 172.16.2.2:80  {}  0 0 0 0\n"
)


def _counted(after: tuple[int, int, int], opened: tuple[int, int], real: int) -> HostDelta:
    """From a table of 10 connections that have expired meanwhile, to one that tells `after` of `real` connections."""
    told = after[0]
    files = (
        {"/proc/net/ip_vs_stats_percpu": IPVS_TOTALS.format(10, 10), "/proc/net/ip_vs": IPVS.format(4, 4)},
        {
            "/proc/net/ip_vs_stats_percpu": IPVS_TOTALS.format(real, told),
            "/proc/net/ip_vs": IPVS.format(*opened),
        },
    )
    before = reading(files[0], head=ONE_SERVICE.format(10, 5, 5), load_balancer=True)
    return delta(before, later(files[1], head=ONE_SERVICE.format(*after), load_balancer=True))


def test_ipvs_counters_are_taken_when_they_tell_every_connection() -> None:
    found = _counted((90, 35, 55), (0, 0), real=90)
    assert found.connections == {"ipvs 192.168.0.111:8888": 80}
    assert {pod: row["connections"] for pod, row in found.endpoints.items()} == {
        "172.16.1.2": 30,
        "172.16.2.2": 50,
    }
    assert found.levels["ipvs.untold"] == 0


def test_connections_that_ipvs_has_not_told_yet_are_seen_in_its_table() -> None:
    found = _counted((10, 5, 5), (34, 54), real=90)
    assert found.connections == {"ipvs 192.168.0.111:8888": 80}
    assert {pod: row["connections"] for pod, row in found.endpoints.items()} == {
        "172.16.1.2": 30,
        "172.16.2.2": 50,
    }
    assert found.levels["ipvs.untold"] == 80


def test_where_entries_expired_a_single_service_still_has_all_connections_and_its_pods_have_not() -> None:
    found = _counted((40, 20, 20), (30, 52), real=90)
    assert found.connections == {"ipvs 192.168.0.111:8888": 80}
    assert sum(row["connections"] for row in found.endpoints.values()) < found.counters["ipvs.conns"]


def test_as_json_it_is_compact_and_comes_back_equal() -> None:
    interrupts = FILES["/proc/interrupts"].replace("100        200", "100       2200")
    before = reading(head=HEAD + TABLES, load_balancer=True)
    after = later({"/proc/interrupts": interrupts, "/proc/sys/net/netfilter/nf_conntrack_count": "99"})
    found = delta(before, after)
    line = json.dumps(found.to_json())
    assert HostDelta.from_json(json.loads(line)) == found
    assert '"82 eth0-rx-1": [0, 200]' in line
    assert '"levels_before": {"conntrack.count": 10}' in line
    assert "steal" not in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cpus", ["0"]),
        ("cpu_percent", {"usr": [1.0]}),
        ("cpu_percent", {"usr": ["a", "b"]}),
        ("nics", {"eth0": {"rx_bytes": 1.5}}),
        ("counters", []),
        ("routes", ["one"]),
        ("changed", {"irqbalance": ["running"]}),
        ("clock_skew_s", True),
        ("levels", {"ports": None}),
    ],
)
def test_what_is_odd_in_the_json_is_named(key: str, value: object) -> None:
    fields = delta(reading(), later({})).to_json() | {key: value}
    with pytest.raises(ValueError, match=key):
        HostDelta.from_json(fields)
    del fields[key]
    with pytest.raises(ValueError, match=key):
        HostDelta.from_json(fields)


@pytest.mark.parametrize(
    ("file", "old"),
    [
        ("/proc/stat", "ctxt 5000"),
        ("/proc/stat", "cpu1 100"),
        ("/proc/softirqs", "NET_RX:   100     200"),
        ("/proc/interrupts", " 82:        100        200"),
        ("/proc/net/dev", "eth0: 1000 10"),
        ("/proc/net/softnet_stat", "00000020"),
        ("/proc/net/snmp", "1 64 500"),
        ("/proc/net/sockstat", "used 20"),
        ("/proc/net/stat/nf_conntrack", "0000000a 1 0 10 0"),
        ("/proc/pressure/cpu", "total=1000000"),
    ],
)
@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_that_no_counter_has_is_not_understood_and_never_an_error(
    file: str, old: str, digits: int
) -> None:
    """Hexadecimal ones have no limit of their own in Python, and JSON cannot be made of the longest."""
    assert old in FILES[file]
    changed = FILES[file].replace(old, f"{old[:-1]}{'9' * digits}")
    line = json.dumps(delta(reading(), later({file: changed})).to_json(), allow_nan=False)
    assert "9" * 30 not in line
