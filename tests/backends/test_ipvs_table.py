"""Reading, comparing and changing IPVS tables, as text."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from ipaddress import AddressValueError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.backends.ipvs_table import (
    VirtualService,
    changes,
    differences,
    parse_table,
    wanted_service,
)
from pytest_kubelb.errors import TestbedError

KEY = ("-t", "192.168.0.111:8888")
SAVED = """\
-A -t 192.168.0.111:8888 -s rr
-a -t 192.168.0.111:8888 -r 172.16.1.2:80 -m -w 1
-a -t 192.168.0.111:8888 -r 172.16.2.2:80 -m -w 1
-A -f 7 -s wlc -p 300
-a -f 7 -r 10.0.0.1:0 -g -w 5
"""

servers = st.dictionaries(
    st.builds("172.16.{}.{}:80".format, st.integers(0, 3), st.integers(0, 5)),
    st.sampled_from([("-m", "-w", "1"), ("-m", "-w", "3"), ("-g", "-w", "1")]),
)
options = st.sampled_from([("-s", "rr"), ("-s", "wlc"), ("-s", "rr", "-p", "300")])
services = st.builds(VirtualService, st.just(KEY), options, servers)


def written(service: VirtualService) -> str:
    return "".join(f"{line}\n" for line in changes(None, service))


def carried_out(service: VirtualService | None, batch: list[str]) -> VirtualService | None:
    """Do to a table of one service what ipvsadm does, refusing what it refuses."""
    for line in batch:
        command, *rest = line.split()
        assert tuple(rest[:2]) == KEY
        assert (service is None) == (command == "-A"), line
        if command == "-A":
            service = VirtualService(KEY, tuple(rest[2:]), {})
            continue
        assert service is not None
        if command == "-D":
            service = None
            continue
        held = dict(service.real_servers)
        assert (rest[3] in held) == (command in {"-d", "-e"}), line
        held.pop(rest[3], None)
        if command != "-d":
            held[rest[3]] = tuple(rest[4:])
        service = dataclasses.replace(service, real_servers=held)
    return service


def test_a_saved_table_is_read_as_services_and_real_servers() -> None:
    table = parse_table(SAVED)
    assert table[KEY] == wanted_service("192.168.0.111", 8888, "rr", ["172.16.1.2", "172.16.2.2"], 80)
    assert table["-f", "7"] == VirtualService(
        ("-f", "7"), ("-s", "wlc", "-p", "300"), {"10.0.0.1:0": ("-g", "-w", "5")}
    )


def test_an_empty_table_has_no_services() -> None:
    assert parse_table("\n") == {}


@pytest.mark.parametrize("line", ["IP Virtual Server version 1.2.1", "-a -t 1.2.3.4:1 -r 5.6.7.8:1 -m", "-Z"])
def test_a_line_that_is_not_understood_is_quoted_in_the_error(line: str) -> None:
    with pytest.raises(TestbedError) as caught:
        parse_table(line)
    assert repr(line) in str(caught.value)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(TestbedError):
        assert parse_table(text) == {} or "-A" in text


@given(services)
def test_what_is_written_is_read_back_equal(service: VirtualService) -> None:
    assert parse_table(written(service)) == {KEY: service}


@given(st.none() | services, st.none() | services)
def test_the_changes_lead_from_any_table_to_any_other(
    current: VirtualService | None, wanted: VirtualService | None
) -> None:
    assert carried_out(current, changes(current, wanted)) == wanted


@given(services)
def test_equal_tables_need_no_change_and_show_no_difference(service: VirtualService) -> None:
    assert changes(service, service) == []
    assert differences(service, service) == ""


@given(st.none() | services, st.none() | services)
def test_different_tables_always_show_a_difference(
    found: VirtualService | None, wanted: VirtualService | None
) -> None:
    assert bool(differences(found, wanted)) == (found != wanted)


def test_real_servers_that_stay_are_not_touched() -> None:
    few = wanted_service("192.168.0.111", 8888, "rr", ["172.16.1.2", "172.16.2.2"], 80)
    other = wanted_service("192.168.0.111", 8888, "rr", ["172.16.2.2", "172.16.3.2"], 80)
    assert changes(few, other) == [
        "-d -t 192.168.0.111:8888 -r 172.16.1.2:80",
        "-a -t 192.168.0.111:8888 -r 172.16.3.2:80 -m -w 1",
    ]


@pytest.mark.parametrize("address", ["172.16.1.2 -g", "", "::1", "host", "1.2.3.4\n-C"])
def test_a_pod_address_that_is_none_never_reaches_a_batch(address: str) -> None:
    with pytest.raises(AddressValueError):
        wanted_service("192.168.0.111", 8888, "rr", [address], 80)
