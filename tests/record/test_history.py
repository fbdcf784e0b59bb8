"""Finding, tagging and pinning the sessions of a root folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record import history, marks
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.writer import RecordWriter

from .sessions import session_id, write_session

if TYPE_CHECKING:
    from pathlib import Path


def ids(found: tuple[history.Found, ...] | None) -> list[str]:
    assert found is not None
    return [each.id for each in found]


def test_sessions_are_found_oldest_first_and_their_ids_tell_when_they_started(tmp_path: Path) -> None:
    for day in (3, 1, 2):
        write_session(tmp_path, day)
    found = history.sessions(tmp_path)
    assert ids(found) == [session_id(1), session_id(2), session_id(3)]
    assert found[0].started == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert history.sessions(tmp_path / ".kubelb") == found


def test_links_and_folders_that_are_no_sessions_are_passed_over(tmp_path: Path) -> None:
    folder = write_session(tmp_path, 1)
    (folder.parent / session_id(2)).symlink_to(folder)
    (folder.parent / "notes").mkdir()
    (folder.parent / "report.json").write_text("{}")
    assert ids(history.sessions(tmp_path)) == [session_id(1)]


def test_a_root_without_sessions_has_none(tmp_path: Path) -> None:
    assert history.sessions(tmp_path) == ()
    assert history.sessions(tmp_path / "nowhere") == ()


def test_a_session_is_found_by_the_start_of_its_id_when_no_other_begins_so(tmp_path: Path) -> None:
    write_session(tmp_path, 1)
    write_session(tmp_path, 2)
    assert ids(history.resolve(tmp_path, "20261102")) == [session_id(2)]
    with pytest.raises(ConfigError, match=r"2 sessions begin with '2026' .*write more of the id"):
        history.resolve(tmp_path, "2026")


def test_a_tag_means_all_sessions_that_have_it_and_pinned_all_that_are(tmp_path: Path) -> None:
    folders = [write_session(tmp_path, day) for day in (1, 2, 3)]
    for folder in folders[1:]:
        marks.change(folder, lambda old: marks.Marks(old.tags | {"v1.2"}, old.pinned))
    marks.change(folders[0], lambda old: marks.Marks(old.tags, pinned=True))
    assert ids(history.resolve(tmp_path, "v1.2")) == [session_id(2), session_id(3)]
    assert ids(history.resolve(tmp_path, "pinned")) == [session_id(1)]


@pytest.mark.parametrize(
    ("word", "meant"), [("mian", "main"), ("20261101T12000Z-0001", session_id(1)), ("pined", "pinned")]
)
def test_an_unknown_word_is_refused_with_the_nearest_one(tmp_path: Path, word: str, meant: str) -> None:
    folder = write_session(tmp_path, 1)
    marks.change(folder, lambda old: marks.Marks(old.tags | {"main"}, old.pinned))
    with pytest.raises(
        ConfigError, match=f"No session or tag is called '{word}' in .* \\(did you mean {meant}\\?\\)"
    ):
        history.resolve(tmp_path, word)


def test_the_last_sessions_are_those_that_ended_by_themselves_and_were_measured_here(tmp_path: Path) -> None:
    write_session(tmp_path, 1)
    write_session(tmp_path, 2, exit_code=1)
    write_session(tmp_path, 3, exit_code=2)
    write_session(tmp_path, 4, exit_code=None)
    write_session(tmp_path, 5, facts={"imported": {"from": "kuruwa"}})
    (tmp_path / ".kubelb" / session_id(6)).mkdir()
    broken = write_session(tmp_path, 7) / "record.jsonl"
    broken.write_bytes(b"{}\n" + broken.read_bytes())
    write_session(tmp_path, 8).rename(tmp_path / ".kubelb" / "kept-by-hand")
    assert ids(history.resolve(tmp_path, "last:9")) == [session_id(1), session_id(2)]
    assert ids(history.resolve(tmp_path, "last")) == [session_id(2)]


@pytest.mark.parametrize("word", ["last:0", "last:", "last:x", "last:-1"])
def test_a_number_of_sessions_that_is_none_is_refused_with_an_example(tmp_path: Path, word: str) -> None:
    with pytest.raises(ConfigError, match="write last:5"):
        history.resolve(tmp_path, word)


def test_the_nearest_root_is_the_folder_above_that_has_sessions(tmp_path: Path) -> None:
    write_session(tmp_path, 1)
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    assert history.nearest_root(tmp_path / "docs" / "deep") == tmp_path


def test_a_record_is_locked_while_its_writer_lives_in_another_process(tmp_path: Path) -> None:
    folder = tmp_path / ".kubelb" / session_id(1)
    folder.mkdir(parents=True)
    script = (
        "import sys; from pathlib import Path\n"
        "from pytest_kubelb.record.lines import SessionStart\n"
        "from pytest_kubelb.record.writer import RecordWriter\n"
        "with RecordWriter(Path(sys.argv[1]), SessionStart('', '', {}, {})):\n"
        "    print('open', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(folder / "record.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        (found,) = history.sessions(tmp_path)
        assert history.is_locked(found)
        assert history.may_go_on(found, datetime.now(UTC)) == "still being written"
        writer.kill()
    assert not history.is_locked(found)
    assert (
        history.may_go_on(found, datetime.now(UTC)) == "without an end, and written to within the last hour"
    )
    assert history.may_go_on(found, datetime.now(UTC) + history.QUIET) is None


def test_two_tags_at_the_same_moment_are_both_kept(tmp_path: Path) -> None:
    folder = write_session(tmp_path, 1)

    def tag(number: int) -> None:
        marks.change(folder, lambda old: marks.Marks(old.tags | {f"t{number}"}, old.pinned))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tag, range(40)))
    assert marks.read(folder).tags == {f"t{number}" for number in range(40)}
    assert (folder / marks.MARKS).stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in folder.iterdir()) == [marks.MARKS, "record.jsonl"]


def test_marks_travel_with_a_copy_of_the_session(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "here", 1)
    marks.change(folder, lambda old: marks.Marks(old.tags | {"main"}, pinned=True))
    shutil.copytree(folder, tmp_path / "there" / ".kubelb" / folder.name)
    shutil.rmtree(tmp_path / "here")
    (found,) = history.resolve(tmp_path / "there", "main")
    assert found.marks == marks.Marks(frozenset({"main"}), pinned=True)


@pytest.mark.parametrize(
    "tag", ["", "a b", "a,b", "../x", "-x", "2026", "20261101T12", session_id(1), "pinned", "last", "r.json"]
)
def test_a_word_that_would_be_read_as_something_else_is_no_tag(tag: str) -> None:
    with pytest.raises(ConfigError, match=r"is no tag: write|cannot be a tag: it would be read as a session"):
        marks.check_tag(tag)


@pytest.mark.parametrize("tag", ["main", "v1.2", "2026.1", "release-7", "a" * 64])
def test_words_and_versions_are_tags(tag: str) -> None:
    assert marks.check_tag(tag) == tag


@given(st.binary(max_size=60))
def test_damaged_marks_are_one_sentence_or_marks(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "marks"
    folder.mkdir(exist_ok=True)
    (folder / marks.MARKS).write_bytes(text)
    with pytest.raises(KubelbError, match="delete the file to forget that session's tags and pin"):
        marks.read(folder)


def test_tags_for_a_session_that_is_gone_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KubelbError, match=r"cannot be written to .*: No such file"):
        marks.change(tmp_path / "gone", lambda old: old)


def test_a_line_that_only_looks_like_an_end_does_not_end_a_record(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    with RecordWriter(record, SessionStart("", "", {"text": '{"kind":"end"}'}, {})):
        pass
    assert history.ending(record) is None
    with record.open("ab") as file:
        file.write(b'{"kind":"end","at":"","exit_code":0}')
    assert history.ending(record) is None
    with record.open("ab") as file:
        file.write(b"\n")
    assert history.ending(record) is not None
