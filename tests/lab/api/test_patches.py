"""Patches: the examples of the RFCs, merge keys, and any input."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.lab.api.patches import json_patch, merge_patch, strategic_merge_patch
from pytest_kubelb.lab.api.status import ApiError

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3))
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc/~"), inner, max_size=3)
    ),
    max_leaves=8,
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "spin"])},
    optional={
        "path": st.sampled_from(["", "/a", "/a/0", "/a/-", "/b/c", "/~1", "a", "/a/1/b"]),
        "from": st.sampled_from(["", "/a", "/b", "/a/0"]),
        "value": documents,
    },
)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [  # appendix A of RFC 7396
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_do_what_the_rfc_shows(target: Any, patch: Any, expected: Any) -> None:
    assert merge_patch(target, patch) == expected


@given(documents, documents)
def test_a_merge_patch_applied_twice_changes_nothing_more(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


def test_strategic_merge_joins_lists_by_their_key_and_deletes_by_directive() -> None:
    old = {
        "containers": [
            {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]},
            {"name": "b", "image": "2"},
        ]
    }
    new = {
        "$setElementOrder/containers": [{"name": "a"}],
        "containers": [
            {"name": "a", "env": [{"name": "Y", "value": "2"}]},
            {"name": "b", "$patch": "delete"},
        ],
    }
    assert strategic_merge_patch(old, new) == {
        "containers": [
            {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}
        ]
    }
    assert strategic_merge_patch({"args": [1, 2]}, {"args": [3]}) == {"args": [3]}
    assert strategic_merge_patch(
        {"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}
    ) == {"finalizers": ["b"]}
    assert strategic_merge_patch({"x": {"a": 1}}, {"x": {"$patch": "replace", "b": 2}}) == {"x": {"b": 2}}


@given(documents, st.one_of(documents, st.lists(operations, max_size=4)))
def test_any_json_patch_is_applied_or_refused_and_never_touches_its_target(target: Any, patch: Any) -> None:
    before = repr(target)
    with contextlib.suppress(ApiError):
        json_patch(target, patch)
    assert repr(target) == before


def test_json_patch_operations_do_what_the_rfc_says() -> None:
    document = {"a": [1, 2], "b": {"c": 3}}
    patched = json_patch(
        document,
        [
            {"op": "test", "path": "/b/c", "value": 3},
            {"op": "add", "path": "/a/1", "value": 9},
            {"op": "add", "path": "/a/-", "value": 8},
            {"op": "remove", "path": "/a/0"},
            {"op": "move", "from": "/b/c", "path": "/d"},
            {"op": "copy", "from": "/a", "path": "/b/e"},
            {"op": "replace", "path": "/a/0", "value": 7},
        ],
    )
    assert patched == {"a": [7, 2, 8], "b": {"e": [9, 2, 8]}, "d": 3}
