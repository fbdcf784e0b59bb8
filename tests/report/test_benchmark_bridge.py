"""The bridge, in real pytest sessions with pytest-benchmark."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import harmonic_mean

import pytest

REPOSITORY = Path(__file__).parents[2]
RPS = (39000.0, 41000.0, 40000.0)
OPS = harmonic_mean(RPS)

BENCH = """
import pytest
from pytest_kubelb.report.benchmark_bridge import export
from tests.report.points import judged_point

RUNS = {"good": (39000, 41000, 40000), "bad": (20000, 41000), "none": (), "zero": (0.0, 0.0)}

@pytest.mark.parametrize("name", RUNS)
def test_rps(name, benchmark):
    point = judged_point(*RUNS[name], invalid=2)
    export(benchmark, point.series, failed=name != "good")
"""


def session(folder: Path, *arguments: str) -> str:
    """Run pytest in `folder` and give what it printed."""
    (folder / "test_bench.py").write_text(BENCH)
    command = [sys.executable, "-m", "pytest", "-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider"]
    environment = {
        **os.environ,
        # Neither this project's plugin nor others that happen to be installed belong to what is tested here.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(REPOSITORY),
        "COLUMNS": "200",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        [*command, "--rootdir", folder, "-W", "error", *arguments, "test_bench.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_ops_column_is_requests_per_second(tmp_path: Path) -> None:
    output = session(tmp_path, "-k", "good", "--benchmark-columns=ops,rounds")
    row = re.search(r"^test_rps\[good\]\s+([0-9.,]+)\s+([0-9]+)", output, re.MULTILINE)
    assert row is not None, output
    assert "OPS (Kops/s)" in output
    assert float(row[1]) * 1000 == pytest.approx(OPS, rel=1e-5)
    assert int(row[2]) == 3


def test_the_json_has_the_runs_the_point_and_the_unit_and_only_points_that_passed(tmp_path: Path) -> None:
    session(tmp_path, "--benchmark-json=benchmark.json")
    (benchmark,) = json.loads((tmp_path / "benchmark.json").read_text())["benchmarks"]
    assert benchmark["name"] == "test_rps[good]"
    assert benchmark["stats"]["ops"] == pytest.approx(OPS)
    assert [1 / period_s for period_s in benchmark["stats"]["data"]] == pytest.approx(list(RPS))
    assert benchmark["options"]["timer"] == "kubelb_run_clock"
    assert benchmark["extra_info"] == {
        "point": {"backend": "ipvs", "pods": 4, "overlay": "host-gw"},
        "unit": "requests/s",
        "tolerance": 0.05,
        "rps": list(RPS),
    }


def test_a_saved_session_is_what_the_next_one_is_compared_with(tmp_path: Path) -> None:
    session(tmp_path, "-k", "good", "--benchmark-autosave")
    assert len(list(tmp_path.glob(".benchmarks/*/0001_*.json"))) == 1
    output = session(tmp_path, "-k", "good", "--benchmark-compare", "--benchmark-compare-fail=mean:1%")
    assert re.search(r"^test_rps\[good\] \(NOW\)", output, re.MULTILINE)
    assert re.search(r"^test_rps\[good\] \(0001_\w+\)", output, re.MULTILINE)


def test_a_point_without_a_run_is_not_in_the_table_and_warns_of_nothing(tmp_path: Path) -> None:
    output = session(tmp_path, "-k", "none or zero")
    assert "2 passed" in output
    assert "OPS" not in output
    assert "warning" not in output


def test_with_benchmark_disable_nothing_is_shown_or_saved(tmp_path: Path) -> None:
    output = session(tmp_path, "--benchmark-disable", "--benchmark-json=benchmark.json")
    assert "4 passed" in output
    assert "OPS" not in output
    assert not (tmp_path / "benchmark.json").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--benchmark-warmup=on", "--benchmark-warmup-iterations=50"),
        ("--benchmark-min-rounds=50", "--benchmark-max-time=9", "--benchmark-min-time=1"),
        ("--benchmark-disable-gc", "--benchmark-calibration-precision=100"),
        ("--benchmark-cprofile=tottime",),
    ],
)
def test_settings_of_rounds_warm_up_and_profiles_do_not_change_the_runs(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    session(tmp_path, "-k", "good", "--benchmark-json=benchmark.json", *options)
    (benchmark,) = json.loads((tmp_path / "benchmark.json").read_text())["benchmarks"]
    assert [1 / period_s for period_s in benchmark["stats"]["data"]] == pytest.approx(list(RPS))


def test_importing_the_bridge_does_not_import_pytest_benchmark() -> None:
    script = "import sys, pytest_kubelb.report.benchmark_bridge; assert 'pytest_benchmark' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True)
