"""The inventory's section [limits]: what is read, and how each mistake is told."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.evidence.limits import Limits, parse_limits
from pytest_kubelb.testbed.section import Section

FILE = Path("kubelb.toml")


def read(text: str) -> Limits:
    return parse_limits(Section(FILE, "limits", tomllib.loads(text)))


def test_without_a_key_every_limit_has_its_default() -> None:
    assert read("") == Limits()


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ('steal = "3%"', "steal", 3.0),
        ('steal = "0.5 %"', "steal", 0.5),
        ("steal = 0", "steal", 0.0),
        ('steal = "0"', "steal", 0.0),
        ("steal = 0.0", "steal", 0.0),
        ('steal = "off"', "steal", None),
        ("clock_step = 0.25", "clock_step", 0.25),
        ("clock_step = 2", "clock_step", 2.0),
        ('clock_step = "250ms"', "clock_step", 0.25),
        ('clock_step = "2s"', "clock_step", 2.0),
        ("throttled = 7", "throttled", 7.0),
        ('throttled = "7"', "throttled", 7.0),
        ('uneven = "150%"', "uneven", 150.0),
    ],
)
def test_a_key_overrides_one_default(line: str, key: str, value: float | None) -> None:
    limits = read(line)
    assert getattr(limits, key) == value
    others = [known.name for known in fields(Limits) if known.name != key]
    assert [getattr(limits, name) for name in others] == [getattr(Limits(), name) for name in others]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "steal = 2",
            'limits.steal is 2: allowed is a percentage from 0 to 1000 as text, such as "2%", 0, or "off"',
        ),
        ("steal = 0.02", "limits.steal is 0.02: allowed is a percentage"),
        ('steal = "-1%"', "limits.steal is '-1%': allowed is a percentage"),
        ('steal = "2 s"', "limits.steal is '2 s'"),
        ('steal = "1001%"', "limits.steal is '1001%'"),
        ("steal = true", "limits.steal is True"),
        ("steal = nan", "limits.steal is nan"),
        ("steal = inf", "limits.steal is inf"),
        ("steal = [2]", r"limits.steal is \[2\]"),
        ('steal = "never"', "limits.steal is 'never'"),
        ('clock_step = "1%"', "limits.clock_step is '1%': allowed is seconds from 0 to 3600"),
        ("throttled = 1.5", "limits.throttled is 1.5: allowed is a whole number"),
        ('throttled = "1%"', "limits.throttled is '1%'"),
        ("throttle = 1", r"limits.throttle is an unknown key \(did you mean throttled\?\)"),
    ],
)
def test_a_mistake_names_file_key_value_and_what_is_allowed(line: str, said: str) -> None:
    with pytest.raises(ConfigError, match="^" + re.escape(f"{FILE}: ") + said):
        read(line)


@given(
    st.one_of(
        st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())
    )
)
def test_any_value_is_a_limit_or_an_error_that_says_so(value: object) -> None:
    for key in ("steal", "clock_step", "throttled"):
        section = Section(FILE, "limits", {key: value})
        with suppress(ConfigError):
            limit = getattr(parse_limits(section), key)
            assert limit is None or 0 <= limit <= 1_000_000


@given(st.integers(0, 100_000))
def test_a_percentage_is_read_as_it_is_written(thousandths: int) -> None:
    written = f"{thousandths / 1000:.3f}%"
    assert read(f'errors = "{written}"').errors == float(written[:-1])
