"""JSON of others: numbers that no float can hold are no numbers, and what JSON does not have is refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.load import json_fields

LARGEST = 10**json_fields.MOST_DIGITS - 1


@pytest.mark.parametrize("digits", ["9" * 65, "-" + "9" * 65, "9" * 400, "9" * 5000])
def test_a_number_that_is_too_long_is_the_text_that_it_is(digits: str) -> None:
    text = f'{{"a": [{digits}, 1]}}'
    for given_as in (text, text.encode(), text.encode("utf-16")):
        assert json_fields.decode(given_as) == {"a": [digits, 1]}
    for read in (json_fields.count, json_fields.number):
        with pytest.raises(ValueError, match="'a' is"):
            read(json_fields.decode_object(f'{{"a": {digits}}}'), "a")


def test_the_longest_that_is_a_number_survives_sums_and_shares() -> None:
    found = json_fields.decode(f"[{LARGEST}, {-LARGEST // 10}]")
    assert found == [LARGEST, -LARGEST // 10]
    assert math.isfinite(float(sum(found) * 100) ** 2)


@given(
    st.recursive(
        st.integers(-LARGEST // 10, LARGEST) | st.text() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_everything_else_is_what_json_says(value: object) -> None:
    text = json.dumps(value)
    assert json_fields.decode(text) == json.loads(text)


@pytest.mark.parametrize("value", ["9" * 65, True, 1.5, None, [1]])
def test_an_axis_is_a_text_or_a_whole_number(value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    fields = json_fields.decode_object(f'{{"point": {{"pods": {text}}}}}')
    if isinstance(value, str):
        assert json_fields.axes(fields, "point") == {"pods": value}
    else:
        with pytest.raises(ValueError, match=r"'point\.pods' is"):
            json_fields.axes(fields, "point")
