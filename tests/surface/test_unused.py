"""The plugin in an environment whose tests do not use it: silent, cheap and harmless."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Run = Callable[..., pytest.RunResult]

HEAVY = (
    "kubernetes",
    "fabric",
    "paramiko",
    "invoke",
    "pandas",
    "numpy",
    "scipy",
    "aiohttp",
    "hypothesis",
    "pyroute2",
)


def test_importing_the_plugin_loads_nothing_heavy(run: Run) -> None:
    assert run("--version").ret == 0
    code = (
        "import sys, pytest, pytest_kubelb.plugin\n"
        "[__import__(name) for name in pytest_kubelb.plugin.pytest_plugins]\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), sorted(m for m in sys.modules if 'kubelb' in m))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("[] ")
    for module in ("lab", "testbed", "cluster", "load", "record", "verdict", "report"):
        assert f"pytest_kubelb.{module}" not in done.stdout


def test_a_suite_without_benches_sees_nothing_of_the_plugin(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(): pass\n")
    pytester.makeini("[pytest]\nkubelb_pods = 0\n")
    result = run("test_a_suite_without_benches_sees_nothing_of_the_plugin.py")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert "kubelb" not in result.stdout.str() + result.stderr.str()


def test_a_suite_without_benches_runs_without_a_terminal(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x="def test_a(): pass\n")
    assert run("-p", "no:terminal", "test_x.py").ret == 0


def test_a_suite_without_benches_runs_on_xdist_workers(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_x="import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_a(n): pass\n"
    )
    run("-p", "xdist.plugin", "-n2", "test_x.py").assert_outcomes(passed=4)


def test_a_suite_with_a_broken_module_still_fails_as_usual_on_xdist_workers(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_x="raise RuntimeError('broken')\n")
    result = run("-p", "xdist.plugin", "-n2", "test_x.py")
    assert "RuntimeError: broken" in result.stdout.str()
    assert result.ret != 4


def test_help_shows_every_option_and_the_marker_has_its_signature(run: Run) -> None:
    from pytest_kubelb.options import OPTIONS

    text = run("--help").stdout.str()
    for option in OPTIONS:
        assert option.flag in text
        assert option.ini in text
    run("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.kubelb(?, backend, pods, overlay, tuning, runs, duration, tolerance, max_drop):*"]
    )
