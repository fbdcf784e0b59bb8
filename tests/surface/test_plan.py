"""--kubelb-plan tells what would be measured, and nothing else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

PODS = "--kubelb-pods=1,8"


def test_every_point_is_printed_in_its_order_and_nothing_is_started(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_other="def test_other():\n    assert False\n")
    result = run(".", PODS, "--kubelb-runs=3", "--kubelb-duration=1m", "--kubelb-plan")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "   point *runs *time  changes",
            "1  ipvs-pods01   1+3 x 60 s * s  everything, from nothing",
            "2  proxy-pods01  1+3 x 60 s * s  backend ipvs -> proxy",
            "3  proxy-pods08  1+3 x 60 s * s  pods 1 -> 8",
            "4  ipvs-pods08   1+3 x 60 s * s  backend proxy -> ipvs",
            "kubelb plan: 4 points, 16 runs with warm-up, about 16 min * s (16 min 0 s of it inside wrk).",
            "kubelb changes on the way: backend twice, pods once.",
            "*no tests ran*",
        ],
        consecutive=False,
    )
    assert not pytester.path.joinpath(".kubelb").exists()


@pytest.mark.parametrize("args", [("-q",), ("-qq",), ("-v", "--no-header"), ("--collect-only", "-q")])
def test_the_plan_is_printed_at_every_verbosity(run: Run, args: tuple[str, ...]) -> None:
    result = run("benches", PODS, "--kubelb-plan", *args)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["4  ipvs-pods08 *", "kubelb plan: 4 points, *"])


def test_without_a_terminal_plugin_nothing_runs_either(run: Run, pytester: pytest.Pytester) -> None:
    assert run("benches", PODS, "--kubelb-plan", "-p", "no:terminal").ret == pytest.ExitCode.OK
    assert not pytester.path.joinpath(".kubelb").exists()


def test_a_plan_without_a_point_says_so_and_runs_no_test(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_other="def test_other():\n    assert False\n")
    result = run("test_other.py", "--kubelb-plan")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["kubelb plan: no point is selected."])


def test_a_plan_of_what_wrk_would_refuse_is_refused(run: Run) -> None:
    result = run("benches", PODS, "--kubelb-plan", "--kubelb-pods=x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "kubelb plan" not in result.stdout.str()
