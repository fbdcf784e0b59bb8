"""Selectors: every text is parsed or refused, and what is parsed means what it says."""

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.lab.api.resources import CONFIGMAPS, PODS
from pytest_kubelb.lab.api.selectors import (
    Requirement,
    fields_match,
    parse_field_selector,
    parse_label_selector,
    selector_of,
    selector_text,
    selects,
)
from pytest_kubelb.lab.api.status import ApiError

_INNER = string.ascii_letters + string.digits + "-_."
_ENDS = st.sampled_from(string.ascii_letters + string.digits)
names = st.builds(lambda a, b, c: a + b + c, _ENDS, st.text(_INNER, max_size=20), _ENDS)
values = st.one_of(st.just(""), names)


@st.composite
def requirements(draw: st.DrawFn) -> tuple[str, Requirement]:
    """Give the text of a requirement, and what it means."""
    key = draw(names.filter(lambda name: name not in ("in", "notin")))
    space = draw(st.sampled_from(["", " "]))
    several = draw(st.lists(values, min_size=1, max_size=4))
    one = draw(values)
    kind = draw(st.sampled_from(["=", "==", "!=", "in", "notin", "exists", "!"]))
    if kind in ("=", "==", "!="):
        return f"{key}{space}{kind}{space}{one}", Requirement(
            key, "notin" if kind == "!=" else "in", frozenset({one})
        )
    if kind in ("in", "notin"):
        meant = Requirement(key, "in" if kind == "in" else "notin", frozenset(several))
        return f"{key} {kind}{space}({','.join(several)})", meant
    return (f"!{space}{key}", Requirement(key, "!")) if kind == "!" else (key, Requirement(key, "exists"))


@given(st.lists(requirements(), max_size=5))
def test_what_is_written_by_the_grammar_is_parsed_as_it_is_meant(
    parts: list[tuple[str, Requirement]],
) -> None:
    text = ",".join(part for part, _ in parts)
    assert parse_label_selector(text) == tuple(meant for _, meant in parts)


@given(st.text(st.sampled_from("ab=!,() <>in\n\t-./é"), max_size=30))
def test_any_text_is_parsed_or_is_refused(text: str) -> None:
    with contextlib.suppress(ApiError):
        selects(parse_label_selector(text), {"a": "b"})


@given(st.text(max_size=30))
def test_any_field_selector_is_parsed_or_is_refused(text: str) -> None:
    with contextlib.suppress(ApiError):
        parse_field_selector(PODS, text)


@given(st.dictionaries(names, values, max_size=4), st.dictionaries(names, values, max_size=4))
def test_the_text_of_a_selector_selects_what_the_selector_selects(
    wanted: dict[str, str], labels: dict[str, str]
) -> None:
    selector = {"matchLabels": wanted}
    for held in (labels, labels | wanted):
        assert selects(parse_label_selector(selector_text(selector)), held) == (
            wanted.items() <= held.items()
        )
        assert selects(selector_of(selector), held) == (wanted.items() <= held.items())


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("a!=b", {}, True),
        ("a notin (b)", {}, True),
        ("a in (b)", {}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a=", {"a": ""}, True),
        ("n>4", {"n": "5"}, True),
        ("n<4", {"n": "x"}, False),
        ("example.com/a=b", {"example.com/a": "b"}, True),
    ],
)
def test_missing_labels_and_operators_count_as_documented(
    text: str, labels: dict[str, str], *, expected: bool
) -> None:
    assert selects(parse_label_selector(text), labels) is expected


@pytest.mark.parametrize(
    "text", ["a in b", "a in (b", "=b", "a=b,", ",a", "a b", "a=-", "a>x", "-a", "a in ((b))", "x y z"]
)
def test_what_the_grammar_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match=r"^(unable to parse requirement: |found '.*', expected: )") as caught:
        parse_label_selector(text)
    assert caught.value.code == 400


def test_field_selectors_compare_and_know_what_each_resource_has() -> None:
    pod = {
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"nodeName": "k05"},
        "status": {"phase": "Running"},
    }
    assert fields_match(parse_field_selector(PODS, "spec.nodeName=k05,status.phase!=Failed"), pod)
    assert not fields_match(parse_field_selector(PODS, "metadata.namespace==other"), pod)
    with pytest.raises(ApiError, match=r"^field label not supported: spec\.none$"):
        parse_field_selector(PODS, "spec.none=k05")
    with pytest.raises(
        ApiError, match=r'^"spec\.nodeName" is not a known field selector: only "metadata\.name"'
    ):
        parse_field_selector(CONFIGMAPS, "spec.nodeName=k05")
