"""The kernel's tables, as kernels and iproute2 print them."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from pytest_kubelb.preflight.kernel_tables import addresses, listens, route_to, virtual_services, way

IP_VS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A8006F:22B8 rr
  -> AC103D09:0050      Masq    1      0          0
  -> AC103E09:0050      Masq    1      0          0
UDP  C0A8006F:0035 rr
  -> AC103D09:0035      Masq    1      0          0
TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:0050 rr
  -> [fd00:0000:0000:0000:0000:0000:0000:0002]:0050      Masq    1      0          0
TCP  C0A8006F:0050 wlc persistent 300
FWM  00000001 rr
"""
TCP = """\
   0: 6F00A8C0:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   2: 6F00A8C0:0050 7000A8C0:8888 01 00000000:00000000 00:00000000 00000000     0        0 1
   3: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0 0 0 0 0 1
ip_vs_rr 12288 0 - Live 0x0000000000000000
"""
ROUTES = """\
default via 192.168.0.1 dev eth0
unreachable 172.16.0.0/12
172.16.0.0/16 dev cni0 proto kernel scope link src 172.16.121.1
172.16.61.0/24 via 172.16.61.0 dev flannel.1 onlink
2: eth0    inet 192.168.0.111/24 scope global eth0
3: flannel.1    inet 172.16.121.0/32 scope global flannel.1
"""


def test_tcp_services_are_read_with_the_number_of_their_real_servers() -> None:
    assert virtual_services(IP_VS.splitlines()) == {"192.168.0.111:8888": 2, "192.168.0.111:80": 0}


@pytest.mark.parametrize(
    ("port", "found"),
    [(8888, "192.168.0.111:8888"), (22, "*:22"), (80, None), (8080, "*:8080"), (443, None)],
)
def test_a_listener_on_the_address_or_on_all_is_found_and_a_connection_is_none(
    port: int, found: str | None
) -> None:
    assert listens(TCP.splitlines(), "192.168.0.111", port) == found


@pytest.mark.parametrize(
    ("network", "begins"),
    [("172.16.61.0/24", "172.16.61.0/24"), ("172.16.62.0/24", "172.16.0.0/16"), ("10.0.0.0/24", "default")],
)
def test_the_most_specific_route_is_given(network: str, begins: str) -> None:
    assert (route_to(ROUTES.splitlines(), IPv4Network(network)) or "").startswith(begins)


def test_without_a_route_there_is_none() -> None:
    assert route_to(ROUTES.splitlines()[1:], IPv4Network("10.0.0.0/24")) is None


def test_addresses_are_read_among_routes() -> None:
    assert addresses(ROUTES.splitlines()) == {"192.168.0.111": "eth0", "172.16.121.0": "flannel.1"}


def test_a_way_has_a_device_and_a_gateway_and_anything_else_is_repeated() -> None:
    assert way(['[{"dst":"1.1.1.1","gateway":"192.168.0.1","dev":"eth0"}]']) == ("eth0", "192.168.0.1")
    assert way(['[{"dst":"192.168.0.111","dev":"eth0"}]']) == ("eth0", None)
    with pytest.raises(ValueError, match="Network is unreachable"):
        way(["RTNETLINK answers: Network is unreachable"])
