"""wrk's command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.load.command import Connections, parse_connections, wrk_command


def test_the_command_of_the_seed() -> None:
    command = wrk_command(
        "http://192.168.0.111:8888/",
        script="report.lua",
        host_header="kubelb.test",
        connections=800,
        threads=40,
        duration_s=60,
    )
    assert command == (
        *("wrk", "-c800", "-t40", "-d60s", "-s", "report.lua", "-H", "Host: kubelb.test"),
        "http://192.168.0.111:8888/",
    )


def command(**changed: object) -> tuple[str, ...]:
    given_values: dict[str, object] = {
        "url": "http://10.254.0.10/",
        "script": "report.lua",
        "host_header": "kubelb.test",
        "connections": 8,
        "threads": 1,
        "duration_s": 1,
    }
    return wrk_command(**given_values | changed)  # type: ignore[arg-type]  # values of many types in one dict


def test_a_time_out_is_given_in_seconds() -> None:
    assert command(timeout_s=5)[-3:] == ("--timeout", "5s", "http://10.254.0.10/")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"connections": 3, "threads": 4}, "3 connections on 4 threads"),
        ({"threads": 0}, "on 0 threads"),
        ({"duration_s": 0}, "duration of 0 s"),
        ({"timeout_s": 0}, "time-out of 0 s"),
        ({"host_header": "a\r\nX: y"}, "Host header"),
        ({"host_header": ""}, "Host header"),
        ({"url": "-v"}, "pointed at '-v'"),
        ({"url": "http://a/ b"}, "pointed at"),
    ],
)
def test_what_wrk_would_refuse_is_refused_before(changed: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        command(**changed)


@pytest.mark.parametrize("text", ["1", "800", "auto:80", "999999"])
def test_a_specification_of_connections_reads_back_as_written(text: str) -> None:
    assert str(parse_connections(text)) == text


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "auto", "auto:", "auto:0", "8.5", "1000000", "²", " 8", "800\n"]
)
def test_a_bad_specification_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"whole number from 1 to 999999.*auto:N"):
        parse_connections(text)


@pytest.mark.parametrize(
    ("pods", "connections"),
    [(1, 80), (3, 81), (7, 77), (16, 80), (32, 96), (40, 80), (79, 79), (160, 160), (500, 500)],
)
def test_auto_gives_every_pod_the_same_number_of_connections(pods: int, connections: int) -> None:
    assert Connections(80, multiple_of_pods=True).at(pods) == connections


@given(target=st.integers(1, 10_000), pods=st.integers(1, 500))
def test_no_other_multiple_of_the_pods_is_nearer(target: int, pods: int) -> None:
    chosen = Connections(target, multiple_of_pods=True).at(pods)
    assert chosen % pods == 0
    assert chosen >= pods
    assert all(
        abs(other - target) >= abs(chosen - target) for other in (chosen + pods, max(pods, chosen - pods))
    )


def test_an_exact_number_does_not_depend_on_the_pods() -> None:
    assert Connections(800, multiple_of_pods=False).at(7) == 800
