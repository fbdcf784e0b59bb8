"""Numbers of a `HostDelta` as compact JSON, and back with their types checked. Touches nothing.

Thousands of records are read at once, so that types are compared a row at a time. Every reader raises ValueError with
the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NUMBERS: Final = frozenset((int, float))
_NUMBERS_OR_NONE: Final = _NUMBERS | {type(None)}
_COUNTS: Final = frozenset((int,))
_TEXTS: Final = frozenset((str,))
_LISTS: Final = frozenset((list,))
_OBJECTS: Final = frozenset((dict,))

Fields = dict[str, object]
"""A decoded JSON object."""


def short(value: float) -> float:
    """Spell a whole number without its point."""
    number = int(value)
    return number if number == value else value


def rows(table: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Give the rows of a table that are not all zero."""
    return {name: list(map(short, row)) for name, row in table.items() if any(row)}


def unlike(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float | None]:
    """Give what was other before: None for what was not there."""
    other: dict[str, float | None] = {
        name: short(value) for name, value in before.items() if value != after.get(name)
    }
    return other | dict.fromkeys(after.keys() - before.keys())


def before(after: Mapping[str, float], fields: Mapping[str, object], key: str) -> dict[str, float]:
    """Give what was before, from what `unlike` gave."""
    other = _object(fields, key, _NUMBERS_OR_NONE, "numbers")
    merged = {**after, **other}
    if None in other.values():
        return cast("dict[str, float]", {name: value for name, value in merged.items() if value is not None})
    return cast("dict[str, float]", merged)


def signed(fields: Mapping[str, object], key: str) -> float:
    """Give a finite number."""
    value = fields.get(key)
    # A whole number may be larger than any float: compared first, and only then one.
    if type(value) in _NUMBERS and abs(number := cast("float", value)) < 1e15:
        return float(number)
    raise ValueError(f"{key!r} is missing or not a finite number")


def counts(fields: Mapping[str, object], key: str) -> dict[str, int]:
    """Give an object of whole numbers."""
    return cast("dict[str, int]", _object(fields, key, _COUNTS, "whole numbers"))


def numbers(fields: Mapping[str, object], key: str) -> dict[str, float]:
    """Give an object of numbers."""
    return cast("dict[str, float]", _object(fields, key, _NUMBERS, "numbers"))


def texts(fields: Mapping[str, object], key: str) -> list[str]:
    """Give a list of strings."""
    return cast("list[str]", _list(fields, key, _TEXTS, "texts"))


def whole(fields: Mapping[str, object], key: str) -> list[int]:
    """Give a list of whole numbers."""
    return cast("list[int]", _list(fields, key, _COUNTS, "whole numbers"))


def table(fields: Mapping[str, object], key: str, columns: int) -> dict[str, tuple[float, ...]]:
    """Give an object of rows of so many numbers."""
    found = {}
    numeric = _NUMBERS.issuperset
    for name, row in cast("dict[str, list[float]]", _object(fields, key, _LISTS, "lists")).items():
        if len(row) != columns or not numeric(map(type, row)):
            raise ValueError(f"'{key}.{name}' is not {columns} numbers")
        found[name] = tuple(row)
    return found


def tree(fields: Mapping[str, object], key: str) -> dict[str, dict[str, int]]:
    """Give an object of objects of whole numbers."""
    found = cast("dict[str, dict[str, int]]", _object(fields, key, _OBJECTS, "objects"))
    whole = _COUNTS.issuperset
    for name, row in found.items():
        if not whole(map(type, row.values())):
            raise ValueError(f"'{key}.{name}' is not an object of whole numbers")
    return found


def pairs(fields: Mapping[str, object], key: str) -> dict[str, tuple[str, str]]:
    """Give an object of pairs of strings."""
    found = {}
    for name, row in _object(fields, key, _LISTS, "pairs").items():
        values = cast("list[str]", row)
        if len(values) != 2 or not _TEXTS.issuperset(map(type, values)):
            raise ValueError(f"'{key}.{name}' is not a pair of texts")
        found[name] = (values[0], values[1])
    return found


def _object(fields: Mapping[str, object], key: str, kinds: frozenset[type], what: str) -> Fields:
    value = fields.get(key)
    if type(value) is dict and kinds.issuperset(map(type, value.values())):
        return value
    raise ValueError(f"{key!r} is missing or not an object of {what}")


def _list(fields: Mapping[str, object], key: str, kinds: frozenset[type], what: str) -> list[object]:
    value = fields.get(key)
    if type(value) is list and kinds.issuperset(map(type, value)):
        return value
    raise ValueError(f"{key!r} is missing or not a list of {what}")
