"""`kubelb report` from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from pytest_kubelb.record import load
from pytest_kubelb.report.formats import SUMMARY_VARIABLE
from tests.gate.recorded import write
from tests.record.sessions import session_id, write_session
from tests.report.sessions import session_lines

if TYPE_CHECKING:
    from pathlib import Path

LOG = """pods=4
Start time: 1493771765
Running 1m test @ http://192.168.0.111:8888/
  40 threads and 800 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    10.00ms    1.00ms  20.00ms   90.00%
    Req/Sec     1.00k   100.00     2.00k    80.00%
  2400000 requests in 1.00m, 565.00MB read
Requests/sec:  {rps}.00
Transfer/sec:      9.40MB
End time: 1493771825
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sessions with verdicts, in the working directory."""
    for day in (1, 2):
        write(tmp_path, session_lines(day))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SUMMARY_VARIABLE, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["report", *words]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_without_a_format_the_summary_of_the_newest_session_is_printed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys)
    assert text.startswith(f"kubelb {session_id(2)}: 2 of 4 points failed")
    rows = [line.split()[0] for line in text.splitlines() if line.startswith(("ipvs-pods", "proxy-pods"))]
    assert rows.index("proxy-pods01") < rows.index("proxy-pods02")
    assert "the sweep through ipvs has regressed by 15 %." in text
    assert max(map(len, text.splitlines())) <= 80
    assert root.exists()


@pytest.mark.parametrize(
    "words", [["last:2"], [session_id(1), session_id(2)], ["."], [".kubelb", session_id(1)]]
)
def test_sessions_are_named_by_word_and_by_path_and_shown_side_by_side(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    text = said(capsys, *words)
    assert text.split(maxsplit=3)[:3] == ["point", "A", "B"]
    assert f"A: {session_id(1)}" in text
    assert f"B: {session_id(2)}" in text
    assert text.count("points failed") == 2
    assert root.exists()


def test_every_format_is_rebuilt_from_the_records_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("json", "markdown", "html", "csv", "openmetrics", "junit")
    flags = [word for name in names for word in (f"--{name}", f"out/report.{name}")]
    assert said(capsys, session_id(1), *flags) == ""
    assert {file.name for file in (root / "out").iterdir()} == {f"report.{name}" for name in names}
    assert json.loads((root / "out" / "report.json").read_text())["session"]["id"] == session_id(1)


def test_json_of_several_sessions_is_a_folder_that_is_read_as_the_records_are(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "last:2", "--json", "reports")
    assert len(load(root / "reports")) == len(load(root))
    assert said(capsys, "reports").count("points failed") == 2


def test_imported_logs_get_the_verdicts_that_the_gate_would_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    for run, rps in enumerate((40000, 40100, 20000)):
        (tmp_path / "logs" / f"lvs_a_{run}.log").write_text(LOG.format(rps=rps))
    monkeypatch.chdir(tmp_path)
    assert main(["import", "logs", "--overlay", "vxlan"]) == 0
    capsys.readouterr()
    assert "1 of 1 point failed (1 unrepeatable)" in said(capsys)
    assert "unrepeatable" in said(capsys, "--root", str(tmp_path))


def test_a_killed_session_is_reported_and_says_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_session(root, 3, exit_code=None)
    assert "the session did not come to its end" in said(capsys, session_id(3)).replace("\n", " ")


def test_sessions_of_kubelb_ab_in_a_folder_are_passed_over(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_session(root, 3, facts={"ab": {"a": {}, "b": {}}})
    assert said(capsys, ".").count("points failed") == 2
    assert "whose report `kubelb ab` itself gives" in said(capsys, session_id(3), code=4)
    (root / "only").mkdir()
    write_session(root / "only", 4, facts={"ab": {}})
    assert "has no session but those of kubelb ab" in said(capsys, "only", code=4)


def test_the_schema_of_the_json_is_printed_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(said(capsys, "--json-schema"))
    assert schema["$id"] == "urn:pytest-kubelb:schema:report:2"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["2027"], "No session, tag or file is called '2027'"),
        (["pinned"], "'pinned' means no session"),
        (["--root", "nowhere"], "--root nowhere is no folder"),
        (["last", "--csv", "x", "--junit", "x"], "--junit x is already asked for as csv"),
        (
            ["last", "--csv", f".kubelb/{session_id(2)}/record.jsonl"],
            "is itself what the report is made from",
        ),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_4(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    text = said(capsys, *words, code=4)
    assert says in text
    assert text.count("\n") == 1
    assert root.exists()


def test_a_report_that_cannot_be_written_is_exit_code_1(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "taken").mkdir()
    assert "taken cannot be written: Is a directory" in said(capsys, "--markdown", "taken", code=1)
