"""Misuse ends with exit code 4 and one sentence that names its origin, before any test has started."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

EXIT_USAGE = pytest.ExitCode.USAGE_ERROR


def assert_refused(result: pytest.RunResult, sentence: str) -> None:
    assert result.ret == EXIT_USAGE
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert not re.search(r"\d (passed|failed|errors?)\b", result.stdout.str())


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ("--kubelb-backend", "f5"),
            "--kubelb-backend: backend 'f5' is not in the inventory*choose from ipvs, proxy*",
        ),
        (("--kubelb-pods", "0,x,50-40"), "--kubelb-pods: '0' is out of range: pods and steps are 1 to 9999."),
        (("--kubelb-pods", "x"), "--kubelb-pods: 'x' is not a pod count: write 4, 1,2,8 or 4-40/2*"),
        (
            ("--kubelb-pods", "50-40"),
            "--kubelb-pods: '50-40' runs backwards: write the smaller number first.",
        ),
        (
            ("--kubelb-tolerance", "5x"),
            "--kubelb-tolerance: '5x' is not a tolerance: write a percentage (5%)*",
        ),
        (("--kubelb-runs=-3",), "--kubelb-runs: '-3' is not allowed: write a whole number from 1 to 1000."),
        (("--kubelb-duration", "10"), "--kubelb-duration: '10' is not a duration:*with the unit: 10s, 1m."),
        (
            ("--kubelb-inventory", "none.toml"),
            "--kubelb-inventory: '*none.toml' is not a file that can be read:*",
        ),
        (
            ("--kubelb-inventory", "benches"),
            "--kubelb-inventory: '*benches' is not a file that can be read:*",
        ),
        (
            ("--kubelb-order", "snake"),
            "--kubelb-order: 'snake' is unknown: choose from paired, block, random.",
        ),
        (("--kubelb-precision", "0"), "--kubelb-precision: '0' is out of range*"),
        (
            ("--kubelb-max-drop", "100%"),
            "--kubelb-max-drop: '100%' is out of range: a drop is above 0% and below 100%.",
        ),
        (("--kubelb-max-drop", "5"), "--kubelb-max-drop: '5' is not a tolerance: write a percentage (5%)*"),
        (
            ("--kubelb-runs=9", "--kubelb-max-runs=8"),
            "--kubelb-max-runs: at most 8 runs, and --kubelb-runs asks for 9*raise the one or lower the other.",
        ),
        (
            ("--kubelb-warmup", "some"),
            "--kubelb-warmup: 'some' is not allowed: write a whole number*, or auto.",
        ),
        (
            ("--kubelb-on-inconclusive", "maybe"),
            "--kubelb-on-inconclusive: 'maybe' is unknown: choose from pass, fail.",
        ),
        (("--kubelb-baseline", " "), "--kubelb-baseline: ' ' is empty: say which sessions*"),
        (("--kubelb-baseline", "no-such-tag"), "--kubelb-baseline: *no-such-tag*"),
    ],
)
def test_a_bad_option_on_the_command_line_is_a_usage_error(
    run: Run, args: tuple[str, ...], sentence: str
) -> None:
    assert_refused(run("benches", *args), sentence)


def test_a_bad_environment_variable_is_a_usage_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBELB_PODS", "0")
    assert_refused(run("benches"), "KUBELB_PODS: '0' is out of range*")


def test_a_bad_ini_key_is_a_usage_error_that_names_the_file(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nkubelb_tolerance = 5x\n")
    assert_refused(run("benches"), "tox.ini: kubelb_tolerance: '5x' is not a tolerance*")


def test_a_bad_override_of_an_ini_key_names_the_override(run: Run) -> None:
    assert_refused(run("benches", "-o", "kubelb_runs=0"), "-o kubelb_runs: '0' is not allowed*")


def test_an_unknown_key_in_the_inventory_beside_the_benches_is_a_usage_error(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.path.joinpath("benches", "kubelb.toml").write_text("[testbed]\n[rols]\n")
    assert_refused(
        run("benches"), "*benches/kubelb.toml: rols is an unknown key (did you mean roles?): allowed is *"
    )


def test_an_inventory_that_is_not_toml_is_a_usage_error(run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("kubelb.toml").write_bytes(b"\xff\xfe")
    assert_refused(run("benches"), "*kubelb.toml: is not valid TOML in UTF-8*")


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        (
            "pod=4",
            "@pytest.mark.kubelb has no keyword 'pod' (did you mean pods?): its signature is kubelb(*",
        ),
        (
            "4",
            "@pytest.mark.kubelb takes no positional argument but got 4: its signature is kubelb(*",
        ),
        ("duration=10", "marker kubelb(duration=): '10' is not a duration*"),
    ],
)
def test_a_bad_marker_is_a_usage_error(
    run: Run, pytester: pytest.Pytester, marker: str, sentence: str
) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.kubelb({marker})\ndef test_a(lb_point): pass\ndef test_b(): pass\n"
    )
    assert_refused(run(), sentence)


def test_a_bad_marker_on_a_bench_that_is_named_by_its_id_is_still_told(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.kubelb(pod=4)\ndef test_a(lb_point): pass\n")
    assert_refused(run("test_it.py::test_a[ipvs-pods04]"), "@pytest.mark.kubelb has no keyword 'pod'*")


def test_benches_on_xdist_workers_are_a_usage_error_with_the_remedy(run: Run) -> None:
    assert_refused(
        run("-p", "xdist.plugin", "-n2", "benches"), "pytest-kubelb: two benchmarks at once*or with -n 0."
    )


def test_benches_among_other_tests_on_xdist_workers_stop_all_of_them(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile("import pathlib\ndef test_other(): pathlib.Path('ran').touch()\n")
    assert_refused(run("-p", "xdist.plugin", "-n2", "."), "pytest-kubelb: two benchmarks at once*")
    assert not pytester.path.joinpath("ran").exists()


def test_an_order_hook_that_loses_points_is_a_usage_error(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_kubelb_order_points(points): return points[1:]\n")
    assert_refused(
        run("benches", "--kubelb-pods", "1"),
        "pytest_kubelb_order_points gave 1 of the 2 selected points*each*once.",
    )
