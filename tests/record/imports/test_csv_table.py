"""The reader of CSV tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.record.imports.csv_table import read_rows
from pytest_kubelb.record.imports.dirt import Dirt

from .synthetic import EPOCH_S

if TYPE_CHECKING:
    from pytest_kubelb.record.imports.run import ImportedRun


def read(text: str, duration_s: float | None = None) -> tuple[list[ImportedRun], dict[str, str]]:
    dirt = Dirt("a.csv")
    runs = list(read_rows(enumerate(text.split("\n"), 1), dirt, duration_s=duration_s))
    return runs, {warned.kind: str(warned) for warned in dirt.warned()}


def rates(runs: list[ImportedRun]) -> list[tuple[int | None, float | None]]:
    return [(run.pods, None if run.result is None else run.result.rps) for run in runs]


def test_pods_and_requests_per_second_are_read_as_the_original_writes_them() -> None:
    runs, dirt = read('"# of pods","Req/sec"\n1,1000.50\n2,2000.25\n')
    assert rates(runs) == [(1, 1000.5), (2, 2000.25)]
    assert dirt == {}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_delimiters_and_a_missing_header_are_understood(delimiter: str) -> None:
    runs, dirt = read(f"1{delimiter}1000.5\n2{delimiter}2k\n")
    assert rates(runs) == [(1, 1000.5), (2, 2000.0)]
    assert dirt["no header"].startswith("a.csv:1: ")


def test_columns_of_cpus_and_sizes_become_axes_and_epochs_the_start() -> None:
    text = f'"Epoch","# of cpu on LB","Payload size","# of pods","Req/sec","Note"\n{EPOCH_S},8,100,4,1000,x\n'
    runs, dirt = read(text)
    assert rates(runs) == [(4, 1000.0)]
    assert runs[0].started_s == EPOCH_S
    assert runs[0].labels == (("cpu_on_lb", "8"), ("payload_size", "100"))
    assert dirt["other columns"].startswith("a.csv:1: ")
    assert "'Note'" in dirt["columns left out"]


def test_a_table_without_a_column_of_pods_gives_runs_without_pods() -> None:
    runs, dirt = read(f'"Epoch","Req/sec"\n{EPOCH_S},1000\nsoon,1100\n')
    assert rates(runs) == [(None, 1000.0), (None, 1100.0)]
    assert dirt["no pod column"].startswith("a.csv:1: ")
    assert dirt["odd time"].startswith("a.csv:3: ")


def test_nan_is_a_failed_run_that_says_so() -> None:
    runs, _ = read("# of pods,Req/sec\n1,-nan\n2,2000\n")
    assert rates(runs) == [(1, None), (2, 2000.0)]
    assert runs[0].problem == "the table says '-nan' requests/s"


def test_rows_that_are_torn_or_odd_are_passed_over_with_their_line() -> None:
    runs, dirt = read('# of pods,Req/sec\n1\nmany,5\n2,"20\n3,3000\n')
    assert rates(runs)[-1] == (3, 3000.0)
    assert dirt["short row"].startswith("a.csv:2: ")
    assert dirt["no pod count"].startswith("a.csv:3: ")


def test_a_table_without_a_rate_is_not_read() -> None:
    runs, dirt = read("host,kernel\nk11,3.16\n")
    assert runs == []
    assert dirt["no rate"].startswith("a.csv:1: ")


def test_the_duration_that_is_given_makes_requests_of_the_rate() -> None:
    result = read("1,1000\n", duration_s=60)[0][0].result
    assert result is not None
    assert (result.requests, result.duration_s) == (60_000, 60)


@given(st.text(alphabet=st.sampled_from('"# of pods,Req/sec;\t\n0123456789.-nakM\r\ufeff'), max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    runs, _ = read(text)
    assert all(run.pods is None or run.pods >= 1 for run in runs)
