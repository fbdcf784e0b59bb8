"""Each option's parser, with good and bad values."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.option_values import (
    MOST_PODS,
    parse_backends,
    parse_connections,
    parse_duration,
    parse_flag,
    parse_overlays,
    parse_pods,
    parse_tolerance,
    plain_text,
)
from pytest_kubelb.options import BY_KEY, OPTIONS


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("4", (4,)),
        ("1,2,8", (1, 2, 8)),
        ("8, 2 ,1", (1, 2, 8)),
        ("1-3", (1, 2, 3)),
        ("1,2,4-40/2", (1, *range(2, 41, 2))),
        ("4-9/4", (4, 8)),
        ("7-7", (7,)),
    ],
)
def test_pod_counts_are_numbers_lists_and_ranges_with_a_step(text: str, counts: tuple[int, ...]) -> None:
    assert parse_pods(text) == counts


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0", "'0' is out of range: pods and steps are 1 to 9999"),
        ("x", "'x' is not a pod count"),
        ("50-40", "'50-40' runs backwards"),
        ("-4", "'-4' is not a pod count"),
        ("4-8/0", "out of range"),
        ("10000", "out of range"),
        ("1,2,2", "names 2 more than once"),
        ("1-4,3", "names 3 more than once"),
        ("", "'' is not a pod count"),
        ("1,", "'' is not a pod count"),
        ("4-", "'4-' is not a pod count"),
        ("1.5", "not a pod count"),
        ("٣", "not a pod count"),
        ("9" * 5000, "not a pod count"),
    ],
)
def test_a_bad_pod_count_is_refused_with_the_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=re.escape(rule)):
        parse_pods(text)


@given(st.sets(st.integers(1, MOST_PODS), min_size=1, max_size=50))
def test_any_list_of_pod_counts_is_read_back_in_ascending_order(counts: set[int]) -> None:
    assert parse_pods(plain_text(list(counts))) == tuple(sorted(counts))


@given(st.integers(1, 200), st.integers(0, 200), st.integers(1, 50))
def test_a_range_with_a_step_is_what_pythons_range_is(first: int, more: int, step: int) -> None:
    assert parse_pods(f"{first}-{first + more}/{step}") == tuple(range(first, first + more + 1, step))


@given(st.text())
def test_no_text_makes_a_parser_raise_anything_but_a_value_error(text: str) -> None:
    for option in OPTIONS:
        with contextlib.suppress(ValueError):
            option.parse(text)


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("1m", 60), ("1h", 3600), ("007s", 7)])
def test_a_duration_has_whole_seconds_minutes_or_hours(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["10", "500ms", "1.5s", "-1s", "0s", "1d", "", "s", "10 s", "1m30s"])
def test_a_duration_that_wrk_would_not_take_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: .* with the unit: 10s, 1m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "fraction"), [("5%", 0.05), ("0.05", 0.05), ("0.5 %", 0.005), ("100%", 1.0), ("12.5%", 0.125)]
)
def test_a_tolerance_is_a_percentage_or_a_fraction(text: str, fraction: float) -> None:
    assert parse_tolerance(text) == pytest.approx(fraction)


@pytest.mark.parametrize("text", ["5x", "-5%", "101%", "1.5", "5", "1", "0", "0%", "nan", "inf", "", "%"])
def test_a_tolerance_that_is_odd_or_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        parse_tolerance(text)


@pytest.mark.parametrize("text", ["-1", "0", "1001", "x", "", "1.0", " 1"])
def test_runs_are_whole_numbers_in_their_range(text: str) -> None:
    with pytest.raises(ValueError, match="write a whole number from 1 to 1000"):
        BY_KEY["runs"].parse(text)


def test_backends_and_overlays_are_lists_of_names() -> None:
    assert parse_backends("ipvs, proxy") == ("ipvs", "proxy")
    assert parse_overlays("host-gw,vxlan") == ("host-gw", "vxlan")


@pytest.mark.parametrize(
    ("text", "rule"),
    [("ipvs,ipvs", "more than once"), ("", "is not a backend"), ("IPVS", "is not a backend")],
)
def test_a_backend_list_with_repeats_or_odd_names_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_backends(text)


def test_an_unknown_overlay_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'geneve' is unknown: choose from vxlan, host-gw"):
        parse_overlays("geneve")


def test_an_unknown_order_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'snake' is unknown: choose from paired, block, random"):
        BY_KEY["order"].parse("snake")


def test_connections_are_a_number_or_a_multiple_of_the_pods() -> None:
    assert parse_connections("800").at(3) == 800
    assert parse_connections("auto:80").at(3) == 81


@pytest.mark.parametrize(("text", "value"), [("true", True), ("Yes", True), ("1", True), ("off", False)])
def test_a_flag_is_yes_or_no_in_the_usual_spellings(text: str, value: bool) -> None:
    assert parse_flag(text) is value


def test_a_flag_that_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(ValueError, match="'maybe' is neither yes nor no"):
        parse_flag("maybe")


def test_every_default_is_read_by_its_own_parser_and_named_in_the_help() -> None:
    for option in OPTIONS:
        assert "Default: " in option.help
        if option.default is not None:
            option.parse(option.default)
            if option.metavar is not None:
                assert f"Default: {option.default}." in option.help


def test_the_default_sweep_is_the_seeds() -> None:
    assert len(parse_pods(BY_KEY["pods"].default or "")) == 21
    shown = {key: BY_KEY[key].default for key in ("connections", "threads", "duration", "runs")}
    assert shown == {"connections": "800", "threads": "40", "duration": "60s", "runs": "10"}


def test_one_name_gives_the_command_line_ini_and_environment_names() -> None:
    option = BY_KEY["order_seed"]
    assert (option.flag, option.ini, option.env) == (
        "--kubelb-order-seed",
        "kubelb_order_seed",
        "KUBELB_ORDER_SEED",
    )
