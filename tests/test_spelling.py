"""How figures are spelled."""

from __future__ import annotations

import pytest

from pytest_kubelb.text.spelling import rate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (4.25, "4.2"),
        (99.94, "99.9"),
        (163908.4, "163,908"),
        (1.234e12, "1.23e+12"),
    ],
)
def test_requests_per_second_have_as_many_digits_as_matter(value: float | None, text: str) -> None:
    assert rate(value) == text
