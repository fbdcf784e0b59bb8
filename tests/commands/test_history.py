"""`kubelb history` from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from tests.record.sessions import session_id, write_session

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three old sessions, in the working directory: one passed, one failed, one died."""
    for day, exit_code in ((1, 0), (2, 1), (3, None)):
        write_session(tmp_path, day, exit_code=exit_code)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["history", *words]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_the_list_shows_each_session_with_its_end_and_its_marks(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "tag", "main", "last", session_id(3))
    said(capsys, "pin", "last:2")
    (root / ".kubelb" / session_id(4)).mkdir()
    lines = [line.split(maxsplit=5) for line in said(capsys, "list").splitlines()]
    assert lines[1:] == [
        [session_id(1), "passed", "rack", "1", "4", "pinned"],
        [session_id(2), "failed", "rack", "1", "4", "pinned, main"],
        [session_id(3), "no", "end", "rack", "1", "4     main"],
        [session_id(4), "empty", "0", "0"],
    ]


def test_show_gives_the_testbed_and_the_median_of_each_point(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "show", "last", "--root", str(root))
    assert "kernel of k11: Linux 6.1.0 x86_64" in text
    assert "backend=ipvs overlay=vxlan pods=4  2           40,500" in text


def test_a_tag_is_taken_from_all_sessions_or_from_the_named_ones(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "tag", "main", "last:2")
    assert said(capsys, "untag", "main", "last") == f"{session_id(2)} is no longer tagged main\n"
    assert said(capsys, "untag", "main", "last") == f"{session_id(2)} was not tagged main\n"
    assert said(capsys, "untag", "main") == f"{session_id(1)} is no longer tagged main\n"
    assert "is tagged 'main'" in said(capsys, "untag", "main", code=4)
    assert root.exists()


def test_pins_come_and_go(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "pin", session_id(1)[:8]) == f"{session_id(1)} is pinned\n"
    assert said(capsys, "unpin", "pinned") == f"{session_id(1)} is no longer pinned\n"
    assert said(capsys, "unpin", session_id(1)) == f"{session_id(1)} was not pinned\n"
    assert "'pinned' means no session" in said(capsys, "unpin", "pinned", "--root", str(root), code=4)


def test_prune_says_what_would_go_and_then_removes_that(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "tag", "main", "last")
    dry = said(capsys, "prune", "--keep", "1", "--older-than", "0h", "--dry-run")
    assert f"would remove {session_id(1)} (" in dry
    assert f"would keep {session_id(2)}: tagged main" in dry
    assert len(list((root / ".kubelb").iterdir())) == 3
    assert f"removed {session_id(1)} (" in said(capsys, "prune", "--keep", "1", "--older-than", "0h")
    assert sorted(each.name for each in (root / ".kubelb").iterdir()) == [session_id(2), session_id(3)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["prune"], "give --keep N, --older-than 90d, or both"),
        (["show", "2027"], "No session or tag is called '2027'"),
        (["tag", "a,b", "last"], "'a,b' is no tag"),
        (["pin", "mian"], "No session or tag is called 'mian'"),
        (["list", "--root", "nowhere"], "--root nowhere is no folder"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_4(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    text = said(capsys, *words, code=4)
    assert says in text
    assert text.count("\n") == 1
    assert root.exists()


@pytest.mark.parametrize(
    "words", [["prune", "--keep", "-1"], ["prune", "--older-than", "90"], ["list", "--rot"]]
)
def test_a_malformed_option_is_exit_code_4(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["history", *words])
    assert ended.value.code == 4
    assert "usage: kubelb" in capsys.readouterr().err


def test_an_empty_root_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "list", "--root", str(tmp_path)) == f"{tmp_path} has no sessions\n"


@pytest.mark.parametrize(
    ("word", "exit_code", "state"),
    [
        ("pass", 0, "a/b pass"),
        ("regression", 1, "a/b regression"),
        ("inconclusive", 2, "a/b inconclusive"),
        (None, 1, "a/b failed"),
        (None, 130, "a/b interrupted"),
    ],
)
def test_a_comparison_is_listed_with_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str | None, exit_code: int, state: str
) -> None:
    record = (
        write_session(tmp_path, 1, exit_code=exit_code, facts={"ab": {"a": {}, "b": {}}}) / "record.jsonl"
    )
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    kept = [{**line, "verdict": word} if line["kind"] == "verdict" else line for line in lines]
    kept = [line for line in kept if word or line["kind"] != "verdict"]
    record.write_text("".join(json.dumps(line) + "\n" for line in kept))
    text = said(capsys, "list", "--root", str(tmp_path))
    assert f"{session_id(1)}  {state}  rack" in text


@pytest.mark.parametrize("facts", [{"ab": {"a": {}}}, {"imported": {"from": "logs"}}])
@pytest.mark.parametrize("verb", ["show", "pin"])
def test_what_last_leaves_out_is_said_when_there_is_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, object], verb: str
) -> None:
    write_session(tmp_path, 1, facts=facts)
    text = said(capsys, verb, "last", "--root", str(tmp_path), code=4)
    assert "'last' means no session" in text
    assert (
        "it leaves out imported sessions, those of kubelb ab and those that did not come to their end" in text
    )


def test_the_hint_counts_in_good_grammar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_session(tmp_path, 1)
    root = ("--root", str(tmp_path))
    assert "it has 1 session and no tags" in said(capsys, "show", "xyz", *root, code=4)
    said(capsys, "tag", "main", "last", *root)
    assert "its only tag is main" in said(capsys, "show", "xyz", *root, code=4)
