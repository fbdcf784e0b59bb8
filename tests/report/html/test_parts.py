"""Scales, intervals, SVG and the withholding of secrets."""

from __future__ import annotations

import json
import math
import statistics
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pytest_kubelb.report.html import interval, payload, scale, svg, withheld, words
from pytest_kubelb.report.html.build import visible

FINITE = st.floats(min_value=1e-3, max_value=1e9)


@given(st.lists(FINITE, min_size=1, max_size=300))
def test_the_interval_of_the_median_lies_within_the_runs_and_holds_the_median(values: list[float]) -> None:
    found = interval.of(values)
    assert found is not None
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.median == statistics.median(values)


@pytest.mark.parametrize(
    ("runs", "low", "high", "coverage"),
    [(1, 0, 0, 0.0), (5, 0, 4, 0.9375), (6, 0, 5, 0.96875), (10, 1, 8, 0.978515625)],
)
def test_the_ranks_are_those_of_the_tables(runs: int, low: int, high: int, coverage: float) -> None:
    # Conover, Practical Nonparametric Statistics, 3rd ed., chapter 3: n = 10 gives the 2nd and the 9th.
    found = interval.of(range(runs))
    assert found is not None
    assert (found.low, found.high) == (low, high)
    assert math.isclose(found.coverage, coverage)


@pytest.mark.parametrize("runs", [200, 201, 430])
def test_the_ranks_of_many_runs_go_on_where_the_exact_ones_end(runs: int) -> None:
    found = interval.of(range(runs))
    assert found is not None
    assert math.isclose(found.high - found.low, 1.96 * math.sqrt(runs), abs_tol=3)


@given(FINITE, FINITE, st.booleans())
def test_a_scale_keeps_everything_inside_the_picture(low: float, high: float, log: bool) -> None:
    low, high = sorted((low, high))
    drawn = scale.Scale(low, high, 300, 20, log=log)
    for value in (0.0, low, high, high * 10):
        assert 20 - 1e-6 <= drawn(value) <= 300 + 1e-6
    ticks = drawn.ticks(5)
    assert len(ticks) <= 60
    slack = 1e-6 * (high if log else high - low)
    assert all(low - slack <= tick <= high + slack for tick in ticks)


@given(st.lists(st.integers(0, 2000), min_size=1, unique=True).map(sorted), st.integers(1, 60))
def test_labels_keep_their_distance(places: list[int], gap: int) -> None:
    kept = [places[index] for index in scale.spaced(places, gap)]
    assert kept
    assert all(b - a >= gap for a, b in pairwise(kept))


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40))
def test_what_is_put_into_svg_comes_out_as_the_same_text(text: str) -> None:
    parsed = ET.fromstring(svg.element("text", text, aria_label=text, x=1.25))  # noqa: S314 - our own
    assert (parsed.text or "") == text
    assert parsed.attrib["aria-label"] == text
    assert parsed.attrib["x"] == "1.2"


@given(st.recursive(st.text(max_size=20), lambda inner: st.lists(inner, max_size=3), max_leaves=8))
def test_json_inside_html_has_no_markup_and_gives_the_same_value(value: object) -> None:
    text = payload.text(value)
    assert isinstance(text, Markup)
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == value


def test_dots_on_one_place_are_drawn_once() -> None:
    assert svg.dots([(1, 1), (1.1, 1.1), (5, 1)]) == "M1 1h0M5 1h0"


@pytest.mark.parametrize("shape", svg.SHAPES)
def test_every_shape_is_closed(shape: str) -> None:
    assert svg.marker(shape, 10, 10).endswith("z")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "wrk -H 'Authorization: Basic Zm9v' http://a/",
            "wrk -H 'Authorization: Basic [redacted]' http://a/",
        ),
        ("wrk -H 'Host: k8s' http://a/", "wrk -H 'Host: k8s' http://a/"),
        ("https://user:pw@host/", "https://user:[redacted]@host/"),
    ],
)
def test_what_is_named_like_a_secret_is_withheld_from_a_command(text: str, shown: str) -> None:
    assert withheld.text(text) == shown


def test_fields_named_like_secrets_are_withheld_at_any_depth() -> None:
    told = withheld.mapping({"a": {"Password": "x", "keys": [{"api_key": "y", "port": 80}]}, "token": None})
    assert told == {
        "a": {"Password": "[redacted]", "keys": [{"api_key": "[redacted]", "port": 80}]},
        "token": None,
    }


def test_figures_have_separators_and_units() -> None:
    assert words.share(0.0487).split() == ["4.87", "%"]
    told = [words.time_us(value).replace("\u00a0", " ") for value in (840, 12_400, 250_000, 2e6)]
    assert told == ["840 µs", "12.4 ms", "250 ms", "2.00 s"]
    assert words.day_and_time("2017-05-03T02:36:05+02:00") == "2017-05-03 00:36 UTC"
    assert words.day_and_time("yesterday") == "yesterday"


def test_marks_that_turn_the_direction_of_writing_are_shown_as_escapes() -> None:
    told = ["a\u202eb", "c\\u202ed", "e\\\u2066f", "g\x00h", "half \ud800"]
    shown = visible(str(payload.text(told)))
    assert json.loads(shown) == ["a\\u202eb", "c\\u202ed", "e\\\\u2066f", "g\\u0000h", "half \ud800"]
    assert visible("a\u202eb\ud800\n") == "a\\u202eb\\ud800\n"
