"""What SIGKILL, a full disk and a file-size limit leave of a record: real ones, in processes of their own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

# Appends samples until it is stopped, and prints the number of each once `append` has returned. A sample
# that is refused is tried again, shorter: a writer stays usable when there is room.
WRITER = """
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.record.writer import RecordWriter

path = Path(sys.argv[1])
sample = Sample({"backend": "ipvs", "pods": 4}, 1, 0, "failed", "x" * 700, "", 1.0, "wrk", None)
with RecordWriter(path, SessionStart("20261123T072210Z-3f9c", "", {}, {})) as writer:
    for run in count():
        try:
            writer.append(replace(sample, run=run))
        except KubelbError as error:
            print("stopped:", error, flush=True)
            writer.append(replace(sample, run=run, reason="after"))
        print(run, flush=True)
"""


@pytest.mark.parametrize("survivors", [1, 2, 7, 30, 100])
def test_sigkill_loses_no_run_whose_append_had_returned(tmp_path: Path, survivors: int) -> None:
    path = tmp_path / "record.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        confirmed = [int(writer.stdout.readline()) for _ in range(survivors)]
        writer.send_signal(signal.SIGKILL)
        confirmed += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    assert writer.returncode == -signal.SIGKILL
    runs = [line.run for line in read_record(path) if isinstance(line, Sample)]
    assert runs[: len(confirmed)] == confirmed
    assert runs == list(range(len(runs)))


def assert_it_stopped_between_two_lines(record: Path, output: str) -> None:
    runs = [int(line) for line in output.splitlines() if line.isdigit()]
    sentences = [line for line in output.splitlines() if line.startswith("stopped: The record")]
    assert "record.jsonl cannot take another line" in sentences[0]
    assert "it ends with the line before" in sentences[0]
    start, *lines = read_record(record)
    assert isinstance(start, SessionStart)
    assert [line.run for line in lines if isinstance(line, Sample)] == runs
    assert not any(isinstance(line, Note) for line in lines)
    assert len(runs) > 10


def test_a_full_disk_stops_the_writer_and_the_record_ends_with_a_whole_line(tmp_path: Path) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy.jsonl"
    disk.mkdir()
    # In a mount namespace of its own: the mount is gone with the last process in it.
    unshare = ["unshare", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=64k none '{disk}'"
    if shutil.which("unshare") is None or subprocess.run([*unshare, mount], check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    record = f"'{disk}/record.jsonl'"
    write = f"{mount} && {{ '{sys.executable}' -c \"$0\" {record}; cp {record} '{copy}'; }}"
    writer = subprocess.run([*unshare, write, WRITER], capture_output=True, text=True, check=True)
    assert_it_stopped_between_two_lines(copy, writer.stdout)


def test_a_file_size_limit_stops_the_writer_and_the_record_ends_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    writer = subprocess.run(
        [sys.executable, "-c", f"{limit}\n{WRITER}", path], capture_output=True, text=True, check=False
    )
    assert "KubelbError" in writer.stderr
    assert_it_stopped_between_two_lines(path, writer.stdout)


@pytest.mark.parametrize("room", [0, 10])
def test_no_room_for_the_first_line_is_one_sentence_and_an_empty_record(tmp_path: Path, room: int) -> None:
    path = tmp_path / "record.jsonl"
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"
    writer = subprocess.run(
        [sys.executable, "-c", f"{limit}\n{WRITER}", path], capture_output=True, text=True, check=False
    )
    assert f"The record {path} cannot take another line" in writer.stderr
    assert ("File too large" if room == 0 else f"only {room} of the line's") in writer.stderr
    assert path.stat().st_size == 0
