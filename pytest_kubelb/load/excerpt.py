"""Show a value of unknown size in an error message. Touches nothing."""

from __future__ import annotations

import reprlib

_SHORTENED = reprlib.Repr()
_SHORTENED.maxstring = _SHORTENED.maxother = 100


def excerpt(value: object) -> str:
    """Give `repr(value)`, with the middle left out beyond about 100 characters."""
    try:
        return _SHORTENED.repr(value)
    except ValueError:  # Python prints no number of more than 4,300 digits
        return f"a {type(value).__name__} that is too long to be shown"
