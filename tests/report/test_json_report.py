"""The file of --kubelb-json."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.writer import RecordWriter
from pytest_kubelb.report import json_report

from .points import judged_point

if TYPE_CHECKING:
    from pathlib import Path

START = SessionStart("20261123T072210Z-3f9c", "2026-11-23T07:22:10Z", {"wrk": "4.1.0"}, {"runs": 3})
FOUR = judged_point(39000, 41000, invalid=1)
EIGHT = judged_point(50000, 90000, pods=8)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Give the record of two points whose runs alternate, with a verdict on one of them."""
    path = tmp_path / "record.jsonl"
    with RecordWriter(path, START) as writer:
        for first, second in zip(FOUR.series.samples, EIGHT.series.samples, strict=False):
            writer.append(first)
            writer.append(second)
        writer.append(FOUR.series.samples[-1])
        figures = asdict(EIGHT.repeatability)
        writer.append(Verdict(EIGHT.series.point, "unrepeatable", figures, "pods08 is unrepeatable"))
        writer.append(Event("2026-11-23T07:23:00Z", "converged", {"seconds": 0.3}))
        writer.append(SessionEnd("2026-11-23T07:24:00Z", 1))
    return path


def test_every_point_has_its_runs_in_order_and_its_verdict(record: Path, tmp_path: Path) -> None:
    json_report.write(json_report.build(record), tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["schema"], report["schema_version"]) == ("pytest-kubelb-report", 2)
    assert report["session"] == {
        "id": "20261123T072210Z-3f9c",
        "started": "2026-11-23T07:22:10Z",
        "ended": "2026-11-23T07:24:00Z",
        "exit_code": 1,
        "record_schema_version": 2,
        "facts": {"wrk": "4.1.0"},
    }
    assert report["settings"] == {"runs": 3}
    four, eight = report["points"]
    assert (four["point"]["pods"], eight["point"]["pods"]) == (4, 8)
    assert [run["validity"] for run in four["runs"]] == ["warmup", "valid", "valid", "stalled"]
    assert [run["result"]["rps"] for run in eight["runs"]] == [1.0, 50000.0, 90000.0]
    assert four["verdicts"] == []
    assert eight["verdicts"][0]["verdict"] == "unrepeatable"
    assert eight["verdicts"][0]["figures"]["mean"] == 70000.0
    assert report["events"] == [
        {"at": "2026-11-23T07:23:00Z", "name": "converged", "details": {"seconds": 0.3}}
    ]
    assert report["notes"] == []


def test_the_report_of_a_killed_session_has_its_runs_no_end_and_a_note(record: Path) -> None:
    whole = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(whole[:-1]) + whole[-1][:20])
    report = json_report.build(record)
    session, notes = report["session"], report["notes"]
    assert isinstance(session, dict)
    assert (session["ended"], session["exit_code"]) == (None, None)
    assert isinstance(notes, list)
    assert "torn" in notes[0]


def test_the_report_of_a_session_that_died_at_once_is_a_report_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "record.jsonl").touch()
    report = json_report.build(tmp_path / "record.jsonl")
    assert (report["session"], report["points"]) == (None, [])


def test_a_report_is_for_its_owner_alone_and_replaces_an_older_one(record: Path, tmp_path: Path) -> None:
    destination = tmp_path / "report.json"
    destination.write_text("old")
    destination.chmod(0o644)
    json_report.write(json_report.build(record), destination)
    assert stat.S_IMODE(destination.stat().st_mode) == 0o600
    assert json.loads(destination.read_text())


def test_a_report_that_cannot_be_written_is_one_sentence_and_leaves_nothing(
    record: Path, tmp_path: Path
) -> None:
    occupied = tmp_path / "report.json"
    occupied.mkdir()
    before = set(tmp_path.iterdir())
    with pytest.raises(KubelbError, match=r"report\.json cannot be written: Is a directory; name a file"):
        json_report.write(json_report.build(record), occupied)
    with pytest.raises(KubelbError, match=r"cannot be written: File exists; name a file in a folder"):
        json_report.write(json_report.build(record), record / "report.json")
    assert set(tmp_path.iterdir()) == before


def test_a_corrupt_record_leaves_the_older_report_alone(record: Path, tmp_path: Path) -> None:
    destination = tmp_path / "report.json"
    destination.write_text("old")
    record.write_bytes(record.read_bytes().replace(b'"kind":"event"', b'"kind":"rumour"'))
    with pytest.raises(KubelbError, match="'kind' is 'rumour'"):
        json_report.write(json_report.build(record), destination)
    assert destination.read_text() == "old"


def test_what_a_hook_put_there_that_json_does_not_have_is_one_sentence(record: Path, tmp_path: Path) -> None:
    report = json_report.build(record)
    for odd in (float("nan"), {1, 2}):
        report["of_a_hook"] = odd
        with pytest.raises(KubelbError, match="pytest_kubelb_update_json put something in it that JSON"):
            json_report.write(report, tmp_path / "report.json")
    assert not (tmp_path / "report.json").exists()


def test_what_hooks_add_is_in_the_file_and_every_run_has_a_line(record: Path, tmp_path: Path) -> None:
    report = json_report.build(record)
    points = report["points"]
    assert isinstance(points, list)
    points[0]["of_a_hook"] = [1, {"a": None}]
    points.append("odd")
    report["empty"] = {}
    json_report.write(report, tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(report))
    assert sum('"provisioning"' in line and '"validity"' in line for line in text.splitlines()) == 7
