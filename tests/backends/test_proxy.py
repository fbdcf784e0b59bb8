"""The proxy backend with the real `ip` in a network namespace made for the test."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.backends.base import run_script
from pytest_kubelb.backends.proxy import Proxy, next_hop, routes_to_restore
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import journal
from pytest_kubelb.testbed.hosts import Completed
from tests.fuzz.asked import ToldHost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The undo journal is in /run: a /run of its own is the namespace's.
_HOLD = "mount -t tmpfs tmpfs /run && echo ready && exec cat"


class Benchmarker:
    """Runs commands in a network namespace of its own; SSH is tested elsewhere and would add nothing here."""

    name = "k12"

    def __init__(self, holder: int) -> None:
        self._enter = ["nsenter", "--target", str(holder), "--net", "--mount", "--user"]
        self._enter += ["--preserve-credentials"]
        if os.geteuid() == 0:
            self._enter = self._enter[:5]
        self.trips = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - as Host.run
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> Completed:
        assert not root
        self.trips += 1
        done = subprocess.run(
            [*self._enter, *argv], input=input, timeout=timeout_s, check=check, capture_output=True, text=True
        )
        return Completed(self.name, " ".join(argv), done.stdout, done.stderr, done.returncode, 0.0)

    def ip(self, *words: str) -> str:
        return self.run(["ip", *words]).stdout


@pytest.fixture
def host() -> Iterator[Benchmarker]:
    flags = ["--net", "--mount"] if os.geteuid() == 0 else ["--net", "--mount", "--user", "--map-root-user"]
    with subprocess.Popen(
        ["unshare", *flags, "sh", "-c", _HOLD],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            pytest.skip("no network namespace can be made here: run as root or allow user namespaces")
        benchmarker = Benchmarker(holder.pid)
        benchmarker.ip("link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
        benchmarker.ip("link", "set", "peer0", "up")
        benchmarker.ip("address", "add", "192.168.0.12/24", "dev", "eth0")
        benchmarker.ip("link", "set", "eth0", "up")
        benchmarker.trips = 0
        yield benchmarker


def proxy(host: Benchmarker, cluster_ip: str | None = "10.254.0.10", via: str = "192.168.0.111") -> Proxy:
    made = Proxy(host, cluster_ip=cluster_ip, port=80, via=via)
    made.session = "s-1"
    return made


def left_on(host: Benchmarker) -> list[journal.Journal]:
    lines = run_script(host, [journal.NAMESPACE_LINE, *journal.LIST_LINES]).splitlines()[1:]
    return list(journal.parse_listing(lines).journals)


def test_the_url_of_port_80_has_no_port(host: Benchmarker) -> None:
    assert proxy(host).url == "http://10.254.0.10/"
    assert Proxy(host, cluster_ip="10.254.0.10", port=81, via="192.168.0.111").url == "http://10.254.0.10:81/"


def test_the_cluster_ip_is_routed_through_the_load_balancer_in_one_round_trip(host: Benchmarker) -> None:
    backend = proxy(host)
    backend.prepare()
    host.trips = 0
    backend.program([])
    backend.activate()
    backend.activate()
    assert host.trips == 1
    assert "via 192.168.0.111" in host.ip("route", "get", "10.254.0.10")


@pytest.mark.parametrize(
    "before",
    [
        [],
        ["10.254.0.10 via 192.168.0.1 dev eth0"],
        ["10.254.0.10 via 192.168.0.2 dev eth0 proto static metric 50 mtu 1400"],
        ["10.254.0.10 dev eth0 scope link", "10.254.0.10 via 192.168.0.2 dev eth0 metric 70"],
    ],
)
def test_clear_puts_back_the_routes_that_were_there(host: Benchmarker, before: list[str]) -> None:
    for route in before:
        host.ip("route", "add", *route.split())
    was = host.ip("route", "show")
    backend = proxy(host)
    backend.activate()
    assert host.ip("route", "show") != was
    backend.clear()
    backend.clear()
    assert host.ip("route", "show") == was
    assert left_on(host) == []


@pytest.mark.parametrize(
    "before", [[], ["10.254.0.10 via 192.168.0.2 dev eth0 proto static metric 50 mtu 1400"]]
)
def test_after_a_crash_the_journal_on_the_host_puts_the_routes_back(
    host: Benchmarker, before: list[str]
) -> None:
    for route in before:
        host.ip("route", "add", *route.split())
    was = host.ip("route", "show")
    proxy(host).activate()
    (left,) = left_on(host)
    assert (left.session, left.kind, left.payload["routes"]) == ("s-1", journal.PROXY, before)
    (said,) = Proxy.from_journal(host, left).put_back()
    assert said.startswith("route to 10.254.0.10: 10.254.0.10 via 192.168.0.111 dev eth0")
    assert said.endswith(f" -> {before[0] if before else 'none'}")
    assert host.ip("route", "show") == was
    assert left_on(host) == []
    assert Proxy.from_journal(host, left).put_back() == ()


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"cluster_ip": "10.254.0.10", "routes": "x"},
        {"cluster_ip": "default", "routes": []},
        {"cluster_ip": "10.254.0.10", "routes": ["default via 192.168.0.9"]},
        {"cluster_ip": "10.254.0.10", "routes": ["10.254.0.10 via 192.168.0.9; reboot"]},
        {"cluster_ip": "10.254.0.10", "routes": [1]},
    ],
)
def test_a_journal_that_this_backend_could_not_have_written_is_not_believed(
    host: Benchmarker, payload: dict[str, object]
) -> None:
    left = journal.opened("s-1", journal.PROXY, "k12", payload, "10.254.0.10")
    with pytest.raises(TestbedError, match="cannot be read: "):
        Proxy.from_journal(host, left)
    assert host.trips == 0


def test_an_address_that_the_cluster_chose_is_routed_once_it_is_known(host: Benchmarker) -> None:
    backend = proxy(host, None)
    backend.prepare()
    assert host.trips == 0
    backend.deployed("10.254.7.7")
    assert backend.url == "http://10.254.7.7/"
    backend.activate()
    assert "via 192.168.0.111" in host.ip("route", "get", "10.254.7.7")
    backend.clear()
    assert "10.254.7.7" not in host.ip("route", "show")


def test_two_ways_to_one_cluster_ip_take_the_route_over_from_each_other(host: Benchmarker) -> None:
    host.ip("route", "add", "10.254.0.10", "via", "192.168.0.1", "dev", "eth0")
    was = host.ip("route", "show")
    ways = [proxy(host, via=f"192.168.0.{n}") for n in (111, 112)]
    for number, (ours, theirs) in enumerate([ways, ways[::-1]] * 2):
        ours.take_over(theirs)
        ours.activate()
        assert f"via 192.168.0.{111 + number % 2}" in host.ip("route", "get", "10.254.0.10")
    for each in ways:
        each.clear()
    assert host.ip("route", "show") == was


def test_a_route_that_does_not_win_is_an_error_that_names_the_way_taken(host: Benchmarker) -> None:
    host.ip("route", "add", "table", "77", "default", "via", "192.168.0.7")
    host.ip("rule", "add", "priority", "5", "lookup", "77")
    backend = proxy(host)
    with pytest.raises(
        TestbedError, match=r"host k12: the way to 10\.254\.0\.10 leads through 192\.168\.0\.7"
    ):
        backend.activate()
    backend.clear()
    assert "10.254" not in host.ip("route", "show")


def test_words_about_a_routes_state_are_not_given_back_to_ip() -> None:
    assert routes_to_restore("10.254.0.10 via 192.168.0.1 dev eth0 linkdown \n\n") == [
        "10.254.0.10 via 192.168.0.1 dev eth0"
    ]


@pytest.mark.parametrize("printed", ["", "[]", "{", "[1]", "[{},{}]"])
def test_output_that_is_no_route_is_an_error(printed: str) -> None:
    with pytest.raises(TestbedError, match="which is not one route"):
        next_hop(printed)


def test_a_host_that_says_more_than_it_was_asked_is_a_sentence() -> None:
    payload = {"cluster_ip": "10.254.0.10", "routes": []}
    left = journal.Journal("s", journal.PROXY, "k12", "2026", "box", 1, 2, payload)
    for said in ("%%\n%%\n", "%%\n\n%%\nx"):
        with pytest.raises(TestbedError, match="put them back by hand"):
            Proxy.from_journal(ToldHost(said), left).put_back()
