"""Which sessions `last:N` counts, and which files are refused before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.record import baseline, levels
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


def test_last_counts_the_sessions_that_have_a_judged_point_and_passes_over_the_others_in_silence(
    tmp_path: Path,
) -> None:
    """Jobs of one root that measure different points in turn have to find each other."""
    other = {**HOSTS, "kernels": {"k11": "Linux 5.10.0 x86_64"}}
    for day in range(1, 9):
        backend = "ipvs" if day % 2 else "proxy"
        write_session(tmp_path, day, {(backend, 4): [float(day)]}, hosts=other if day == 6 else None)
    here = levels.read(read_record(tmp_path / ".kubelb" / session_id(7) / "record.jsonl"))
    judged = [point_key(IPVS4), point_key(axes("ipvs", 8))]
    chosen = baseline.select("last:2", tmp_path, here.session, against=here.fingerprint, points=judged)
    assert ids(chosen) == [session_id(3), session_id(5)]
    assert (chosen.refused, chosen.notes) == ((), ())
    assert ids(baseline.select("last:2", tmp_path, here.session)) == [session_id(6), session_id(8)]
    few = baseline.select("last:9", tmp_path, here.session, points=judged)
    assert few.notes == ("last:9 found 3 of 9 sessions that have a point of this one.",)
    assert ids(baseline.select(session_id(2), tmp_path, points=judged)) == [session_id(2)]


def test_last_does_not_count_a_session_whose_judged_point_may_not_be_compared(tmp_path: Path) -> None:
    points = {("ipvs", 4): [1e4], ("proxy", 4): [2e4]}
    for day in (1, 2):
        regressed = {("ipvs", 4): "regression"} if day == 2 else None
        write_session(tmp_path, day, points, verdicts=regressed)
    assert ids(baseline.select("last", tmp_path, points=[point_key(IPVS4)])) == [session_id(1)]


FOREIGN = (
    "is neither a record nor a JSON report of --kubelb-json, whose name ends in .json: name one of those"
)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("passwd", b"root:x:0:0:root:/root:/bin/bash\n", FOREIGN),
        ("pods.jsonl", b'{"kind": "Pod"}\n', FOREIGN),
        ("binary", b"\x7fELF\x00\x01", FOREIGN),
        ("new.jsonl", b'{"kind": "session", "schema_version": 99}\n', "'schema_version' is 99"),
        ("broken.json", b"{", "is no JSON report of pytest-kubelb"),
        ("other.json", b'{"machine_info": {}}', "is no JSON report of pytest-kubelb: 'schema' is None"),
    ],
)
def test_a_foreign_file_is_refused_before_anything_starts(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for refuse in (baseline.check, baseline.select):
        with pytest.raises(ConfigError, match=says) as caught:
            refuse(str(tmp_path / name), tmp_path)
        assert "delete the line" not in str(caught.value)


def test_a_name_that_cannot_be_looked_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be looked up: File name too long"):
        baseline.check("x" * 5000, tmp_path)


def test_the_check_takes_whole_torn_and_empty_records_and_reports(tmp_path: Path) -> None:
    folder, report = write_session(tmp_path, 1), tmp_path / "r.json"
    whole = (folder / "record.jsonl").read_bytes()
    baseline.check(str(folder), tmp_path)
    json_report.write(json_report.build(folder / "record.jsonl"), report)
    baseline.check(f"{folder}/record.jsonl,{report}", tmp_path)
    for size in (0, 5, 60):
        (tmp_path / "torn.jsonl").write_bytes(whole[:size])
        baseline.check(str(tmp_path / "torn.jsonl"), tmp_path)


@pytest.mark.parametrize("exit_code", [1, 2])
def test_an_inconclusive_comparison_came_to_its_end(tmp_path: Path, exit_code: int) -> None:
    write_session(tmp_path, 1, exit_code=exit_code, facts={"ab": {"a": {}, "b": {}}})
    assert baseline.select(session_id(1), tmp_path).notes == ()
    write_session(tmp_path, 2, exit_code=130, facts={"ab": {"a": {}, "b": {}}})
    (note,) = baseline.select(session_id(2), tmp_path).notes
    assert note.endswith("although it ended with kubelb ab's exit code 130.")
