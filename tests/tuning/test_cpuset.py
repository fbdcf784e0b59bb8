"""CPU sets: lists and masks, as people and the kernel write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.tuning import cpuset

CPUS = st.frozensets(st.integers(0, cpuset.LAST), max_size=80)
ONLINE = range(8)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("1-7", {1, 2, 3, 4, 5, 6, 7}),
        ("0,2-4", {0, 2, 3, 4}),
        ("fe", {1, 2, 3, 4, 5, 6, 7}),
        ("0xfe", {1, 2, 3, 4, 5, 6, 7}),
        ("0000,000000fe", {1, 2, 3, 4, 5, 6, 7}),
        ("00000001,00000000", {32}),
        ("none", set()),
        ("0", {0}),
        ("00", set()),
    ],
)
def test_lists_and_masks_are_told_apart_by_the_grammar_of_lists(text: str, cpus: set[int]) -> None:
    assert cpuset.parse(text).cpus == cpus


def test_a_mask_that_looks_like_a_list_needs_0x() -> None:
    assert cpuset.parse("10").cpus == {10}
    assert cpuset.parse("0x10").cpus == {4}


def test_an_open_range_and_all_fit_any_number_of_cpus() -> None:
    assert cpuset.parse("1-").on(ONLINE) == set(range(1, 8))
    assert cpuset.parse("0,4-").on(ONLINE) == {0, 4, 5, 6, 7}
    assert cpuset.parse("all").on({0, 2}) == {0, 2}


def test_cpus_that_are_not_online_are_refused_by_number() -> None:
    with pytest.raises(ValueError, match=r"CPUs 2-7 of 'fe' are not online; the host has 0-1"):
        cpuset.parse("fe").on({0, 1})
    with pytest.raises(ValueError, match="begins at CPU 1, and the host has only 0"):
        cpuset.parse("1-").on({0})


@pytest.mark.parametrize(
    "text", ["", "7-1", "1,,2", "fg", "1-9000", "-1", "fe fe", "123456789a", "1-2-3", "0x"]
)
def test_what_is_no_set_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"no set of CPUs|runs backwards|beyond 8191"):
        cpuset.parse(text)


@given(CPUS)
def test_both_forms_give_back_the_same_set(cpus: frozenset[int]) -> None:
    assert cpuset.from_mask(cpuset.mask(cpus)) == cpus
    assert cpuset.parse(cpuset.listed(cpus)).cpus == cpus
    assert cpuset.parse(f"0x{cpuset.mask(cpus)}").cpus == cpus


@given(st.text(max_size=30))
def test_any_text_is_a_set_or_a_value_error(text: str) -> None:
    for read in (cpuset.parse, cpuset.from_mask, cpuset.from_list):
        with suppress(ValueError):
            read(text)


def test_people_are_shown_both_forms() -> None:
    assert cpuset.shown(range(1, 8)) == "1-7 (mask fe)"
    assert cpuset.shown({0, 33}) == "0,33 (mask 2,00000001)"
