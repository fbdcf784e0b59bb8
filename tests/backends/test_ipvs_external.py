"""The backend ipvs with `external = true`: what it waits for, against a load balancer made of values."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.backends.ipvs_external import ExternalIpvs
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.hosts import Completed

from .test_ipvs import endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICE = "-A -t 192.168.0.111:8888 -s wlc\n"


class Programmed:
    """A load balancer that keepalived has, for one: it only answers, and anything else than a look is an error."""

    name = "k11"

    def __init__(self, *tables: str, readable: bool = True) -> None:
        self.tables = list(tables)
        """What it shows, one look after the other; the last one stays."""
        self.readable = readable
        self.looks = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - as Host.run
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> Completed:
        assert (input, timeout_s, check, root) == (None, 20.0, True, False)
        (line,) = argv[2].splitlines()[2:]
        assert line.startswith("if $s ipvsadm --save -n 2>&1; then ")
        self.looks += 1
        if not self.readable:
            return Completed(self.name, line, "sudo: a password is required\n%% refused\n", "", 0, 0.001)
        table = self.tables.pop(0) if len(self.tables) > 1 else self.tables[0]
        return Completed(self.name, line, f"{table}%% read\n", "", 0, 0.001)


def servers(*addresses: str, options: str = "-g -w 5") -> str:
    return "".join(f"-a -t 192.168.0.111:8888 -r {address}:80 {options}\n" for address in addresses)


def backend(host: Programmed, wait_s: float = 5.0) -> ExternalIpvs:
    return ExternalIpvs(host, vip="192.168.0.111", port=8888, pod_port=80, wait_s=wait_s)


def test_whatever_its_scheduler_and_forwarding_it_is_ready_when_it_has_exactly_the_pods() -> None:
    host = Programmed(SERVICE + servers("172.16.1.1", "172.16.2.2"))
    external = backend(host)
    external.prepare()
    external.program(endpoints(2))
    external.activate()
    external.clear()
    assert host.looks == 1
    assert external.url == "http://192.168.0.111:8888/"


def test_it_is_waited_for() -> None:
    host = Programmed("", SERVICE + servers("172.16.1.1"), SERVICE + servers("172.16.1.1", "172.16.2.2"))
    backend(host).program(endpoints(2))
    assert host.looks == 3


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "the service is missing"),
        ("-A -t 192.168.0.111:80 -s rr\n", "the service is missing"),
        (SERVICE, r"2 real servers missing \(172\.16\.1\.1:80, 172\.16\.2\.2:80\)"),
        (
            SERVICE + servers("172.16.1.1", "172.16.2.2", "172.16.3.3"),
            r"1 real servers too many \(172\.16\.3\.3:80\)",
        ),
        (
            SERVICE + servers("172.16.1.1") + servers("172.16.2.2", options="-m -w 0"),
            r"1 real servers missing \(172\.16\.2\.2:80\)",
        ),
    ],
)
def test_what_differs_at_the_end_is_said(table: str, said: str) -> None:
    with pytest.raises(
        TestbedError, match=rf"host k11: after 0 s .*8888.* is not at the 2 pods: {said}; see what"
    ):
        backend(Programmed(table), wait_s=0).program(endpoints(2))


def test_where_the_table_may_not_be_read_it_is_said_once_and_left_to_the_proof(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = Programmed(readable=False)
    external = backend(host)
    with caplog.at_level(logging.WARNING):
        external.program(endpoints(2))
        external.program(endpoints(3))
    assert host.looks == 1
    assert [record.getMessage() for record in caplog.records] == [
        "host k11: the IPVS table cannot be read (sudo: a password is required): that each pod answers is all that is"
        " checked"
    ]
