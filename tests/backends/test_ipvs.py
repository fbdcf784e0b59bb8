"""The ipvs backend against a load balancer made of values (why: see load_balancer.py)."""

from __future__ import annotations

import dataclasses
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.backends.ipvs import Ipvs
from pytest_kubelb.backends.ipvs_host import IpvsHost, read_state, sysctls_for
from pytest_kubelb.backends.ipvs_table import parse_table
from pytest_kubelb.cluster.endpoints import Endpoint
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import journal

from .load_balancer import LoadBalancer

FOREIGN = "-A -t 10.9.9.9:53 -s rr\n-a -t 10.9.9.9:53 -r 10.9.9.1:53 -g -w 2\n"
KEY = ("-t", "192.168.0.111:8888")


def endpoints(count: int) -> list[Endpoint]:
    return [Endpoint(f"172.16.{n % 6}.{n}", f"pod-{n}", f"k{n % 6:02}") for n in range(1, count + 1)]


def backend(host: LoadBalancer, *, port: int = 8888, scheduler: str = "rr") -> Ipvs:
    made = Ipvs(host, vip="192.168.0.111", port=port, pod_port=80, scheduler=scheduler)
    made.session = "s-1"
    return made


def real_servers(host: LoadBalancer) -> set[str]:
    return set(parse_table(host.table)[KEY].real_servers)


def test_the_url_is_the_virtual_server() -> None:
    assert backend(LoadBalancer()).url == "http://192.168.0.111:8888/"


def test_the_first_point_takes_two_round_trips_and_each_later_one_a_single_trip() -> None:
    host = LoadBalancer()
    ipvs = backend(host)
    trips = []
    for pods in (1, 2, 40, 4):
        ipvs.program(endpoints(pods))
        ipvs.activate()
        trips.append(len(host.trips))
        assert real_servers(host) == {f"{endpoint.ip}:80" for endpoint in endpoints(pods)}
    assert trips == [2, 3, 4, 5]


def test_a_point_with_the_same_pods_takes_no_round_trip() -> None:
    host = LoadBalancer()
    ipvs = backend(host)
    ipvs.program(endpoints(3))
    before = len(host.trips)
    ipvs.program(endpoints(3))
    assert len(host.trips) == before


def test_sysctls_address_and_masquerading_are_set_where_they_differ_only() -> None:
    host = LoadBalancer()
    host.sysctls["net.ipv4.ip_forward"] = "1"
    backend(host).program(endpoints(1))
    assert host.sysctls == sysctls_for((6, 1))
    assert "192.168.0.111" in host.addresses
    assert len(host.rules) == 1
    assert "ip_forward=1" not in host.trips[1]
    assert "conn_reuse_mode=" not in host.trips[1]


def test_a_vip_that_an_interface_already_has_stays_where_it_is() -> None:
    host = LoadBalancer()
    host.addresses = ["192.168.0.111"]
    ipvs = backend(host)
    ipvs.program(endpoints(1))
    ipvs.clear()
    assert host.addresses == ["192.168.0.111"]


@pytest.mark.parametrize("kernel", ["5.4.0-200-generic", "6.1.176"])
def test_clear_puts_everything_back_and_leaves_what_others_have(kernel: str) -> None:
    host = LoadBalancer()
    host.kernel = kernel
    host.table = (
        f"-A -t 192.168.0.111:8888 -s wrr -p 300\n-a -t 192.168.0.111:8888 -r 1.2.3.4:80 -m -w 9\n{FOREIGN}"
    )
    before = host.state()
    ipvs = backend(host)
    ipvs.program(endpoints(4))
    assert parse_table(FOREIGN).items() <= parse_table(host.table).items()
    assert host.state() != before
    ipvs.clear()
    ipvs.clear()
    assert host.state() == before


def test_clear_without_program_touches_nothing() -> None:
    host = LoadBalancer()
    backend(host).clear()
    assert host.trips == []


def test_a_table_that_reads_back_differently_is_an_error_and_the_next_point_looks_again() -> None:
    host = LoadBalancer()
    ipvs = backend(host)
    host.swallow = "172.16.2.2"
    with pytest.raises(
        TestbedError, match=r"host k11: .*192\.168\.0\.111:8888 differs: 1 real servers missing"
    ):
        ipvs.program(endpoints(3))
    host.swallow = ""
    ipvs.program(endpoints(3))
    assert len(real_servers(host)) == 3
    ipvs.clear()
    assert host.state() == LoadBalancer().state()


def left_on(host: LoadBalancer) -> list[journal.Journal]:
    """Give the journals on the host as `kubelb restore` reads them, the latest first."""
    found = [journal.decode(line) for line in host.journals.values()]
    return sorted(found, key=lambda each: each.since, reverse=True)


@pytest.mark.parametrize(
    "table",
    [
        "",
        "-A -t 192.168.0.111:8888 -s mh -b mh-port,mh-fallback -p 300\n"
        f"-a -t 192.168.0.111:8888 -r 1.2.3.4:80 -i -w 9\n{FOREIGN}",
    ],
)
def test_what_was_there_before_is_on_the_host_before_the_first_change_and_puts_it_back_after_a_crash(
    table: str,
) -> None:
    host = LoadBalancer()
    host.table = table
    before = host.untouched = host.state()
    backend(host).program(endpoints(3))
    assert len(host.trips) == 2
    (left,) = left_on(host)
    assert (left.session, left.kind, left.host) == ("s-1", journal.IPVS, "k11")
    said = Ipvs.from_journal(host, left).put_back()
    assert host.state() == before
    assert host.journals == {}
    now = "1 real servers" if table else "none"
    assert f"IPVS service 192.168.0.111:8888: 3 real servers -> {now}" in said
    assert "sysctl net.ipv4.vs.conntrack: 1 -> 0" in said
    assert "address 192.168.0.111: removed from lo" in said
    assert "masquerading of 192.168.0.111:8888: rule removed" in said
    assert len(said) == 6


