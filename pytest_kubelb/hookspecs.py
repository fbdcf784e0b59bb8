"""What other plugins and conftest files may replace or add. The plugin's own behaviour is the trylast one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.matrix import Point
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.verdict.repeatability import Repeatability


@pytest.hookspec()
def pytest_kubelb_backends(config: pytest.Config) -> Mapping[str, str]:  # type: ignore[empty-body]
    """Return backends to add: name -> `module:Class`, a class that derives from backends.base.Backend."""


@pytest.hookspec(firstresult=True)
def pytest_kubelb_points(config: pytest.Config, settings: Settings) -> Sequence[Point] | None:
    """Return the points that one bench function measures, given its settings."""


@pytest.hookspec(firstresult=True)
def pytest_kubelb_order_points(
    config: pytest.Config, settings: Settings, points: Sequence[Point]
) -> Sequence[Point] | None:
    """Return the selected points in the order in which they are to be visited, each once."""


@pytest.hookspec(firstresult=True)
def pytest_kubelb_judge(config: pytest.Config, series: Series) -> Repeatability | None:
    """Return the verdict on the runs of one point."""
