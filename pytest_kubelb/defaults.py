"""The plugin's own behaviour behind its hooks: trylast, so that any other plugin's comes first.

Every pytest run imports this module, so what an implementation needs is imported inside it. Touches nothing.
"""

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


@pytest.hookimpl(trylast=True)
def pytest_kubelb_backends() -> Mapping[str, str]:
    """Give the backends that come with the plugin."""
    from pytest_kubelb import backends

    return backends.BUILT_IN


@pytest.hookimpl(trylast=True)
def pytest_kubelb_points(settings: Settings) -> Sequence[Point]:
    """Give the whole matrix of the settings."""
    from pytest_kubelb import matrix

    return matrix.grid(settings.backend, settings.pods, settings.overlay, settings.tuning, settings.passes)


@pytest.hookimpl(trylast=True)
def pytest_kubelb_order_points(settings: Settings, points: Sequence[Point]) -> Sequence[Point]:
    """Give the order that --kubelb-order asks for."""
    from pytest_kubelb import matrix

    return matrix.ordered(points, settings.order, settings.order_seed)


@pytest.hookimpl(trylast=True)
def pytest_kubelb_host_facts(hosts: Hosts, names: Sequence[str]) -> Mapping[str, object]:
    """Give kernel, CPUs, memory, NICs and wrk of each host, by one command on each."""
    from pytest_kubelb import host_facts
    from pytest_kubelb.evidence import specs

    said = hosts.each(names, ["sh", "-c", host_facts.SCRIPT])
    facts = {name: host_facts.parse(done.stdout) for name, done in said.items()}
    return {
        "kernels": {name: known.pop("kernel", "") for name, known in facts.items()},
        "hosts": facts,
        "specs": {name: specs.parse(name, done.stdout).to_json() for name, done in said.items()},
    }


@pytest.hookimpl(trylast=True)
def pytest_kubelb_run_load(
    load: LoadGenerator, target: Target, settings: Settings, number: int, warmup: bool
) -> Sample:
    """Run wrk on the benchmarker."""
    return load.run(target, settings, number=number, warmup=warmup)


@pytest.hookimpl(trylast=True)
def pytest_kubelb_judge(series: Series) -> Repeatability:
    """Judge the spread of the valid runs against the tolerance."""
    from pytest_kubelb.verdict import repeatability

    return repeatability.judge(series.valid_rps, tolerance=series.tolerance)