def test_of_two_services_of_a_crashed_session_the_later_one_is_put_back_first() -> None:
    host = LoadBalancer()
    before = host.state()
    backend(host).program(endpoints(2))
    time.sleep(0.002)  # the journals say when they were written, to the millisecond
    backend(host, port=8889).program(endpoints(2))
    assert [left.subject for left in left_on(host)] == ["192.168.0.111-8889", "192.168.0.111-8888"]
    for left in left_on(host):
        Ipvs.from_journal(host, left).put_back()
    assert host.state() == before


def test_what_somebody_has_put_back_already_is_not_put_back_again() -> None:
    host = LoadBalancer()
    backend(host).program(endpoints(2))
    (left,) = left_on(host)
    host.table, host.rules, host.addresses = "", [], ["192.168.0.11"]
    host.sysctls = dict(LoadBalancer().sysctls)
    assert Ipvs.from_journal(host, left).put_back() == ()
    assert host.journals == {}


def test_later_points_do_not_write_the_journal_again_and_clear_removes_it() -> None:
    host = LoadBalancer()
    ipvs = backend(host)
    ipvs.program(endpoints(1))
    first = dict(host.journals)
    ipvs.program(endpoints(4))
    assert host.journals == first
    assert journal.ROOT not in host.trips[-1]
    ipvs.clear()
    assert host.journals == {}


def test_what_is_read_back_and_was_not_taken_is_named() -> None:
    class Stubborn(LoadBalancer):
        def _sysctl(self, words: list[str]) -> str:
            kept = self.sysctls["net.ipv4.vs.conntrack"]
            printed = super()._sysctl(words)
            self.sysctls["net.ipv4.vs.conntrack"] = kept
            return printed

    with pytest.raises(TestbedError, match=r"host k11: read back, .*sysctl -q -w net\.ipv4\.vs\.conntrack=1"):
        backend(Stubborn()).program(endpoints(1))


@pytest.mark.parametrize(
    "change",
    [
        {"vip": "1.2.3.4 -j ACCEPT"},
        {"port": 0},
        {"port": "x"},
        {"port": float("inf")},
        {"iptables": "/home/x/iptables"},
        {"service": {"options": ["-s", "rr\n-C"], "real_servers": {}}},
        {"service": {"options": ["-s rr"], "real_servers": {}}},
        {"service": {"options": [], "real_servers": {"x": []}}},
        {"service": []},
        {"sysctls": {"kernel.core_pattern": "|/tmp/x"}},
        {"sysctls": {"net.ipv4.ip_forward": "1 kernel.x=2"}},
        {"has_vip": "yes"},
    ],
)
def test_a_journal_that_this_backend_could_not_have_written_is_not_believed(
    change: dict[str, object],
) -> None:
    host = LoadBalancer()
    backend(host).program(endpoints(1))
    (left,) = left_on(host)
    odd = dataclasses.replace(left, payload={**left.payload, **change})
    before, trips = host.state(), len(host.trips)
    with pytest.raises(TestbedError, match="cannot be read: ") as caught:
        Ipvs.from_journal(host, odd)
    assert "\n" not in str(caught.value)
    assert (host.state(), len(host.trips)) == (before, trips)


def test_old_kernels_do_not_lose_the_first_packet_of_a_reused_port() -> None:
    assert sysctls_for((5, 8))["net.ipv4.vs.conn_reuse_mode"] == "0"
    assert sysctls_for((5, 9))["net.ipv4.vs.conn_reuse_mode"] == "1"


def test_two_services_on_one_address_take_it_over_from_each_other_in_one_round_trip_each_time() -> None:
    host = LoadBalancer()
    before = host.state()
    rr, lc = (backend(host, scheduler=each) for each in ("rr", "lc"))
    trips = []
    for ours, theirs, scheduler in ((rr, lc, "rr"), (lc, rr, "lc"), (rr, lc, "rr"), (rr, lc, "rr")):
        ours.take_over(theirs)
        ours.program(endpoints(3))
        trips.append(len(host.trips))
        assert parse_table(host.table)[KEY].options == ("-s", scheduler)
        assert len(real_servers(host)) == 3
    assert trips == [2, 3, 4, 4]
    lc.clear()
    assert host.state() != before, "what has to be put back has gone over to the other"
    rr.clear()
    assert host.state() == before


def test_a_service_on_another_port_is_not_taken_over() -> None:
    host = LoadBalancer()
    before = host.state()
    ours, theirs = backend(host), backend(host, port=8889)
    theirs.program(endpoints(1))
    ours.take_over(theirs)
    ours.program(endpoints(2))
    assert len(parse_table(host.table)) == 2
    ours.clear()
    theirs.clear()
    assert host.state() == before


@given(
    st.text()
    | st.sampled_from(["%% table\n", "%% table\n%% sysctls\na = 1\n%% kernel\n6\n%% addresses\n[]\n"])
)
def test_a_state_that_cannot_be_read_is_one_sentence(printed: str) -> None:
    with pytest.raises(TestbedError) as caught:
        read_state(printed, IpvsHost("192.168.0.111", 8888))
    assert "\n" not in str(caught.value)
