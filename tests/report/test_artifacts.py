"""What is kept of a point: for its owner alone, bounded, and without secrets."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.report.artifacts import MOST_BYTES, WHEN, Artifacts
from pytest_kubelb.testbed.hosts import Completed

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "s3cr3t-t0ken-of-the-lab"  # noqa: S105 - planted
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
RAN = Completed("k11", "ipvsadm -Ln", "TCP 192.168.0.111:8888 rr", "", 0, 0.004)


def kept(artifacts: Artifacts, *, failed: bool, point_id: str = "ipvs-pods04") -> Path | None:
    point = artifacts.point(point_id)
    assert point is not None
    point.wrk(0, "wrk -c80", "Requests/sec: 40000\n")
    point.evidence({"kind": "evidence", "run": 0})
    point.command(RAN)
    point.log("converged\n")
    return point.finish(failed=failed)


def test_a_point_has_what_wrk_printed_the_evidence_the_commands_and_the_log(tmp_path: Path) -> None:
    folder = kept(Artifacts(tmp_path, "always"), failed=False)
    assert folder == tmp_path / "artifacts" / "ipvs-pods04"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "wrk.txt": "# run 1: wrk -c80\nRequests/sec: 40000\n",
        "evidence.jsonl": '{"kind":"evidence","run":0}\n',
        "commands.txt": "k11$ ipvsadm -Ln  # exit code 0, 0.004 s\n",
        "log.txt": "converged\n",
    }


def test_folders_and_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    kept(Artifacts(tmp_path, "always"), failed=False)
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "artifacts").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    assert stat.S_IMODE((tmp_path / "artifacts").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("when", "failed", "is_kept"),
    [
        ("always", False, True),
        ("always", True, True),
        ("on-failure", False, False),
        ("on-failure", True, True),
    ],
)
def test_they_are_kept_when_they_were_asked_for(
    tmp_path: Path, when: str, failed: bool, is_kept: bool
) -> None:
    folder = kept(Artifacts(tmp_path, when), failed=failed)
    assert (folder is not None) == is_kept
    assert len(list((tmp_path / "artifacts").iterdir())) == is_kept


def test_never_touches_nothing(tmp_path: Path) -> None:
    assert Artifacts(tmp_path, "never").point("ipvs-pods04") is None
    assert list(tmp_path.iterdir()) == []


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"kept {', '.join(WHEN)}, not 'sometimes'"):
        Artifacts(tmp_path, "sometimes")


def test_no_secret_is_in_any_file(tmp_path: Path) -> None:
    point = Artifacts(tmp_path, "always", secrets=[TOKEN, KEY]).point("ipvs-pods04")
    assert point is not None
    point.wrk(0, f"wrk -H 'Authorization: Bearer {TOKEN}'", f"printed {TOKEN}", f"said {KEY}")
    point.evidence({"token": TOKEN, "said": KEY, "in": f"x{TOKEN}x"})
    point.command(Completed("k04", f"kubectl --token {TOKEN}", "", f"denied: {TOKEN}", 1, 0.1))
    point.log(f"{KEY}\nb3BlbnNzaC1rZXk")
    folder = point.finish(failed=False)
    assert folder is not None
    for path in folder.iterdir():
        text = path.read_text()
        assert TOKEN not in text
        assert "b3BlbnNzaC1rZXk" not in text
        assert "[redacted]" in text
    json.loads((folder / "evidence.jsonl").read_text())


def test_a_point_that_is_not_finished_keeps_what_it_had_and_says_so(tmp_path: Path) -> None:
    point = Artifacts(tmp_path, "on-failure").point("ipvs-pods04")
    assert point is not None
    point.log("it was killed after this")
    (folder,) = (tmp_path / "artifacts").iterdir()
    assert folder.name == "ipvs-pods04.unfinished"
    assert (folder / "log.txt").read_text() == "it was killed after this\n"


def test_no_file_grows_beyond_its_limit_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    point = Artifacts(tmp_path, "always").point("ipvs-pods04")
    assert point is not None
    for number in range(4):
        point.wrk(number, "wrk", "x" * (MOST_BYTES["wrk.txt"] // 3))
    folder = point.finish(failed=False)
    assert folder is not None
    text = (folder / "wrk.txt").read_text()
    assert len(text) < MOST_BYTES["wrk.txt"] + 200
    assert text.splitlines()[-1].endswith(f"more bytes, left out: at most {MOST_BYTES['wrk.txt']}")


def test_a_session_keeps_no_more_than_its_limit_and_says_so(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path, "always", most_bytes=50)
    assert kept(artifacts, failed=False) is not None
    assert artifacts.point("ipvs-pods08") is None
    assert "have reached their limit" in (tmp_path / "artifacts" / "full.txt").read_text()


@pytest.mark.parametrize("point_id", ["../../etc/passwd", "..", "a/b", "", "x" * 500, "a\0b", ".hidden"])
def test_an_id_from_a_hook_names_a_folder_inside_and_no_other(tmp_path: Path, point_id: str) -> None:
    folder = kept(Artifacts(tmp_path, "always"), failed=False, point_id=point_id)
    assert folder is not None
    assert folder.parent == tmp_path / "artifacts"
    assert not folder.name.startswith(".")


def test_the_same_id_twice_gives_two_folders(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path, "always")
    folders = [kept(artifacts, failed=False) for _ in range(2)]
    assert [folder.name for folder in folders if folder] == ["ipvs-pods04", "ipvs-pods04-2"]


def test_a_disk_that_takes_nothing_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("in the way")
    with pytest.raises(KubelbError, match=r"cannot be kept: .*--kubelb-artifacts never"):
        Artifacts(tmp_path, "always").point("ipvs-pods04")
