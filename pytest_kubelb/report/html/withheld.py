"""Take secrets out of what the report shows: texts, and fields that are named like secrets. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_kubelb.report.redaction import REDACTED, redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELD: Final = re.compile(
    r"token|passw(?:or)?d|secret|credential|(?:private|api|client)[-_]?key", re.IGNORECASE
)


def text(value: str) -> str:
    """Give a text, a command line say, without what looks like a secret."""
    return redacted(value)


def fields(value: object) -> object:
    """Give JSON values in which fields that are named like secrets have none, and every text is as `text` gives it."""
    if isinstance(value, dict):
        return {
            str(name): REDACTED if _FIELD.search(str(name)) and each else fields(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [fields(each) for each in value]
    return text(value) if isinstance(value, str) else value


def mapping(value: Mapping[str, object]) -> dict[str, object]:
    """Give an object as `fields` does."""
    found = fields(dict(value))
    return found if isinstance(found, dict) else {}
