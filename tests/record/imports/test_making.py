"""Imported sessions: what is in their records, what is not counted twice, and where they go."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.load.result import SocketErrors
from pytest_kubelb.record.imports import making
from pytest_kubelb.record.imports.sessions import Choices
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.record.writer import RecordWriter

from .synthetic import EPOCH_S, block, sweep, written

if TYPE_CHECKING:
    from pytest_kubelb.record.imports.making import Imported
    from pytest_kubelb.record.lines import Line


def imported(*paths: Path, into: Path, **choices: object) -> tuple[list[Imported], dict[str, list[str]]]:
    """Import; give the sessions, and what was odd: kind -> the warnings."""
    sessions, warned = making.import_paths(paths, {}, Choices(into=into, **choices))  # type: ignore[arg-type]
    kinds: dict[str, list[str]] = {}
    for one in warned:
        kinds.setdefault(one.kind, []).append(str(one))
    return sessions, kinds


def samples(session: Imported) -> list[Sample]:
    assert session.session is not None
    return [line for line in read_record(session.session.record) if isinstance(line, Sample)]


def test_a_try_is_one_session_with_one_provisioning_and_a_run_for_each_index(tmp_path: Path) -> None:
    logs = {
        f"{word}_cpu16_{i}": sweep([rps + i, 2 * rps + i], EPOCH_S + 999 * i)
        for word, rps in (("lvs", 1000.0), ("proxy", 900.0))
        for i in range(3)
    }
    (session,), odd = imported(written(tmp_path / "try", **logs), into=tmp_path / "out", overlay="vxlan")
    found = samples(session)
    assert {sample.point["backend"] for sample in found} == {"ipvs", "proxy"}
    assert [
        (sample.run, sample.provisioning, sample.validity, sample.started)
        for sample in found
        if sample.point == {"backend": "ipvs", "pods": 2, "overlay": "vxlan"}
    ] == [
        (0, 1, "valid", "2017-07-14T02:43:20+00:00"),
        (1, 1, "valid", "2017-07-14T02:59:59+00:00"),
        (2, 1, "valid", "2017-07-14T03:16:38+00:00"),
    ]
    assert odd == {}


def test_the_record_says_that_and_from_where_it_was_imported_and_ends_like_any_other(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_a_0=block(4, 1000.0), lvs_a_1=block(4, 1001.0, EPOCH_S + 100))
    (session,), _ = imported(folder, into=tmp_path / "out", testbed="kuruwa")
    assert session.session is not None
    lines = list(read_record(session.session.record))
    start, end = lines[0], lines[-1]
    assert isinstance(start, SessionStart)
    assert start.started == "2017-07-14T02:40:00+00:00"
    assert start.session.startswith("20170714T024000Z-")
    assert (start.facts["testbed"], start.facts["label"]) == ("kuruwa", "a")
    told = start.facts["imported"]
    assert isinstance(told, dict)
    assert told["from"] == str(folder)
    assert [entry["path"] for entry in told["files"]] == [str(folder / f"lvs_a_{i}.log") for i in (0, 1)]
    assert [line.verdict for line in lines if isinstance(line, Verdict)] == ["repeatable"]
    assert end == SessionEnd("2017-07-14T02:42:40+00:00", 0)


def test_the_folder_is_the_owners_alone_and_nothing_lies_beside_the_record(tmp_path: Path) -> None:
    (session,), _ = imported(written(tmp_path / "try", lvs_0=block(4, 1000.0)), into=tmp_path / "new" / "out")
    assert session.session is not None
    kept = tmp_path / "new" / "out" / ".kubelb"
    assert session.session.folder.parent == kept
    assert [path.name for path in kept.rglob("*")] == [session.session.id, "record.jsonl"]
    modes = [path.stat().st_mode & 0o777 for path in (kept, session.session.folder, session.session.record)]
    assert modes == [0o700, 0o700, 0o600]


def test_an_appended_sweep_is_a_further_provisioning(tmp_path: Path) -> None:
    log = sweep([1000.0, 2000.0]) + sweep([1010.0, 2010.0], EPOCH_S + 9999)
    (session,), odd = imported(written(tmp_path / "try", lvs_0=log), into=tmp_path)
    assert [(s.point["pods"], s.provisioning, s.run) for s in samples(session)] == [
        (1, 1, 0),
        (2, 1, 0),
        (1, 2, 0),
        (2, 2, 0),
    ]
    assert ":27: 1 pods again" in odd["appended sweep"][0]


def test_blocks_of_one_pod_count_in_a_row_are_runs_of_one_provisioning(tmp_path: Path) -> None:
    log = "".join(block(4, 1000.0 + i, EPOCH_S + 100 * i) for i in range(3))
    (session,), _ = imported(
        written(tmp_path / "try", lvs_0=log, lvs_1=block(4, 1010.0, EPOCH_S + 999)), into=tmp_path
    )
    assert [(s.provisioning, s.run) for s in samples(session)] == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_the_same_file_in_two_tries_counts_once_and_the_original_comes_before_its_copy(
    tmp_path: Path,
) -> None:
    written(tmp_path / "in" / "bak", lvs_0=block(4, 1000.0))
    written(tmp_path / "in" / "try1", lvs_0=block(4, 1000.0))
    written(tmp_path / "in" / "try2", lvs_0=block(4, 1000.0), lvs_1=block(4, 1001.0, EPOCH_S + 100))
    sessions, odd = imported(tmp_path / "in", into=tmp_path)
    assert [(Path(session.group.folder).name, len(session.runs)) for session in sessions] == [
        ("try1", 1),
        ("try2", 1),
    ]
    assert [text.partition(": ")[0] for text in odd["same content"]] == [
        str(tmp_path / "in" / "try2" / "lvs_0.log") + ":1",
        str(tmp_path / "in" / "bak" / "lvs_0.log") + ":1",
    ]


def test_a_backup_copy_counts_only_for_what_its_original_does_not_hold(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_0=sweep([1000.0, 2000.0]))
    (folder / "lvs_0.log.bak").write_text(sweep([1000.0, 2000.0, 3000.0]))
    (session,), odd = imported(folder, into=tmp_path)
    assert [s.point["pods"] for s in samples(session)] == [1, 2, 3]
    assert odd["backup copy"][0].startswith(f"{folder}/lvs_0.log.bak:1: ")
    assert odd["same run"][0].startswith(f"{folder}/lvs_0.log.bak:1: the same run as {folder}/lvs_0.log:1")


def test_what_was_imported_before_is_not_imported_again(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_0=block(4, 1000.0))
    (session,), _ = imported(folder, into=tmp_path / "out")
    assert session.session is not None
    before = session.session.record.read_bytes()
    with pytest.raises(KubelbError, match=f"the same content as a file of session {session.session.id}"):
        imported(folder, into=tmp_path / "out")
    assert session.session.record.read_bytes() == before
    assert len(list((tmp_path / "out" / ".kubelb").iterdir())) == 1


def test_a_table_beside_its_log_is_compared_and_not_counted(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_0=sweep([1000.0, 2000.0]))
    (folder / "lvs_0.csv").write_text('"# of pods","Req/sec"\n1,1000.00\n2,2500.00\n3,3000.00\n')
    (session,), odd = imported(folder, into=tmp_path)
    assert len(samples(session)) == 2
    assert odd["disagreement"][0].startswith(
        f"{folder}/lvs_0.csv:3: the row says 2500.00 requests/s for 2 pods"
    )
    assert "also line 4" in odd["disagreement"][0]


def test_a_table_alone_is_imported(tmp_path: Path) -> None:
    (tmp_path / "proxy_3.csv").write_text(
        f"Epoch,# of pods,Req/sec\n{EPOCH_S},1,1000\n{EPOCH_S + 60},2,-nan\n"
    )
    (session,), odd = imported(tmp_path / "proxy_3.csv", into=tmp_path, duration_s=60)
    assert [(s.point["pods"], s.run, s.validity, s.wall_s) for s in samples(session)] == [
        (1, 3, "valid", 60),
        (2, 3, "failed", 0),
    ]
    assert odd["failed"][0].startswith(f"{tmp_path}/proxy_3.csv:3: the run is failed: the table says '-nan'")


def test_each_kind_of_invalid_run_is_in_the_record_with_its_reason_and_warned_of(tmp_path: Path) -> None:
    log = (
        block(1, 1000.0)
        + block(2, 1000.0, errors=SocketErrors(0, 0, 9999, 0, 0))
        + block(4, 1000.0, wall_s=4, duration_s=4.4)
        + block(6, 1000.0, wall_s=360)
        + f"podnum=8\nStart time: {EPOCH_S}\nEnd time: {EPOCH_S}\n"
    )
    (session,), odd = imported(written(tmp_path / "try", lvs_0=log), into=tmp_path)
    found = samples(session)
    assert [s.validity for s in found] == ["valid", "contaminated", "contaminated", "stalled", "failed"]
    assert [s.reason is None for s in found] == [True, False, False, False, False]
    assert {
        kind: text[0].split(":")[1]
        for kind, text in odd.items()
        if kind in ("contaminated", "stalled", "failed")
    } == {
        "contaminated": "14",
        "stalled": "41",
        "failed": "54",
    }
    assert session.session is not None
    events = [line for line in read_record(session.session.record) if isinstance(line, Event)]
    assert {event.details["kind"] for event in events} == set(odd)


def test_sessions_can_be_per_index_or_per_file(tmp_path: Path) -> None:
    logs = {
        f"{word}_{i}": block(4, rps + i, EPOCH_S + 100 * i)
        for word, rps in (("lvs", 1000.0), ("proxy", 900.0))
        for i in (0, 1)
    }
    folder = written(tmp_path / "try", **logs)
    for session_per, sessions in (("folder", 1), ("index", 2), ("file", 4)):
        made, _ = imported(folder, into=tmp_path / session_per, session_per=session_per)
        assert len(made) == sessions


def test_set_ups_with_another_label_are_sessions_of_their_own(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_cpu08_0=block(4, 1000.0), lvs_cpu16_0=block(4, 2000.0))
    sessions, _ = imported(folder, into=tmp_path)
    assert [session.group.label for session in sessions] == ["cpu08", "cpu16"]


def test_runs_without_pods_take_them_from_the_option_or_the_name_and_are_left_out_else(
    tmp_path: Path,
) -> None:
    body = block(4, 1000.0).partition("\n")[2]
    folder = written(
        tmp_path / "try",
        lvs_pods8_0=body,
        lvs_1=body.replace("10.254", "10.255") + block(2, 1000.0, EPOCH_S + 100),
    )
    sessions, odd = imported(folder, into=tmp_path / "name")
    assert sorted(s.point["pods"] for session in sessions for s in samples(session)) == [2, 8]
    assert odd["pods unknown"][0].startswith(f"{folder}/lvs_1.log:1: ")
    sessions, _ = imported(folder, into=tmp_path / "option", pods=6)
    assert [s.point["pods"] for session in sessions for s in samples(session)].count(6) == 1


def test_a_run_without_a_time_takes_that_of_its_file(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "try",
        lvs_0="\n".join(line for line in block(4, 1000.0).split("\n") if "time:" not in line),
    )
    os.utime(folder / "lvs_0.log", (EPOCH_S, EPOCH_S))
    (session,), odd = imported(folder, into=tmp_path)
    assert [(s.started, s.wall_s) for s in samples(session)] == [("2017-07-14T02:40:00+00:00", 60)]
    assert {"no start time", "no end time"} <= set(odd)


def test_empty_files_links_pipes_other_files_and_names_without_a_backend_are_said(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "try", lvs_0=block(4, 1000.0), lvs_1="", lvs_2="nothing here\n", nginx_0=block(4, 999.0)
    )
    (folder / "lvs_3.log").symlink_to(folder / "lvs_0.log")
    (folder / "notes.md").write_text("notes")
    (folder / "lvs").write_text(block(6, 1000.0))
    os.mkfifo(folder / "lvs_4.log")
    (session,), odd = imported(folder, into=tmp_path)
    assert [s.point["pods"] for s in samples(session)] == [6, 4]
    assert odd["empty file"] == [f"{folder}/lvs_1.log:1: the file is empty."]
    assert odd["no run"] == [f"{folder}/lvs_2.log:1: no run of it is counted."]
    assert "--backend NAME" in odd["no backend"][0]
    assert "lvs_3.log is a symbolic link" in odd["link"][0]
    assert "notes.md" in odd["other files"][0]
    assert odd["no suffix"][0].startswith(f"{folder}/lvs:1: ")
    assert odd["unreadable"] == [
        f"{folder}/lvs_4.log:1: the file cannot be read and is left out: it is no regular file."
    ]


def test_a_name_that_is_no_text_is_shown_and_recorded(tmp_path: Path) -> None:
    folder = written(tmp_path / "try")
    Path(os.fsdecode(os.fsencode(folder) + b"/lvs_\xff\x1b_0.log")).write_text(block(4, 1000.0))
    (session,), _ = imported(folder, into=tmp_path)
    assert session.runs[0].place == f"{folder}/lvs_\\xff\\x1b_0.log:1"
    assert len(samples(session)) == 1


def test_nothing_to_import_is_one_sentence_and_makes_no_session(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_0="")
    with pytest.raises(KubelbError, match=r"Nothing was imported from .*the file is empty; name logs"):
        imported(folder, into=tmp_path)
    with pytest.raises(KubelbError, match="cannot be imported: No such file"):
        imported(tmp_path / "absent", into=tmp_path)
    assert not (tmp_path / ".kubelb").exists()


def test_a_state_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_0=block(4, 1000.0))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".kubelb").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KubelbError, match="is a symbolic link"):
        imported(folder, into=tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_session_that_cannot_be_written_whole_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is not filled for this: the writer fails at the third line instead."""
    written_lines = 0
    append = RecordWriter.append

    def fail(self: RecordWriter, line: Line) -> None:
        nonlocal written_lines
        written_lines += 1
        if written_lines == 3:
            raise KubelbError("the disk is full")
        append(self, line)

    monkeypatch.setattr(RecordWriter, "append", fail)
    folder = written(tmp_path / "try", lvs_0=sweep([1000.0, 2000.0, 3000.0]))
    with pytest.raises(KubelbError, match="the disk is full"):
        imported(folder, into=tmp_path)
    assert list((tmp_path / ".kubelb").iterdir()) == []


