"""A point as a key: the same whatever the order of its axes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

PointKey: TypeAlias = tuple[tuple[str, str | int], ...]
"""The axes of a point as (name, value), sorted by name: hashable, and the same for the same point."""


def point_key(axes: Mapping[str, str | int]) -> PointKey:
    """Give the key of the point with these axes; `dict(key)` gives them back.

    Records of before there were tunings do not name them: a point without one is that with the tuning `none`.
    """
    return tuple(sorted(axis for axis in axes.items() if axis != ("tuning", "none")))


def point_text(key: PointKey) -> str:
    """Give the point in words: `backend=ipvs overlay=vxlan pods=4`."""
    return " ".join(f"{name}={value}" for name, value in key)
