"""What other plugins and conftest files may replace or add. The plugin's own behaviour is the trylast one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.convergence import Target
    from pytest_kubelb.matrix import Point
    from pytest_kubelb.measuring import LoadGenerator
    from pytest_kubelb.record.sample import Sample, Series
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.hosts import Hosts
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


@pytest.hookspec()
def pytest_kubelb_host_facts(  # type: ignore[empty-body]
    config: pytest.Config, hosts: Hosts, names: Sequence[str]
) -> Mapping[str, object]:
    """Return facts to record about the hosts called `names`, once per session: name of the fact -> JSON value."""


@pytest.hookspec(firstresult=True)
def pytest_kubelb_run_load(
    config: pytest.Config, load: LoadGenerator, target: Target, settings: Settings, number: int, warmup: bool
) -> Sample | None:
    """Return the sample of one run at `target`; raise TestbedError when the testbed is lost."""


@pytest.hookspec(firstresult=True)
def pytest_kubelb_judge(config: pytest.Config, series: Series) -> Repeatability | None:
    """Return the verdict on the runs of one point."""


@pytest.hookspec()
def pytest_kubelb_update_json(config: pytest.Config, report: dict[str, object]) -> None:
    """Change the report of --kubelb-json before it is written."""