def test_a_dry_run_judges_and_writes_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path / "try", lvs_0=block(4, 1000.0), lvs_1=block(4, 1000.5, EPOCH_S + 100))
    (session,), _ = imported(folder, into=tmp_path / "out", dry_run=True)
    assert session.session is None
    assert [outcome.runs for outcome in session.judged.values()] == [2]
    assert not (tmp_path / "out").exists()


def test_figures_too_large_for_a_record_make_the_run_fail_instead_of_the_record(tmp_path: Path) -> None:
    text = block(4, 1000.0).replace("96.68ms", "999999999999999999.00h")
    (session,), odd = imported(written(tmp_path / "try", lvs_0=text), into=tmp_path)
    assert [s.validity for s in samples(session)] == ["failed"]
    assert "out of range" in odd["failed"][0]


def test_a_tree_of_tries_gives_a_session_for_each_folder_and_skips_hidden_ones(tmp_path: Path) -> None:
    for index, name in enumerate(("6th", "7th")):
        written(tmp_path / "in" / name, lvs_0=block(4, 1000.0 + index, EPOCH_S + 9999 * index))
    shutil.copytree(tmp_path / "in" / "6th", tmp_path / "in" / ".git")
    sessions, odd = imported(tmp_path / "in", into=tmp_path / "in")
    assert len(sessions) == 2
    assert odd == {}
