"""Choosing earlier sessions to compare with."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record import baseline, levels, marks
from pytest_kubelb.record.points import point_key
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.report import json_report

from .sessions import HOSTS, axes, session_id, write_session

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.record.baseline import Baseline

IPVS4 = axes("ipvs", 4)


def ids(chosen: Baseline) -> list[str]:
    return [each.session for each in chosen.sessions]


def report_of(folder: Path, destination: Path) -> Path:
    destination.parent.mkdir(parents=True, exist_ok=True)
    json_report.write(json_report.build(folder / "record.jsonl"), destination)
    return destination


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four sessions: the first is tagged main, the second and third are pinned."""
    folders = [
        write_session(tmp_path, day, {("ipvs", 4): [day * 100.0, day * 100.0 + 1]}) for day in (1, 2, 3, 4)
    ]
    marks.change(folders[0], lambda _: marks.Marks(frozenset({"main"})))
    for folder in folders[1:3]:
        marks.change(folder, lambda _: marks.Marks(pinned=True))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("main", [1]),
        ("pinned", [2, 3]),
        ("last:2", [3, 4]),
        ("last", [4]),
        ("20261103", [3]),
        (session_id(3), [3]),
        ("last:1,main , pinned", [1, 2, 3, 4]),
        (f"main,main,{session_id(1)}", [1]),
    ],
)
def test_a_word_means_its_sessions_oldest_first_and_none_twice(
    root: Path, text: str, days: list[int]
) -> None:
    chosen = baseline.select(text, root)
    assert ids(chosen) == [session_id(day) for day in days]
    assert [list(runs) for runs in chosen.rps(IPVS4)] == [[day * 100.0, day * 100.0 + 1] for day in days]
    assert chosen.points[point_key(IPVS4)].sessions == tuple(ids(chosen))
    assert chosen.refusal is None


def test_only_valid_runs_count_and_a_point_is_the_same_in_any_order_of_its_axes(root: Path) -> None:
    (runs,) = baseline.select("main", root).rps(dict(reversed(IPVS4.items())))
    assert list(runs) == [100.0, 101.0]
    assert baseline.select("main", root).rps(axes("proxy", 4)) == ()


def test_points_that_only_some_sessions_have_name_the_sessions(tmp_path: Path) -> None:
    write_session(tmp_path, 1, {("ipvs", 4): [1.0], ("proxy", 4): [2.0]})
    write_session(tmp_path, 2, {("ipvs", 4): [3.0]})
    chosen = baseline.select("last:2", tmp_path)
    assert chosen.points[point_key(axes("proxy", 4))].sessions == (session_id(1),)
    assert [list(runs) for runs in chosen.rps(IPVS4)] == [[1.0], [3.0]]


def test_the_current_session_is_never_its_own_baseline(root: Path) -> None:
    assert ids(baseline.select("last:2", root, session_id(4))) == [session_id(2), session_id(3)]
    assert ids(baseline.select(session_id(4), root, session_id(4))) == []


