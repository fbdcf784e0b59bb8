"""A real wrk against a real nginx: the Lua line, the classic text, and both of the same run."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.load.classic_output import parse_classic_output
from pytest_kubelb.load.json_output import parse_json_output

if TYPE_CHECKING:
    from .conftest import RunWrk

# What two decimals in wrk's text leave open, for a number that is at least 0.85.
ROUNDING = 0.005 / 0.85 * 1.01


@pytest.mark.parametrize("threads", [1, 2])
def test_the_lua_line_and_the_classic_text_of_one_run_agree(
    nginx_url: str, run_wrk: RunWrk, threads: int
) -> None:
    stdout = run_wrk(f"{nginx_url}/", "--latency", threads=threads).stdout
    exact, classic = parse_json_output(stdout), parse_classic_output(stdout)
    assert exact.requests == classic.requests > 0
    assert exact.errors == classic.errors
    assert exact.rps == pytest.approx(classic.rps, abs=0.01)
    assert exact.bytes == pytest.approx(classic.bytes, rel=ROUNDING)
    assert exact.duration_s == pytest.approx(classic.duration_s, rel=ROUNDING)
    assert exact.latency.mean_us == pytest.approx(classic.latency.mean_us, rel=ROUNDING)
    assert exact.latency.stdev_us == pytest.approx(classic.latency.stdev_us, rel=ROUNDING)
    assert exact.latency.max_us == pytest.approx(classic.latency.max_us, rel=ROUNDING)
    assert set(classic.latency.percentiles_us) == {"50", "75", "90", "99"}
    for name, value_us in classic.latency.percentiles_us.items():
        assert exact.latency.percentiles_us[name] == pytest.approx(value_us, rel=ROUNDING)


def test_percentiles_do_not_fall_and_end_below_the_maximum(nginx_url: str, run_wrk: RunWrk) -> None:
    latency = parse_json_output(run_wrk(f"{nginx_url}/").stdout).latency
    percentiles_us = list(latency.percentiles_us.values())
    assert percentiles_us == sorted(percentiles_us)
    assert percentiles_us[-1] <= latency.max_us


def test_an_error_status_is_counted_by_both(nginx_url: str, run_wrk: RunWrk) -> None:
    stdout = run_wrk(f"{nginx_url}/unavailable").stdout
    exact = parse_json_output(stdout)
    assert exact.errors.status == exact.requests > 0
    assert parse_classic_output(stdout).errors == exact.errors


def test_connections_closed_by_the_server_are_read_errors_and_no_requests(
    nginx_url: str, run_wrk: RunWrk
) -> None:
    stdout = run_wrk(f"{nginx_url}/hang-up").stdout
    exact = parse_json_output(stdout)
    assert (exact.requests, exact.rps) == (0, 0)
    assert exact.errors.read > 0
    assert parse_classic_output(stdout).errors == exact.errors


def test_a_server_that_never_answers_gives_time_outs_and_a_result_all_the_same(run_wrk: RunWrk) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        stdout = run_wrk(f"http://127.0.0.1:{silent.getsockname()[1]}/").stdout
    exact = parse_json_output(stdout)
    assert exact.requests == 0
    assert parse_classic_output(stdout).errors == exact.errors


def test_the_host_header_reaches_the_server(nginx_url: str, run_wrk: RunWrk) -> None:
    assert parse_json_output(run_wrk(f"{nginx_url}/host").stdout).errors.status == 0
    other = parse_json_output(run_wrk(f"{nginx_url}/host", host="other.test").stdout)
    assert other.errors.status == other.requests > 0
