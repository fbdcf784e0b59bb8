"""The tidy frame as files: CSV that any tool reads, and Parquet with the types."""

from __future__ import annotations

import csv
import stat
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record import load
from pytest_kubelb.report import tables_export

from .sessions import HOSTILE, hostile_lines, session_lines, source_of

if TYPE_CHECKING:
    from pathlib import Path


def test_csv_has_a_row_for_each_run_under_the_names_of_the_frame(tmp_path: Path) -> None:
    record = source_of(tmp_path, session_lines()).path
    tables_export.write_csv([record], tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    frame = load(record)
    assert list(rows[0]) == list(frame.columns)
    assert len(rows) == len(frame)
    assert (rows[1]["backend"], rows[1]["pods"], rows[1]["started"]) == (
        "ipvs",
        "1",
        "2026-11-23T07:22:13.000Z",
    )
    assert float(rows[1]["rps"]) == 40000.0
    failed = next(row for row in rows if row["validity"] == "failed")
    assert (failed["rps"], failed["reason"]) == ("", "the benchmarker lost its route")


def test_parquet_gives_the_frame_back(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    records = [source_of(tmp_path / str(day), session_lines(day)).path for day in (1, 2)]
    tables_export.write_parquet(records, tmp_path / "runs.parquet")
    written, frame = pd.read_parquet(tmp_path / "runs.parquet"), load(*records)
    assert list(written.columns) == list(frame.columns)
    for name in ("session", "backend", "overlay", "validity"):
        assert written[name].astype(str).tolist() == frame[name].astype(str).tolist()
    for name in ("pods", "run", "started", "rps", "requests", "errors_timeout", "tolerance"):
        assert written[name].dtype == frame[name].dtype
        pd.testing.assert_series_equal(written[name], frame[name])


def test_hostile_names_and_axes_of_mixed_types_are_text_in_both(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    name = HOSTILE.replace("\ud800", "")
    record = source_of(tmp_path, hostile_lines(name)).path
    tables_export.write_csv([record], tmp_path / "runs.csv")
    tables_export.write_parquet([record], tmp_path / "runs.parquet")
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["backend"], rows[0]["pods"], rows[-1]["pods"]) == (name, "4", "4")
    assert pd.read_parquet(tmp_path / "runs.parquet")["backend"][0] == name


def test_without_pyarrow_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_export, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'pytest-kubelb\[parquet\]', or write CSV"):
        tables_export.write_parquet([tmp_path], tmp_path / "runs.parquet")


def test_tables_are_for_their_owner_alone_and_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    record = source_of(tmp_path, session_lines()).path
    tables_export.write_csv([record], tmp_path / "new" / "runs.csv")
    assert stat.S_IMODE((tmp_path / "new" / "runs.csv").stat().st_mode) == 0o600
    before = set(tmp_path.iterdir())
    record.write_text(record.read_text().replace('"kind": "sample"', '"kind": "rumour"', 1))
    with pytest.raises(KubelbError, match="'kind' is 'rumour'"):
        tables_export.write_csv([record], tmp_path / "runs.csv")
    assert set(tmp_path.iterdir()) == before
