"""Check that what an API server answered has the parts of a Kubernetes object. Pure.

What is looked into everywhere, its name, labels, spec and status, is checked once, where it comes in. Source:
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
"""

from __future__ import annotations

from typing import Final

_TEXTS: Final = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp")
_TEXT_MAPS: Final = ("labels", "annotations")
_PARTS: Final = ("spec", "status", "data")


def check_object(item: object) -> None:
    """Raise ValueError for what is no object with a name."""
    if not isinstance(item, dict) or not isinstance(metadata := item.get("metadata"), dict):
        raise ValueError("it is no object with metadata")
    if not metadata.get("name"):
        raise ValueError("it has no name")
    for key in _TEXTS:
        if not isinstance(metadata.get(key), str | None):
            raise ValueError(f"metadata.{key} is no text")
    for key in _TEXT_MAPS:
        value = metadata.get(key)
        if value is not None and not (
            isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
        ):
            raise ValueError(f"metadata.{key} is no object of texts")
    for key in _PARTS:
        if not isinstance(item.get(key), dict | None):
            raise ValueError(f"{key} is no object")


def check_list(answer: dict[str, object]) -> None:
    """Raise ValueError for what is no list of objects with names."""
    items = answer.get("items")
    if not isinstance(items, list) or not isinstance(answer.get("metadata"), dict | None):
        raise ValueError("it is no list of objects")
    for item in items:
        check_object(item)
