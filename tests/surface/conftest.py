"""A project with one bench, and pytest as a user would start it in there, in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_kubelb

from .stopping import FAKE_TESTBED, SWEEP

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = '''
def test_rps(wrk):
    """Measure one point."""
    wrk()
'''

# A fake, because here the verdicts are what is tested: real runs cannot be made to spread by a stated amount,
# and none of these tests should need a lab. What it stores is what the real fixture stores.
FAKE_WRK = """
import pytest
from pytest_kubelb import stash
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.sample import Sample, Series
from pytest_kubelb.settings import override

RPS = {"ipvs": (1000.0, 1010.0, 990.0), "proxy": (1000.0, 500.0, 1500.0)}


def sample(point, run, rps):
    if rps is None:
        return Sample(point, 1, run, "failed", "wrk was shot", "2026-01-01T00:00:00Z", 1.0, "wrk", None)
    latency = Latency(80.0, 5.0, 200.0, {"50": 79.0})
    result = WrkResult(rps, int(rps), int(rps) * 250, 1.0, latency, SocketErrors(0, 0, 0, 0, 0))
    return Sample(point, 1, run, "valid", None, "2026-01-01T00:00:00Z", 1.0, "wrk", result)


@pytest.fixture(scope="session")
def lb_point(request):
    return request.param


@pytest.fixture
def wrk(request, lb_point):
    def run():
        markers = [(mark.args, mark.kwargs) for mark in request.node.iter_markers("kubelb")]
        tolerance = override(request.config.stash[stash.SETTINGS], markers).tolerance
        point = lb_point.axes()
        runs = RPS[lb_point.backend]
        if lb_point.pods == 9:  # there, every point's last run fails
            runs = (*runs, None)
        samples = tuple(sample(point, run, rps) for run, rps in enumerate(runs))
        if progress := request.config.stash.get(stash.PROGRESS, None):
            with progress.measuring():
                for made in samples:
                    progress.run_finished(made)
        request.node.stash[stash.SERIES] = Series(point, samples, tolerance)

    return run
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Make `benches/test_rps.py`, and give a function that runs pytest there with the plugin.

    Whether the plugin is installed here does not matter, nor what else is: it is named, not discovered.
    """
    for name in [name for name in os.environ if name.startswith(("KUBELB_", "PYTEST_XDIST_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    package = Path(pytest_kubelb.__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{package.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    pytester.mkdir("benches").joinpath("test_rps.py").write_text(BENCH)

    def start(*args: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(
            "-Werror", "--strict-markers", "-p", "pytest_kubelb.plugin", "-p", "no:cacheprovider", *args
        )

    return start


@pytest.fixture
def run_faked(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> Callable[..., pytest.RunResult]:
    """As `run`, with a wrk whose ipvs repeats and whose proxy does not."""
    pytester.makeconftest(FAKE_WRK)
    return run


@pytest.fixture
def measure(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Give a function that sweeps through four points; `stop` is a signal, `break` or `full`, met at run `at`."""
    pytester.makeconftest(FAKE_TESTBED)

    def start(*words: str, stop: str = "", at: int = 0, **environment: str) -> pytest.RunResult:
        with monkeypatch.context() as patch:
            for name, value in {"STOP": stop, "AT": str(at), **environment}.items():
                patch.setenv(name, value)
            return run("-p", "pytest_benchmark.plugin", *SWEEP, *words)

    return start
