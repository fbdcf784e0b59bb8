"""The record: the append-only file that every sample goes to the moment it exists, and reading it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pandas import DataFrame


def load(*paths: str | Path) -> DataFrame:
    """Give every run of the sessions at `paths` as one row of a pandas frame; see `pytest_kubelb.record.frame.load`.

    pandas is imported by the call, and not with this package.
    """
    from pytest_kubelb.record import frame

    return frame.load(*paths)
