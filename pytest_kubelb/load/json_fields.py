"""Decode JSON that others wrote, and read single fields of it with their type checked. Touches nothing.

Every function raises `ValueError` with the field, what is there and what is allowed; the caller adds where.
A long sweep has a million fields, so what the decoder gives is known by its exact type first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

from pytest_kubelb.load.excerpt import excerpt

JsonObject: TypeAlias = Mapping[str, object]
"""A decoded JSON object."""

MOST_DIGITS = 64
_LARGEST_COUNT = 2**63 - 1
_MISSING = object()


def decode(text: str | bytes) -> Any:
    """Give the JSON value in `text`. NaN and Infinity, which JSON does not have, are refused.

    A whole number of more than `MOST_DIGITS` is given as the text that it is: it measures nothing, and is more than a
    float can be after a few sums.
    """
    told = _as_text(text)
    try:
        has_long = _LONG in told.encode("utf-8", "surrogatepass").translate(_ALL_ZEROS)
        return (_CAREFUL if has_long else _DECODER).decode(told)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def decode_object(text: str | bytes) -> dict[str, object]:
    """Give the JSON object in `text`. NaN and Infinity, which JSON does not have, are refused."""
    decoded: object = decode(text)
    if not isinstance(decoded, dict):
        raise ValueError(f"{excerpt(decoded)} is not a JSON object")
    return decoded


def number(fields: JsonObject, key: str) -> float:
    """Give a finite number of at least 0."""
    value = fields.get(key)
    if type(value) is float and 0 <= value <= _LARGEST_COUNT:
        return value
    value = _present(fields, key)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT:
        return float(value)
    return _refuse(key, value, "a finite number of at least 0")


def optional_number(fields: JsonObject, key: str) -> float | None:
    """Give a finite number of at least 0, or None for null."""
    return None if fields.get(key, _MISSING) is None else number(fields, key)


def count(fields: JsonObject, key: str) -> int:
    """Give a whole number from 0 to 2^63 - 1."""
    value = fields.get(key)
    if type(value) is int and 0 <= value <= _LARGEST_COUNT:
        return value
    value = _present(fields, key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT:
        return value
    return _refuse(key, value, "a whole number of at least 0")


def text(fields: JsonObject, key: str) -> str:
    """Give a string."""
    value = fields.get(key)
    if type(value) is str:
        return value
    value = _present(fields, key)
    return value if isinstance(value, str) else _refuse(key, value, "a string")


def optional_text(fields: JsonObject, key: str) -> str | None:
    """Give a string, or None for null."""
    return None if fields.get(key, _MISSING) is None else text(fields, key)


def mapping(fields: JsonObject, key: str) -> dict[str, object]:
    """Give an object."""
    value = fields.get(key)
    if type(value) is dict:
        return value
    value = _present(fields, key)
    return value if isinstance(value, dict) else _refuse(key, value, "an object")


def optional_mapping(fields: JsonObject, key: str) -> dict[str, object] | None:
    """Give an object, or None for null."""
    return None if fields.get(key, _MISSING) is None else mapping(fields, key)


def objects(fields: JsonObject, key: str) -> list[dict[str, object]]:
    """Give a list of objects."""
    value = _present(fields, key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        _refuse(key, value, "a list of objects")
    return value


def axes(fields: JsonObject, key: str) -> dict[str, str | int]:
    """Give a point: an object whose values are strings or whole numbers."""
    found: dict[str, str | int] = {}
    for axis, value in mapping(fields, key).items():
        if type(value) is not str and (not isinstance(value, str | int) or isinstance(value, bool)):
            _refuse(f"{key}.{axis}", value, "a string or a whole number")
        found[axis] = value
    return found


def _present(fields: JsonObject, key: str) -> object:
    if key not in fields:
        raise ValueError(f"{key!r} is missing")
    return fields[key]


def _refuse(key: str, value: object, allowed: str) -> NoReturn:
    raise ValueError(f"{key!r} is {excerpt(value)}, not {allowed}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _whole(digits: str) -> int | str:
    return digits if len(digits.lstrip("-")) > MOST_DIGITS else int(digits)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_CAREFUL = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_whole)
"""Three times as slow where there are many numbers, so it reads only texts with a long one."""
_ALL_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * (MOST_DIGITS + 1)


def _as_text(text: str | bytes) -> str:
    """Give the text as `json.loads` reads it, which would make a decoder for each line."""
    if isinstance(text, str):
        if text.startswith("\ufeff"):
            raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
        return text
    return text.decode(json.detect_encoding(text), "surrogatepass")
