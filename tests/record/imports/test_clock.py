"""The times that logs hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.record.imports.clock import date_s, epoch_s, iso

from .synthetic import EPOCH_S


@pytest.mark.parametrize("text", [f"{EPOCH_S}", f"{EPOCH_S}.000", f"{EPOCH_S}000", f"{EPOCH_S}000000000"])
def test_an_epoch_is_read_in_seconds_milliseconds_and_nanoseconds(text: str) -> None:
    assert epoch_s(text) == EPOCH_S


@pytest.mark.parametrize("text", ["", "4", "9" * 10, "-1500000000", "1500000000 s", "٣" * 10, "9" * 5000])
def test_what_is_no_time_of_a_measurement_is_none(text: str) -> None:
    assert epoch_s(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Fri Jul 14 02:40:00 UTC 2017",
        "Fri Jul 14 11:40:00 JST 2017",
        "Fri 14 Jul 2017 02:40:00 AM UTC",
        "Fri, 14 Jul 2017 04:40:00 +0200",
        "2017年  7月 14日 金曜日 11:40:00 JST",
        "2017-07-14T02:40:00Z",
        "2017-07-14 11:40:00+09:00",
    ],
)
def test_dates_in_words_are_read_with_their_zone(text: str) -> None:
    assert date_s(text) == (EPOCH_S, None)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Fri Jul 14 02:40:00 2017", "none"),
        ("Fri Jul 14 02:40:00 XYZ 2017", "XYZ"),
        ("2017-07-14 02:40:00", "none"),
    ],
)
def test_a_zone_that_is_not_known_is_said(text: str, zone: str) -> None:
    assert date_s(text) == (EPOCH_S, zone)


@pytest.mark.parametrize(
    "text", ["yesterday", "Fri Foo 14 02:40:00 UTC 2017", "Fri Jul 44 02:40:00 UTC 2017", "0001-01-01 00:00"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert date_s(text) is None


@given(st.integers(EPOCH_S, EPOCH_S + 10**9))
def test_what_date_prints_is_read_back(seconds: int) -> None:
    text = f"{datetime.fromtimestamp(seconds, UTC):%a %b %e %H:%M:%S UTC %Y}"
    assert date_s(text) == (seconds, None)
    assert date_s(iso(seconds)) == (seconds, None)


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert epoch_s(text) is None or epoch_s(text)
    date_s(text)