@pytest.mark.parametrize("what", ["root", ".kubelb", "session", "record"])
def test_a_path_is_a_root_a_folder_of_sessions_a_session_or_a_record(
    root: Path, tmp_path: Path, what: str
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(root / ".kubelb", copy / ".kubelb")
    session = copy / ".kubelb" / session_id(2)
    path = {
        "root": copy,
        ".kubelb": copy / ".kubelb",
        "session": session,
        "record": session / "record.jsonl",
    }[what]
    days = [1, 2, 3, 4] if what in ("root", ".kubelb") else [2]
    assert ids(baseline.select(str(path), tmp_path / "empty")) == [session_id(day) for day in days]


def test_json_reports_from_elsewhere_are_sessions_like_their_records(root: Path, tmp_path: Path) -> None:
    reports = [
        report_of(root / ".kubelb" / session_id(day), tmp_path / "ci" / f"{day}.json") for day in (1, 2)
    ]
    (tmp_path / "ci" / "benchmark.json").write_text('{"machine_info": {}}')
    by_files = baseline.select(",".join(map(str, reports)), tmp_path / "empty")
    by_records = baseline.select(f"{session_id(1)},{session_id(2)}", root)
    assert by_files.sessions == by_records.sessions
    assert ids(baseline.select(str(tmp_path / "ci"), tmp_path / "empty")) == ids(by_files)
    assert ids(baseline.select(f"{reports[0]},main", root)) == [session_id(1)]


def test_a_session_that_was_named_is_taken_with_a_note_and_one_that_was_found_is_not(tmp_path: Path) -> None:
    write_session(tmp_path, 1, exit_code=None)
    write_session(tmp_path, 2, exit_code=2)
    named = baseline.select(f"{session_id(1)},{session_id(2)}", tmp_path)
    assert ids(named) == [session_id(1), session_id(2)]
    assert named.notes == (
        f"Session {session_id(1)} is in the baseline although it has no end.",
        f"Session {session_id(2)} is in the baseline although it ended with pytest's exit code 2.",
    )
    found = baseline.select(str(tmp_path), tmp_path)
    assert ids(found) == []
    assert found.refusal == f"Session {session_id(1)} is left out of the baseline: it has no end"


def test_imported_sessions_are_taken_when_named_or_in_a_named_folder_and_not_as_the_last(
    tmp_path: Path,
) -> None:
    write_session(tmp_path, 1, facts={"imported": {"from": "logs"}})
    assert ids(baseline.select(session_id(1), tmp_path)) == [session_id(1)]
    assert ids(baseline.select(str(tmp_path), tmp_path)) == [session_id(1)]
    assert ids(baseline.select("last:1", tmp_path)) == []


def test_a_point_that_was_a_regression_does_not_become_the_measure_by_itself(tmp_path: Path) -> None:
    points = {("ipvs", 4): [1.0], ("proxy", 4): [2.0]}
    write_session(
        tmp_path, 1, points, exit_code=1, verdicts={("ipvs", 4): "regression", ("proxy", 4): "pass"}
    )
    found = baseline.select("last", tmp_path)
    assert list(found.points) == [point_key(axes("proxy", 4))]
    assert any("1 of its points slower than its own baseline" in note for note in found.notes)
    assert len(baseline.select(session_id(1), tmp_path).points) == 2


@pytest.mark.parametrize(
    ("text", "says"), [("last:3", "last:3 found 0 of 3 sessions"), ("pinned", "No session is pinned")]
)
def test_no_earlier_session_is_an_empty_baseline_that_says_so(tmp_path: Path, text: str, says: str) -> None:
    chosen = baseline.select(text, tmp_path)
    assert chosen.sessions == ()
    assert chosen.refusal is not None
    assert chosen.refusal.startswith(says)
    assert chosen.title == f"{text}, no sessions"


def test_fewer_sessions_than_were_asked_for_are_noted(root: Path) -> None:
    assert baseline.select("last:9", root).notes == ("last:9 found 4 of 9 sessions.",)


def test_a_session_of_another_testbed_is_refused_with_the_field_and_the_last_ones_are_looked_for_further_back(
    tmp_path: Path,
) -> None:
    other = {**HOSTS, "kernels": {"k11": "Linux 5.10.0 x86_64"}}
    folders = [write_session(tmp_path, day, hosts=other if day == 2 else None) for day in (1, 2, 3)]
    here = levels.read(read_record(folders[2] / "record.jsonl"))
    chosen = baseline.select("last:1", tmp_path, here.session, against=here.fingerprint)
    assert ids(chosen) == [session_id(1)]
    assert chosen.refused == (
        f"Session {session_id(2)} is not compared: the baseline ran with kernel of k11 Linux 5.10.0 x86_64, "
        "this session with Linux 6.1.0 x86_64.",
    )
    named = baseline.select(session_id(2), tmp_path, here.session, against=here.fingerprint)
    assert named.refusal == chosen.refused[0].removesuffix(".")


def test_a_point_that_was_loaded_otherwise_is_left_out_alone(tmp_path: Path) -> None:
    points = {("ipvs", 4): [1e4, 1e4], ("proxy", 4): [2e4, 2e4]}
    write_session(tmp_path, 1, points)
    record = tmp_path / ".kubelb" / session_id(1) / "record.jsonl"
    text = record.read_text().splitlines(keepends=True)
    record.write_text("".join(line.replace("-c80", "-c800") if '"proxy"' in line else line for line in text))
    here = levels.read(read_record(write_session(tmp_path, 2, points) / "record.jsonl"))
    chosen = baseline.select("last", tmp_path, here.session, against=here.fingerprint)
    assert list(chosen.points) == [point_key(IPVS4)]
    assert (
        "ran with connections 800 at backend=proxy overlay=vxlan pods=4, this session with 80"
        in chosen.refused[0]
    )


def test_what_the_baseline_does_not_tell_is_noted_and_compared(tmp_path: Path) -> None:
    write_session(tmp_path, 1, hosts={})
    here = levels.read(read_record(write_session(tmp_path, 2) / "record.jsonl"))
    chosen = baseline.select("last", tmp_path, here.session, against=here.fingerprint)
    assert ids(chosen) == [session_id(1)]
    assert chosen.notes == (f"Session {session_id(1)}: hosts not known on both sides, taken as equal.",)


def test_an_unknown_word_is_refused_with_the_nearest_and_with_what_is_allowed(root: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"called 'mian' \(did you mean main\?\); a baseline is a tag, a session's id"
    ):
        baseline.select("mian", root)


def test_an_empty_word_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="an empty name between two commas"):
        baseline.select("main,", root)


def test_a_folder_without_records_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty has no records: no record\.jsonl"):
        baseline.select(str(tmp_path / "empty"), root)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Expecting value"),
        ("[]", "is not a JSON object"),
        ('{"machine_info": {}}', "'schema' is None, not 'pytest-kubelb-report'"),
        (
            '{"schema": "pytest-kubelb-report", "schema_version": 9}',
            "'schema_version' is 9, and this version reads 1",
        ),
        (
            '{"schema": "pytest-kubelb-report", "schema_version": 1, "session": 7}',
            "'session' is 7, not an object",
        ),
    ],
)
def test_json_that_is_not_ours_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(text)
    with pytest.raises(KubelbError, match=f"r.json is no JSON report of pytest-kubelb: .*{says}"):
        baseline.select(str(file), tmp_path)


def test_a_damaged_record_is_an_error_when_named_and_a_note_when_found(tmp_path: Path) -> None:
    record = write_session(tmp_path, 1) / "record.jsonl"
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join([lines[0], b"{]\n", *lines[1:]]))
    with pytest.raises(KubelbError, match=r"record\.jsonl:2: this is no line of a record"):
        baseline.select(session_id(1), tmp_path)
    assert "Left out of the baseline" in baseline.select(str(tmp_path), tmp_path).notes[0]


def test_the_runs_of_each_provisioning_are_kept_apart(tmp_path: Path) -> None:
    record = write_session(tmp_path, 1, {("ipvs", 4): [1.0, 2.0, 3.0]}) / "record.jsonl"
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "sample" and line["result"] and line["result"]["rps"] == 2.0:
            line["provisioning"] = 2
    record.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (level,) = levels.read(read_record(record)).points.values()
    assert {number: list(runs) for number, runs in level.provisionings.items()} == {1: [1.0, 3.0], 2: [2.0]}
    assert list(level.rps) == [1.0, 3.0, 2.0]
