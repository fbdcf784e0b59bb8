"""No name leads out of its folder: links, dots and NUL in what is tagged, pruned, kept, imported, put back, found."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.gate import choice
from pytest_kubelb.lab import state
from pytest_kubelb.record import baseline, history, marks, pruning, sources
from pytest_kubelb.record.appending import JsonLines
from pytest_kubelb.record.imports.making import import_paths
from pytest_kubelb.record.imports.sessions import Choices
from pytest_kubelb.report.artifacts import Artifacts
from pytest_kubelb.testbed import journal
from tests.fuzz.files import LOG
from tests.record.sessions import session_id, write_session

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2027, 1, 1, tzinfo=UTC)
SAID = "of somebody else"
OUTWARD = ("..", ".", "/", "../outside", "/etc", "x/../../outside", "", "a\0b", "~nobody-of-this-name/x")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder and a file beside the sessions that nothing may change."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text(SAID)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    write_session(tmp_path / "root", 3)
    return tmp_path / "root"


def untouched(outside: Path) -> bool:
    return [path.name for path in outside.iterdir()] == ["file"] and (outside / "file").read_text() == SAID


def test_a_tag_takes_the_place_of_a_link_and_what_it_leads_to_stays(root: Path, outside: Path) -> None:
    (outside / "file").write_text('{"schema_version": 1, "tags": [], "pinned": false}')
    folder = root / ".kubelb" / session_id(3)
    (folder / marks.MARKS).symlink_to(outside / "file")
    marks.change(folder, lambda old: marks.Marks(old.tags | {"v1"}))
    assert "v1" not in (outside / "file").read_text()
    assert marks.read(folder).tags == {"v1"}


def test_a_session_that_is_a_link_is_not_tagged(root: Path, outside: Path) -> None:
    (root / ".kubelb" / session_id(4)).symlink_to(outside)
    with pytest.raises(KubelbError, match="cannot be written"):
        marks.change(root / ".kubelb" / session_id(4), lambda _: marks.Marks(pinned=True))
    assert untouched(outside)


@pytest.mark.parametrize("word", OUTWARD)
def test_no_word_means_a_folder_outside(root: Path, outside: Path, word: str) -> None:
    write_session(outside, 5)
    assert history.lookup(root, word) is None
    if word and word != ".":
        with pytest.raises(ConfigError, match="tag"):
            marks.check_tag(word)


def test_pruning_goes_through_no_link_that_lies_in_its_way(root: Path, outside: Path) -> None:
    (found,) = pruning.plan(root, NOW, keep=0).remove
    found.folder.with_name(f".removing-{found.id}").symlink_to(outside)
    with pytest.raises(KubelbError, match="cannot be removed"):
        pruning.remove(found, NOW)
    pruning.finish(root)
    assert untouched(outside)
    assert found.record.exists()


def test_artifacts_of_a_session_that_is_gone_on_with_go_through_no_link(root: Path, outside: Path) -> None:
    folder = root / ".kubelb" / session_id(3)
    (folder / "artifacts").symlink_to(outside)
    with pytest.raises(KubelbError, match="it is a link"):
        Artifacts(folder, "always").point("ipvs-pods04")
    assert untouched(outside)


def test_the_note_that_artifacts_are_full_goes_through_no_link(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "full.txt").symlink_to(outside / "file")
    with pytest.raises(KubelbError, match="cannot be kept"):
        Artifacts(tmp_path, "always", most_bytes=0).point("ipvs-pods04")
    assert untouched(outside)


@pytest.mark.parametrize("name", ["ipvs-pods04", "ipvs-pods04.unfinished"])
def test_a_point_whose_folder_is_a_link_is_kept_beside_it(tmp_path: Path, outside: Path, name: str) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / name).symlink_to(outside)
    point = Artifacts(tmp_path, "always").point("ipvs-pods04")
    assert point is not None
    point.log("said")
    assert point.finish(failed=False) == tmp_path / "artifacts" / "ipvs-pods04-2"
    assert untouched(outside)


@pytest.mark.parametrize("again", [False, True])
def test_evidence_goes_through_no_link(tmp_path: Path, outside: Path, *, again: bool) -> None:
    (tmp_path / "evidence.jsonl").symlink_to(outside / "file")
    with pytest.raises(KubelbError):
        JsonLines(tmp_path / "evidence.jsonl", "evidence file", again=again)
    assert untouched(outside)


@pytest.mark.parametrize(
    "name", ["..log", "lvs_..%2f..%2foutside.log", "lvs_\n..\n.log", "lvs_\\..\\.log", "-rf.log"]
)
def test_what_is_imported_lands_in_the_folder_of_its_session(
    tmp_path: Path, outside: Path, name: str
) -> None:
    logs, into = tmp_path / "logs", tmp_path / "into"
    logs.mkdir()
    (logs / name).write_text(LOG)
    import_paths([logs / name], {}, Choices(into=into, backend="ipvs", pods=4))
    (session,) = (into / ".kubelb").iterdir()
    assert history.Found(session.name, session, marks.Marks()).started is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["into", "logs", "outside"]
    assert untouched(outside)


@pytest.mark.parametrize("word", [word for word in OUTWARD if word not in (".", "")])
@pytest.mark.parametrize("name", ["session", "kind", "subject"])
def test_a_journal_that_lies_on_a_host_names_no_other_folder(name: str, word: str) -> None:
    left = journal.Journal("s", "tuning", "k11", "2026", "box", 1, 2, {}, "subject")
    text = journal.encode(journal.Journal(**{**vars(left), name: word}))
    with pytest.raises(ValueError, match=r"names|lacks"):
        journal.decode(text)


def test_a_link_among_the_labs_is_removed_as_a_link(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = tmp_path / "labs"
    labs.mkdir(mode=0o700)
    (labs / "dead").symlink_to(outside)
    monkeypatch.setattr(state, "labs_root", lambda: labs)
    assert state.remove_dead() == ["dead"]
    assert not (labs / "dead").is_symlink()
    assert untouched(outside)


def test_a_lab_is_not_made_where_a_link_leads(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making one empties its folder of what a killed lab left."""
    labs = tmp_path / "labs"
    labs.mkdir(mode=0o700)
    (labs / "default").symlink_to(outside)
    monkeypatch.setattr(state, "labs_root", lambda: labs)
    folder, lock = state.create("default")
    os.close(lock)
    assert folder.is_dir()
    assert not folder.is_symlink()
    assert untouched(outside)


def test_the_home_folder_of_nobody_is_no_file_and_no_traceback(root: Path) -> None:
    word = "~nobody-of-this-name/record.jsonl"
    assert str(sources.path_of(word)) == word
    with pytest.raises(ConfigError, match="No session, tag or file"):
        choice.source(word, root)
    with pytest.raises(ConfigError, match="No tag, session or file"):
        baseline.check(word, root)
