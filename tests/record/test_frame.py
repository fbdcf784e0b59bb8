"""Records as a pandas frame."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.record import load, sources
from pytest_kubelb.report import json_report
from pytest_kubelb.report.formats import Reports

from .sessions import axes, session_id, write_session

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "rps_against_pods.ipynb"
DTYPES = {
    "session": "category",
    "provisioning": "int64",
    "backend": "category",
    "pods": "Int64",
    "overlay": "category",
    "tuning": "category",
    "run": "int64",
    "started": "datetime64[ms, UTC]",
    "validity": "category",
    "reason": "string",
    "rps": "float64",
    "requests": "Int64",
    "bytes": "Int64",
    "duration_s": "float64",
    "wall_s": "float64",
    "latency_mean_us": "float64",
    "latency_stdev_us": "float64",
    "latency_max_us": "float64",
    "latency_p50_us": "float64",
    "latency_p75_us": "float64",
    "latency_p90_us": "float64",
    "latency_p95_us": "float64",
    "latency_p99_us": "float64",
    "latency_p99_9_us": "float64",
    "latency_p99_99_us": "float64",
    "errors_connect": "Int64",
    "errors_read": "Int64",
    "errors_write": "Int64",
    "errors_status": "Int64",
    "errors_timeout": "Int64",
    "tolerance": "float64",
    "ceiling": "category",
    "findings": "string",
    "wire_bytes_per_request": "float64",
}


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def test_a_frame_has_one_row_per_run_and_the_documented_columns(tmp_path: Path) -> None:
    write_session(tmp_path, 1, {("ipvs", 4): [40000.0, 41000.0]})
    frame = load(tmp_path)
    assert dtypes(frame) == DTYPES
    assert list(frame.validity) == ["warmup", "valid", "valid", "failed"]
    assert list(frame.rps[:3]) == [1.0, 40000.0, 41000.0]
    assert list(frame.run) == [0, 0, 1, 2]
    assert list(frame.tolerance) == [0.05] * 4
    assert frame.ceiling.isna().all()
    row = frame.iloc[1]
    assert (row.session, row.backend, row.pods, row.overlay, row.provisioning) == (
        session_id(1),
        "ipvs",
        4,
        "vxlan",
        1,
    )
    assert (row.requests, row.bytes, row.latency_p50_us, row.latency_p99_99_us) == (
        40000,
        6400000,
        78.0,
        1500.0,
    )
    assert pd.isna(row.latency_p75_us)
    assert row.started == pd.Timestamp("2026-11-23T07:22:13Z")


def test_a_failed_run_has_its_reason_and_no_figures(tmp_path: Path) -> None:
    write_session(tmp_path, 1)
    failed = load(tmp_path).iloc[-1]
    assert failed.reason == "the benchmarker lost its route"
    assert failed[["rps", "requests", "bytes", "latency_max_us", "errors_timeout"]].isna().all()
    assert failed.wall_s == 1.02


def test_every_documented_column_stands_in_the_docstring() -> None:
    from pytest_kubelb.record import frame

    text = frame.load.__doc__ or ""
    told = {"latency_stdev_us": "_stdev_us", "latency_max_us": "_max_us", "errors_timeout": "errors_timeout"}
    for name in DTYPES:
        if not name.startswith(("latency_p", "errors_")) or name in told:
            assert told.get(name, name) in text


@pytest.mark.parametrize("kind", ["root", "folder", "record", "report", "twice"])
def test_roots_folders_records_and_reports_give_the_same_runs(tmp_path: Path, kind: str) -> None:
    folder = write_session(tmp_path, 1, {("ipvs", 1): [1.0, 2.0], ("proxy", 40): [3.0]})
    report = tmp_path / "report.json"
    json_report.write(json_report.build(folder / "record.jsonl"), report)
    paths: dict[str, list[Path | str]] = {
        "root": [tmp_path],
        "folder": [str(folder)],
        "record": [folder / "record.jsonl"],
        "report": [report],
        "twice": [report, tmp_path, folder],
    }
    pd.testing.assert_frame_equal(load(*paths[kind]), load(folder))


def test_a_frame_without_a_path_is_of_the_nearest_folder_with_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_session(tmp_path, 1)
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    assert len(load()) == 4


def test_axes_that_only_some_sessions_have_are_missing_in_the_others(tmp_path: Path) -> None:
    write_session(tmp_path, 1)
    record = write_session(tmp_path, 2) / "record.jsonl"
    record.write_text(record.read_text().replace('"overlay":"vxlan"', '"rack":"west","queues":4'))
    frame = load(tmp_path)
    assert frame.rack.isna().sum() == frame.queues.isna().sum() == frame.overlay.isna().sum() == 4
    assert dtypes(frame) == {**DTYPES, "queues": "Int64", "rack": "category"}
    assert list(frame.columns[2:8]) == ["backend", "pods", "overlay", "tuning", "queues", "rack"]


def test_sessions_without_a_run_give_an_empty_frame_with_the_same_columns(tmp_path: Path) -> None:
    write_session(tmp_path, 1, {})
    frame = load(tmp_path)
    assert frame.empty
    assert dtypes(frame) == DTYPES


def test_a_time_that_is_none_is_missing(tmp_path: Path) -> None:
    record = write_session(tmp_path, 1) / "record.jsonl"
    record.write_text(record.read_text().replace('"started":"2026-11-23T07:22:13Z"', '"started":"noon"'))
    assert load(tmp_path).started.isna().all()


def test_a_path_without_records_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="has no records"):
        load(tmp_path)


def test_the_record_package_imports_pandas_only_when_a_frame_is_made() -> None:
    script = (
        "import sys, pytest_kubelb.record, pytest_kubelb.record.baseline, pytest_kubelb.commands.history\n"
        "assert not {'pandas', 'numpy', 'scipy', 'pytest', 'fabric', 'kubernetes'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_notebook_draws_rps_against_pods_for_each_backend_in_ten_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2):
        write_session(
            tmp_path,
            day,
            {(name, pods): [pods * 1e3 + day] for name in ("ipvs", "proxy") for pods in (1, 2, 4)},
        )
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    code = "".join("".join(cell["source"]) + "\n" for cell in cells)
    assert len([line for line in code.splitlines() if line]) <= 10
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    names: dict[str, Any] = {}
    exec(compile(code, NOTEBOOK, "exec"), names)  # noqa: S102 - our own notebook
    drawn: Axes = names["axes"]
    lines = {str(line.get_label()): line for line in drawn.get_lines()}
    assert set(lines) == {"ipvs", "proxy"}
    assert np.asarray(lines["ipvs"].get_xdata()).tolist() == [1, 2, 4]
    assert np.asarray(lines["ipvs"].get_ydata()).tolist() == [1001.5, 2001.5, 4001.5]
    pyplot.close("all")


def test_a_frame_of_a_copied_root_needs_nothing_of_the_first_machine(tmp_path: Path) -> None:
    write_session(tmp_path / "here", 1)
    before = load(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    pd.testing.assert_frame_equal(before, load(tmp_path / "there"))
    assert axes("ipvs", 4).items() <= before.iloc[0].to_dict().items()


def test_the_half_of_a_character_in_a_record_is_given_as_its_escape(tmp_path: Path) -> None:
    write_session(tmp_path, 1)
    (record,) = tmp_path.glob(".kubelb/*/record.jsonl")
    record.write_text(
        record.read_text().replace('"ipvs"', '"ip\\ud800vs"').replace('"overlay"', '"o\\udc00"')
    )
    frame = load(tmp_path)
    assert frame["backend"].unique().tolist() == ["ip\\ud800vs"]
    assert "o\\udc00" in frame.columns


def test_an_axis_that_is_more_than_64_bits_is_a_category_and_can_be_exported(tmp_path: Path) -> None:
    write_session(tmp_path, 1, {("ipvs", 2**64): [40000.0]})
    write_session(tmp_path, 2, {("ipvs", 4): [40000.0]})
    frame = load(tmp_path)
    assert frame["pods"].dtype == "category"
    assert {str(value) for value in frame["pods"]} == {str(2**64), "4"}
    out = tmp_path / "runs.parquet"
    Reports(list(sources.find(tmp_path))).write("parquet", out)
    assert out.stat().st_size > 0
