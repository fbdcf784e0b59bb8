"""What becomes of an answer, whatever it says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_kubelb.evidence.delta import HostDelta, delta
from pytest_kubelb.evidence.forwarding_tables import Forwarded
from pytest_kubelb.evidence.kernel_files import interrupt_name
from pytest_kubelb.evidence.reading import Reading, parse, with_tables

from .answers import FILES, HEAD, TABLES, answer, later, reading, text


def test_counters_have_the_kernels_names_with_the_file_before_them() -> None:
    counters = reading().counters
    assert counters["softnet.dropped"] == 1
    assert counters["softnet.time_squeeze"] == 3
    assert counters["softnet.received_rps"] == 8
    assert counters["Tcp.RetransSegs"] == 30
    assert counters["TcpExt.TCPSynRetrans"] == 5
    assert counters["conntrack.drop"] == 0x12
    assert counters["throttle.core"] == 7


def test_what_is_no_counter_is_not_counted() -> None:
    found = reading()
    assert not {"Tcp.CurrEstab", "Ip.DefaultTTL", "conntrack.entries"} & found.counters.keys()
    assert found.levels["sockets.established"] == 7


def test_levels_say_how_full_the_tables_are() -> None:
    levels = reading().levels
    assert (levels["conntrack.count"], levels["conntrack.max"]) == (10, 262144)
    assert (levels["sockets.tw"], levels["sockets.tw_max"], levels["sockets.inuse"]) == (12, 131072, 5)
    assert levels["ports"] == 28232
    assert levels["files.max"] == 1024
    assert levels["cpu_mhz.0"] == 2100


def test_settings_have_the_names_that_tuning_gives_them() -> None:
    assert reading().settings == {
        "irqbalance": "stopped",
        "irq 82 eth0-rx-1": "1-4",
        "rps_cpus eth0 rx-0": "1-7",
        "rps_flow_cnt eth0 rx-0": "8192",
        "rps_sock_flow_entries": "32768",
        "conntrack_max": "262144",
        "governor cpu0": "performance",
    }


def test_sysctls_that_were_asked_for_are_settings() -> None:
    said = text({"/proc/sys/net/ipv4/tcp_rmem": "4096\t131072\t6291456"})
    found = parse("k12", answer(said), sysctls=["net.ipv4.tcp_rmem", "net.core.nothing"])
    assert found.settings["sysctl net.ipv4.tcp_rmem"] == "4096 131072 6291456"
    assert "sysctl net.core.nothing: not there" in found.missing


def test_the_ends_of_the_pods_links_are_no_nics() -> None:
    assert list(reading().nics) == ["lo", "eth0"]


def test_what_a_host_does_not_have_is_missing_with_the_reason() -> None:
    found = reading(
        {"/proc/pressure/cpu": "", "/proc/sys/net/netfilter/nf_conntrack_count": ""}, load_balancer=True
    )
    assert "pressure: the kernel has no PSI, or it is off (psi=1)" in found.missing
    assert any(reason.startswith("conntrack: not loaded") for reason in found.missing)
    assert "ipvs: ip_vs is not loaded" in found.missing
    assert any(reason.startswith("proxy: no chain KUBE-SERVICES") for reason in found.missing)


def test_a_refusal_of_sudo_is_what_is_missing() -> None:
    found = reading(head=HEAD + "%% ipvs\nsudo: a password is required\n", load_balancer=True)
    assert "ipvs: not understood ('sudo: a password is required')" in found.missing


def test_kube_proxy_in_nftables_mode_is_said_to_count_nothing() -> None:
    found = reading(head=HEAD + "%% nftables\n", load_balancer=True)
    assert "proxy: kube-proxy in nftables mode counts nothing" in found.missing


def test_a_part_that_is_torn_is_missing_and_the_others_are_read() -> None:
    found = reading({"/proc/net/snmp": "Ip: InReceives InDiscards\n"})
    assert "/proc/net/snmp: not understood" in found.missing
    assert found.counters["TcpExt.TCPSynRetrans"] == 5


def test_services_and_pods_have_their_own_counters() -> None:
    found = reading(head=HEAD + TABLES, load_balancer=True)
    assert found.ipvs.services == {"ipvs 192.168.0.111:8888": 5, "ipvs 10.9.9.9:53/udp": 1}
    assert found.ipvs.endpoints["ipvs 172.16.1.2"] == (3, 54, 7200)
    assert found.proxy.services == {
        "proxy 10.254.0.10:80": 60,
        "proxy 10.254.0.2:53/udp": 9,
        "proxy *:30080": 4,
    }
    assert found.proxy.endpoints == {"proxy 172.16.1.2": (40, 0, 0), "proxy 172.16.2.2": (24, 0, 0)}


def test_tables_that_were_not_asked_for_are_those_of_before() -> None:
    before = reading(head=HEAD + TABLES, load_balancer=True)
    said = answer(text(FILES, HEAD))
    found = parse("k11", said, load_balancer=True, unasked=("ipvs", "kube_proxy"), before=before)
    assert found.ipvs == before.ipvs != Forwarded()
    assert found.proxy == before.proxy != Forwarded()
    assert found.missing == before.missing


def test_why_a_table_is_not_there_is_still_known_when_it_is_not_asked_for() -> None:
    before = reading(head=HEAD + "%% nftables\n", load_balancer=True)
    said = answer(text(FILES, HEAD))
    found = parse("k11", said, load_balancer=True, unasked=("ipvs", "kube_proxy"), before=before)
    assert {"ipvs: ip_vs is not loaded", "proxy: kube-proxy in nftables mode counts nothing"} <= {
        *found.missing
    }
    asked = with_tables(found, {"kube_proxy"}, answer(TABLES[TABLES.index("%% iptables") :]))
    assert asked.proxy.services
    assert [why for why in asked.missing if why.startswith(("proxy:", "ipvs:"))] == [
        "ipvs: ip_vs is not loaded"
    ]


def test_what_goes_past_ipvs_moves_and_what_ipvs_forwards_does_not() -> None:
    def moved(**counters: int) -> tuple[int, int, int]:
        known = {"Ip.ForwDatagrams": 500, "ipvs.out_packets": 400, "Tcp.ActiveOpens": 3}
        names = {"forwarded": "Ip.ForwDatagrams", "by_ipvs": "ipvs.out_packets", "opened": "Tcp.ActiveOpens"}
        for name, count in counters.items():
            known[names[name]] += count
        return Reading("k11", 0.0, 0.0, counters=known).opened_past_ipvs

    assert moved() == moved(forwarded=20_000, by_ipvs=20_000)
    assert moved() != moved(forwarded=20_001, by_ipvs=20_000)
    assert moved() != moved(opened=1)


def test_the_rest_of_a_redirects_life_is_no_part_of_the_route() -> None:
    head = (
        "%% now 1.00\n%% route\n10.254.0.10 via 192.168.0.7 dev eth0 src 192.168.0.12\n"
        "    cache <redirected> expires {}sec\n"
    )
    first, second = (reading(head=head.format(rest)).route for rest in (297, 296))
    assert first == second == "10.254.0.10 via 192.168.0.7 dev eth0 src 192.168.0.12 cache <redirected>"


@pytest.mark.parametrize(
    ("line", "cpus", "name"),
    [
        (" 829 0 IR-PCI-MSI-edge eth0-rx-1", 2, "82 eth0-rx-1"),
        (" 1 0 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0", 2, "82 virtio2-input.0"),
        (" 7     GICv3  27 Level     arch_timer", 1, "82 arch_timer"),
        (" 925   SIGALRM      hr timer", 1, "82 hr timer"),
        (" 1 2 IO-APIC  16-fasteoi   ehci_hcd:usb1, eth0", 2, "82 ehci_hcd:usb1, eth0"),
        (" 1 2 PCI-MSIX-0000:00:04.0   3-edge      virtio3-event", 2, "82 virtio3-event"),
        (" 1 2 xen-dyn    -event     eth0-q0-rx", 2, "82 eth0-q0-rx"),
        (" 1 2", 2, "82"),
    ],
)  # fmt: skip
def test_an_interrupt_is_called_by_its_number_and_devices(line: str, cpus: int, name: str) -> None:
    assert interrupt_name("82", line, cpus) == name


def test_a_clock_without_a_fraction_is_no_better_than_the_kernels() -> None:
    found = reading(head="%% now 100.00\n%% clock\n1700000100.%N\n100.00\n")
    assert found.boot_s == 1700000000.5


def test_a_reading_against_itself_is_nothing() -> None:
    same = delta(reading(), reading())
    assert (same.counters, same.interrupts_per_s, same.softirqs_per_s, same.changed) == ({}, {}, {}, {})
    assert set(same.cpu_percent["idle"]) == {0.0}


_LINES = st.sampled_from([*text(FILES, HEAD + TABLES).splitlines()])
_NUMBERS = st.sampled_from(["", "x", "-1", "9" * 5000, "nan", "1e400", "²", "0x1", "\0"])


@given(st.text() | st.lists(_LINES | st.text(), max_size=60).map("\n".join))
def test_any_text_is_read_without_an_error(said: str) -> None:
    found = parse("k11", answer(said), load_balancer=True, sysctls=["net.core.somaxconn"])
    for before, after in ((found, reading()), (reading(), found), (found, found)):
        _is_sound(delta(before, after))


@settings(max_examples=200)
@given(st.data())
def test_a_torn_answer_or_odd_numbers_make_no_difference_negative(data: st.DataObject) -> None:
    said = text(FILES, HEAD + TABLES)
    said = said[: data.draw(st.integers(0, len(said)))]
    words = said.split(" ")
    for _ in range(data.draw(st.integers(0, 5))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(_NUMBERS)
    odd = parse("k11", answer(" ".join(words)), load_balancer=True)
    whole = later({}, head=HEAD + TABLES, load_balancer=True)
    _is_sound(delta(odd, whole))
    _is_sound(delta(whole, odd))


def _is_sound(found: HostDelta) -> None:
    """Check that nothing is negative, that shares are shares, and that it survives JSON."""
    for table in (found.cpu_percent, found.interrupts_per_s, found.softirqs_per_s):
        for row in table.values():
            assert len(row) == len(found.cpus)
            assert min(row, default=0) >= 0
    assert all(share <= 100 for row in found.cpu_percent.values() for share in row)
    for counts in (found.counters, found.connections, *found.nics.values(), *found.endpoints.values()):
        assert min(counts.values(), default=0) >= 0
    assert HostDelta.from_json(found.to_json()) == found
