"""Writing a record and reading it again, whole and torn."""

from __future__ import annotations

import json
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.appending import LONGEST_LINE
from pytest_kubelb.record.lines import SCHEMA_VERSION, Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.writer import RecordWriter

from .lines import POINT, START, sample

if TYPE_CHECKING:
    from pathlib import Path

EVENT = Event(
    at="2026-11-23T07:22:12Z", name="converged", details={"seconds": 0.3, "text": "4 pods\nready\u2028"}
)
VERDICT = Verdict(POINT, "unrepeatable", {"cv": 0.07, "mean": None}, "ipvs-vxlan-pods04 is unrepeatable")
END = SessionEnd(at="2026-11-23T07:23:00Z", exit_code=1)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Give a record with one line of each kind."""
    path = tmp_path / "record.jsonl"
    with RecordWriter(path, START) as writer:
        for line in (EVENT, sample(0), VERDICT, END):
            writer.append(line)
    return path


def test_every_kind_of_line_comes_back_as_the_value_it_was(record: Path) -> None:
    assert list(read_record(record)) == [START, EVENT, sample(0), VERDICT, END]


def test_each_line_is_an_object_with_its_kind_first_and_the_first_has_the_schema_version(
    record: Path,
) -> None:
    lines = record.read_text().splitlines()
    assert [next(iter(json.loads(line).items())) for line in lines] == [
        ("kind", kind) for kind in ("session", "event", "sample", "verdict", "end")
    ]
    assert json.loads(lines[0])["schema_version"] == SCHEMA_VERSION


def test_a_torn_last_line_is_ignored_with_a_note(record: Path) -> None:
    whole = record.read_bytes()
    before_last = whole.rindex(b"\n", 0, -1) + 1
    for length in range(before_last + 1, len(whole)):
        record.write_bytes(whole[:length])
        *lines, note = read_record(record)
        assert lines == [START, EVENT, sample(0), VERDICT]
        assert isinstance(note, Note)
        assert f"{record}:5: the last line was torn after {length - before_last} bytes" in note.text


def test_an_empty_record_gives_a_note(tmp_path: Path) -> None:
    (tmp_path / "record.jsonl").touch()
    (note,) = read_record(tmp_path / "record.jsonl")
    assert isinstance(note, Note)
    assert "empty" in note.text


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (b"{]", "Expecting property name"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "codec can't decode"),
        (b'{"kind":"sample"}', "'result' is missing"),
        (b'{"kind":"rumour"}', "'kind' is 'rumour', not one of session, sample"),
        (b"[" * 5000, "nested too deeply"),
        (b"", "Expecting value"),
    ],
)
def test_a_corrupt_line_in_the_middle_is_an_error_that_names_file_and_line(
    record: Path, damage: bytes, says: str
) -> None:
    lines = record.read_bytes().split(b"\n")
    lines[2] = damage
    record.write_bytes(b"\n".join(lines))
    reading = read_record(record)
    assert [next(reading), next(reading)] == [START, EVENT]
    with pytest.raises(KubelbError, match=f"^{record}:3: this is no line of a record: .*{says}"):
        next(reading)


def test_a_record_of_a_newer_schema_is_refused_with_both_versions(record: Path) -> None:
    record.write_text(record.read_text().replace('"schema_version":2', '"schema_version":3'))
    with pytest.raises(
        KubelbError, match=r"record.jsonl:1: .*'schema_version' is 3, and this version reads 1 to 2"
    ):
        next(read_record(record))


def test_a_file_that_does_not_begin_with_a_session_is_no_record(record: Path) -> None:
    record.write_bytes(record.read_bytes().partition(b"\n")[2])
    with pytest.raises(KubelbError, match=r"record.jsonl:1: .*one 'session' line, its first"):
        list(read_record(record))


def test_a_second_session_line_is_refused(record: Path) -> None:
    record.write_bytes(record.read_bytes() * 2)
    with pytest.raises(KubelbError, match=r"record.jsonl:6: .*one 'session' line, its first"):
        list(read_record(record))


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(record: Path) -> None:
    with record.open("ab") as file:
        file.write(b" " * (LONGEST_LINE + 1))
    with pytest.raises(KubelbError, match=f"longer than {LONGEST_LINE} bytes"):
        list(read_record(record))


def test_a_missing_record_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KubelbError, match="nowhere cannot be read: No such file"):
        list(read_record(tmp_path / "nowhere"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 1500), length=st.integers(0, 100), replacement=st.binary(max_size=50))
def test_a_mutated_record_is_read_or_refused_but_nothing_else(
    record: Path, start: int, length: int, replacement: bytes
) -> None:
    whole = record.read_bytes()
    mutated = record.with_name("mutated.jsonl")
    mutated.write_bytes(whole[:start] + replacement + whole[start + length :])
    try:
        lines = list(read_record(mutated))
    except KubelbError as error:
        refusal = str(error)
        assert refusal.startswith(f"{mutated}:")  # that it is read instead is just as good
    else:
        assert isinstance(lines[0], SessionStart | Note)


def test_lines_from_many_threads_are_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with RecordWriter(path, START) as writer:

        def append(thread: int) -> None:
            for i in range(25):
                writer.append(Event(at="", name=f"{thread}-{i}", details={"padding": "x" * 3000}))

        threads = [Thread(target=append, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    names = {line.name for line in read_record(path) if isinstance(line, Event)}
    assert len(names) == 200


def test_a_second_writer_is_refused(record: Path) -> None:
    before = record.read_bytes()
    with pytest.raises(KubelbError, match="already there, and one session writes to it"):
        RecordWriter(record, START)
    assert record.read_bytes() == before


def test_a_folder_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KubelbError, match="cannot be made: No such file"):
        RecordWriter(tmp_path / "nowhere" / "record.jsonl", START)


def test_a_value_that_json_lacks_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with RecordWriter(path, START) as writer:
        before = path.read_bytes()
        with pytest.raises(ValueError, match="not JSON compliant"):
            writer.append(Event(at="", name="odd", details={"value": float("nan")}))
        with pytest.raises(ValueError, match=f"at most {LONGEST_LINE}"):
            writer.append(Event(at="", name="long", details={"value": "x" * LONGEST_LINE}))
    assert path.read_bytes() == before


def test_a_closed_record_takes_no_line(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "record.jsonl", START) as writer:
        pass
    with pytest.raises(ValueError, match="is closed"):
        writer.append(END)


def test_reading_does_not_hold_the_record_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    RecordWriter(path, START).close()
    line = b'{"kind":"event","at":"","name":"x","details":{"padding":"' + b"x" * 10_000 + b'"}}\n'
    with path.open("ab") as file:
        for _ in range(4000):
            file.write(line)
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from pytest_kubelb.record.reader import read_record\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "lines = sum(1 for _ in read_record(Path(sys.argv[1])))\n"
        "print(lines, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    output = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    lines, grown_kib = map(int, output.stdout.split())
    assert lines == 4001
    assert grown_kib < 8 * 1024 < path.stat().st_size / 1024
