"""`kubelb import` from the command line, and what it says of the published measurements."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from pytest_kubelb.record.imports.making import import_paths
from pytest_kubelb.record.imports.sessions import Choices
from pytest_kubelb.record.imports.summary import breaks_of, full_rates
from tests.record.imports.synthetic import EPOCH_S, block, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.record.imports.making import Imported
    from pytest_kubelb.record.imports.samples import Measured

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "kuruwa-6th_try"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["import", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_table_the_breaks_and_the_ratio_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ipvs = {f"lvs_{i}": block(4, 1000.0 + i, EPOCH_S + 1000 * i) for i in range(4)}
    proxy = {f"proxy_{i}": block(4, 500.0 + i, EPOCH_S + 1000 * i + 100) for i in range(4)}
    proxy["proxy_1"] = block(4, 250.0, EPOCH_S + 1100)
    proxy["proxy_2"] = block(4, 502.0, EPOCH_S + 1200, wall_s=290)
    code, out, err = run(capsys, str(written(tmp_path / "try", **ipvs, **proxy)), "--into", str(tmp_path))
    assert code == 0
    assert "8 files, 8 runs: 7 valid, 1 stalled" in out
    assert "     4     4      4   1,002  1,002  0.13%  repeatable" in out
    assert (
        "1 collapsed (below 0.8 of the median of their point); after 1 of all runs the next one stalled"
        in out
    )
    assert "4 pods run 1: 250 requests/s, 0.50 of the median; run 2 at 4 pods then waited 230 s" in out
    assert "median ipvs/proxy by pods  4: 1.999" in out
    assert f"warning: {tmp_path}/try/proxy_2.log:1: the run is stalled" in err
    (record,) = (tmp_path / ".kubelb").glob("*/record.jsonl")
    assert json.loads(record.read_text().splitlines()[0])["facts"]["imported"]["from"] == str(
        tmp_path / "try"
    )


def test_the_backend_can_be_given_for_all_files_or_by_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(written(tmp_path / "in", web_0=block(4, 1000.0)))
    assert "xlb (unknown)" in run(capsys, folder, "--dry-run", "--backend", "xlb")[1]
    assert (
        "xlb (vxlan)"
        in run(capsys, folder, "--dry-run", "--backend-from", "web=xlb", "--overlay", "vxlan")[1]
    )
    code, _, err = run(capsys, folder, "--dry-run")
    assert code == 1
    assert "--backend-from WORD=NAME" in err


def test_an_import_with_an_unrepeatable_point_is_listed_as_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, rates in (("steady", [1000.0, 1001.0, 1002.0]), ("uneven", [1000.0, 2000.0, 3000.0])):
        logs = {f"lvs_{i}": block(4, rps, EPOCH_S + 100 * i) for i, rps in enumerate(rates)}
        into = tmp_path / f"into-{name}"
        assert run(capsys, str(written(tmp_path / name, **logs)), "--into", str(into))[0] == 0
        assert main(["history", "list", "--root", str(into)]) == 0
        state = "passed" if name == "steady" else "failed"
        assert f"  {state}  imported" in capsys.readouterr().out


def test_the_lines_on_breaks_are_wrapped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proxy = {f"proxy_{i}": block(4, 500.0 + i, EPOCH_S + 100 * i) for i in range(4)}
    proxy["proxy_1"] = block(4, 250.0, EPOCH_S + 100)
    proxy["proxy_2"] = block(4, 502.0, EPOCH_S + 200, wall_s=290)
    out = run(capsys, str(written(tmp_path / "try", **proxy)), "--dry-run")[1]
    (at,) = [index for index, line in enumerate(out.splitlines()) if "pods run 1" in line]
    breaks = out.splitlines()[at : at + 2]
    assert breaks[1].startswith(" " * 6)
    assert not breaks[1].startswith(" " * 7)
    assert all(len(line) <= 110 for line in breaks)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--backend", "../x"], "--backend '../x' is not allowed"),
        (["--backend-from", "x"], "--backend-from 'x' is not WORD=BACKEND"),
        (["--pods", "0"], "--pods: '0' is not allowed"),
        (["--duration", "10"], "--duration: '10' is not a duration"),
        (["--tolerance", "5x"], "--tolerance: '5x' is not a tolerance"),
        (["--into", ""], "--into '' is not a path"),
    ],
)
def test_a_mistake_in_an_option_is_one_sentence_and_exit_code_4(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, str(tmp_path), *options)
    assert (code, out) == (4, "")
    assert err.startswith(f"kubelb: {said}")
    assert err.count("\n") == 1


def test_a_folder_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, str(tmp_path / "absent"))
    assert code == 1
    assert err == (
        f"kubelb: {tmp_path}/absent cannot be imported: No such file or directory; "
        "name a log, a CSV table, or a folder of them.\n"
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """The seed's 6th try, imported."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published measurements (../shared/data) are not on this machine")
    (session,), _ = import_paths([PUBLISHED], {}, Choices(into=tmp_path_factory.mktemp("published")))
    return session


