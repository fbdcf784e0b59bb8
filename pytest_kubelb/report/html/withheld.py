"""Take secrets out of what the report shows: records of others, and older ones, may have some. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb.text.redaction import redacted, redacted_fields

if TYPE_CHECKING:
    from collections.abc import Mapping


def text(value: str) -> str:
    """Give a text, a command line say, without what looks like a secret."""
    return redacted(value)


def mapping(value: Mapping[str, object]) -> dict[str, object]:
    """Give an object in which no text looks like a secret, or is in a field that is named like one."""
    found = redacted_fields(value)
    return found if isinstance(found, dict) else {}
