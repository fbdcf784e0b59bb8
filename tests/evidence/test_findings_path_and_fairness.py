"""The way that the connections took, and how the pods shared them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_kubelb.evidence.findings.chi_square import even_spread, survival
from pytest_kubelb.evidence.findings.examine import examine
from tests.evidence.made_runs import CLIENT, LB, SERVICE, at, found, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.evidence.run import RunEvidence

QUIET = quiet()
PODS = QUIET.endpoints


def spread(counts: Sequence[int], **per_connection: Sequence[int]) -> RunEvidence:
    endpoints = {
        pod: {
            "connections": counts[number],
            **{name: given[number] * counts[number] for name, given in per_connection.items()},
        }
        for number, pod in enumerate(PODS)
    }
    return at(QUIET, LB, endpoints=endpoints)


def test_connections_that_the_backend_did_not_see_went_another_way() -> None:
    assert found(at(QUIET, LB, connections={SERVICE: 720}), "path_missed") is None
    told = found(at(QUIET, LB, connections={SERVICE: 719}), "path_missed")
    assert told is not None
    assert (told.kind, told.host, told.effect) == ("path", LB, "contaminated")
    assert "took 719 of the 800 connections" in told.sentence


def test_a_connection_whose_syn_went_again_may_not_have_come_about() -> None:
    few = at(QUIET, LB, connections={SERVICE: 719})
    assert found(at(few, CLIENT, counters={"TcpExt.TCPSynRetrans": 81}), "path_missed") is None


def test_a_service_that_took_no_connection_at_all_is_missed() -> None:
    told = found(at(QUIET, LB, connections={}), "path_missed")
    assert told is not None
    assert told.value == 100


@pytest.mark.parametrize(
    ("service", "missing", "known"),
    [
        (SERVICE, "ipvs: ip_vs is not loaded", False),
        (SERVICE, "proxy: no chain KUBE-SERVICES in any kind of iptables", True),
        ("proxy 10.254.0.10:80", "proxy: kube-proxy in nftables mode counts nothing", False),
        ("proxy 10.254.0.10:80", "ipvs: ip_vs is not loaded", True),
    ],
)
def test_a_table_that_was_not_read_proves_nothing(service: str, missing: str, known: bool) -> None:
    run = at(replace(QUIET, service=service), LB, connections={}, missing=(missing,))
    assert (found(run, "path_missed") is not None) is known


def test_connections_that_wrk_could_not_open_are_not_missed() -> None:
    assert QUIET.result is not None
    result = replace(QUIET.result, errors=replace(QUIET.result.errors, connect=400))
    assert found(at(replace(QUIET, result=result), LB, connections={SERVICE: 400}), "path_missed") is None


def test_connections_that_were_opened_again_are_no_fault() -> None:
    assert found(at(QUIET, LB, connections={SERVICE: 58_000}), "path_missed") is None


def test_connections_that_ipvs_has_not_yet_counted_for_a_service_are_not_missed() -> None:
    late = at(
        QUIET, LB, connections={SERVICE: 300, "ipvs 192.168.0.111:9999": 10}, counters={"ipvs.conns": 810}
    )
    assert found(late, "path_missed") is None
    assert found(at(late, LB, counters={"ipvs.conns": 729}), "path_missed") is not None


def test_another_host_that_balanced_the_service_is_named() -> None:
    told = found(at(QUIET, "k05", connections={SERVICE: 1}), "path_elsewhere")
    assert told is not None
    assert (told.kind, told.host, told.effect) == ("path", "k05", "contaminated")


def test_another_backend_that_took_as_many_connections_balanced_each_twice() -> None:
    both = {SERVICE: 800, "proxy 10.254.0.10:80": 790}
    told = found(at(QUIET, LB, connections=both), "path_twice")
    assert told is not None
    assert told.effect == "contaminated"
    assert found(at(QUIET, LB, connections={**both, "proxy 10.254.0.10:80": 700}), "path_twice") is None


def test_an_even_spread_is_fair() -> None:
    assert found(spread([100] * 8), "uneven_connections") is None


def test_a_pod_with_more_connections_than_chance_gives_is_named() -> None:
    told = found(spread([90] * 7 + [170]), "uneven_connections")
    assert told is not None
    assert (told.kind, told.effect, told.host) == ("fairness", "none", LB)
    assert PODS[7] in told.sentence
    assert "p = " in told.sentence


def test_a_spread_that_chance_gives_is_not_unfair_however_wide() -> None:
    few = replace(spread([2, 0, 1, 3, 1, 0, 0, 1]), connections=8)
    assert found(few, "uneven_connections") is None


def test_an_unlikely_spread_that_is_narrow_is_not_unfair() -> None:
    assert found(spread([100_000] * 7 + [110_000]), "uneven_connections") is None


@pytest.mark.parametrize("counted", ["packets", "bytes"])
def test_a_pod_whose_connections_carry_more_is_named(counted: str) -> None:
    told = found(spread([100] * 8, **{counted: [100] * 7 + [135]}), f"uneven_{counted}")
    assert told is not None
    assert PODS[7] in told.sentence
    assert found(spread([100] * 8, **{counted: [100] * 7 + [129]}), f"uneven_{counted}") is None


def test_pods_whose_connections_are_not_all_counted_yet_say_nothing_about_fairness() -> None:
    late = spread([90] * 7 + [170])
    assert found(at(late, LB, counters={"ipvs.conns": 800}), "uneven_connections") is not None
    assert found(at(late, LB, counters={"ipvs.conns": 801}), "uneven_connections") is None


def test_what_a_pod_carried_in_the_two_seconds_that_ipvs_is_late_is_not_uneven() -> None:
    short = at(spread([100] * 8, bytes=[100] * 7 + [300]), LB, seconds=1.1)
    assert found(short, "uneven_bytes") is None
    assert found(at(short, LB, seconds=10.0), "uneven_bytes") is not None


def test_fairness_takes_nothing_from_a_run() -> None:
    assert examine(spread([90] * 7 + [170], bytes=[1] * 7 + [9])).validity == "valid"


@pytest.mark.parametrize(("connections", "skewed"), [(800, False), (801, True), (799, True), (3, True)])
def test_connections_that_are_no_multiple_of_the_pods_are_skewed(connections: int, skewed: bool) -> None:
    told = found(replace(QUIET, connections=connections), "keepalive_skew")
    assert (told is not None) is skewed
    if told is not None:
        assert f"--kubelb-connections auto:{connections}" in told.sentence


def test_the_skew_of_connections_dealt_in_turn_is_the_fullest_pod_above_the_mean() -> None:
    told = found(replace(QUIET, connections=12), "keepalive_skew")
    assert told is not None
    assert told.value == pytest.approx(100 * (2 / 1.5 - 1))


@given(st.integers(1, 200), st.floats(0, 2000))
def test_the_survival_function_is_scipys(degrees: int, value: float) -> None:
    assert survival(value, degrees) == pytest.approx(
        float(stats.chi2.sf(value, degrees)), rel=1e-9, abs=1e-14
    )


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=50))
def test_the_test_of_an_even_spread_is_scipys(counts: list[int]) -> None:
    chi_square, chance = even_spread(counts)
    if sum(counts) == 0:
        assert (chi_square, chance) == (0.0, 1.0)
        return
    expected = stats.chisquare(counts)
    assert chi_square == pytest.approx(float(expected.statistic))
    assert chance == pytest.approx(float(expected.pvalue), rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(("value", "degrees"), [(1.0, 0), (float("nan"), 3)])
def test_a_chi_square_without_a_probability_is_refused(value: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="take at least one"):
        survival(value, degrees)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        even_spread([3, -1])


def test_an_infinite_chi_square_has_no_chance() -> None:
    assert survival(float("inf"), 3) == 0.0