def of(runs: Sequence[Measured], backend: str) -> list[Measured]:
    return [run for run in runs if run.cell.backend == backend]


def test_the_published_try_has_ten_runs_of_21_pod_counts_for_each_backend(published: Imported) -> None:
    for backend in ("ipvs", "proxy"):
        runs = of(published.runs, backend)
        assert len(runs) == 210
        assert {(run.cell.pods, run.run) for run in runs} == {
            (pods, index) for pods in (1, *range(2, 41, 2)) for index in range(10)
        }
    assert {run.cell.provisioning for run in published.runs} == {1}


def test_the_published_peaks_are_found(published: Imported) -> None:
    for backend, rps, pods in (("ipvs", 163_908, 20), ("proxy", 165_176, 26)):
        means = {
            cell.pods: outcome.mean or 0.0
            for cell, outcome in published.judged.items()
            if cell.backend == backend
        }
        assert max(means, key=means.__getitem__) == pods
        assert round(means[pods]) == rps


def test_the_published_ipvs_runs_are_all_valid_and_at_a_ceiling_from_18_pods(published: Imported) -> None:
    assert {run.validity for run in of(published.runs, "ipvs")} == {"valid"}
    spreads = {
        cell.pods: outcome.cv or 0.0 for cell, outcome in published.judged.items() if cell.backend == "ipvs"
    }
    assert max(cv for pods, cv in spreads.items() if pods >= 18) <= 0.00035  # 0.03 %, as it is printed
    assert {outcome.verdict for cell, outcome in published.judged.items() if cell.backend == "ipvs"} == {
        "repeatable"
    }
    assert breaks_of(of(published.runs, "ipvs")) == []


def test_28_published_proxy_runs_are_followed_by_a_stall_of_299_to_317_seconds(published: Imported) -> None:
    found = breaks_of(of(published.runs, "proxy"))
    outages = [one.outage_s for _, one, _ in found if one.outage_s is not None]
    assert len(outages) == 28
    assert (round(min(outages)), round(max(outages))) == (299, 317)
    assert all(
        following.cell == run.cell and following.run == run.run + 1 and following.validity == "stalled"
        for run, _, following in found
        if following is not None
    )


def test_22_published_proxy_runs_lie_more_than_20_percent_below_their_median(published: Imported) -> None:
    """The other breaks came late in their run; the 22nd was the last of its backend, so none waited after it."""
    found = breaks_of(of(published.runs, "proxy"))
    assert sum(one.collapsed for _, one, _ in found) == 22
    assert [(run.cell.pods, run.run) for run, one, _ in found if one.stalled is None] == [(24, 9)]


def test_the_published_ratio_of_the_backends_is_found(published: Imported) -> None:
    medians = {
        (cell.backend, cell.pods): statistics.median(rates)
        for cell, rates in full_rates(published.runs).items()
    }
    ratios = {pods: medians["ipvs", pods] / medians["proxy", pods] for pods in (1, *range(2, 41, 2))}
    assert {round(ratios[pods], 2) for pods in (1, 2)} == {1.01}
    middle = [ratios[pods] for pods in range(4, 17, 2)]
    assert (round(min(middle), 2), round(max(middle), 2)) == (1.15, 1.32)
    assert {round(ratios[pods], 3) for pods in range(22, 41, 2)} == {0.992}
