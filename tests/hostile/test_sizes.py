"""No file and no answer grows memory without bound: what is far too large is refused, or read in pieces."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster import client, watch
from pytest_kubelb.commands import restore
from pytest_kubelb.errors import ConfigError, KubelbError, TestbedError
from pytest_kubelb.gate import stream
from pytest_kubelb.record import exported, marks
from pytest_kubelb.record.evidence_file import read_evidence
from pytest_kubelb.record.imports.making import import_paths
from pytest_kubelb.record.imports.sessions import Choices
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.report.html import evidence as html_evidence
from pytest_kubelb.testbed import execution, inventory
from pytest_kubelb.testbed.hosts import Hosts
from tests.report.html import made
from tests.testbed.openssh import prepare
from tests.testbed.test_hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HUGE = 1 << 30
LARGE = 96 << 20
"""For what is read to its end, in pieces."""
MOST = 24 << 20
"""Bytes that reading may take at once, whatever the file's size."""


@contextmanager
def bounded(most: int = MOST) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def sparse(file: Path, size: int, head: str = "") -> Path:
    """Make a file of NUL bytes, without a line's end, after `head`."""
    file.write_text(head)
    with file.open("r+b") as opened:
        opened.truncate(size)
    return file


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("record.jsonl", lambda file: list(read_record(file))),
        ("evidence.jsonl", lambda file: list(read_evidence(file))),
        ("report.json", lambda file: list(exported.read_report(file))),
        ("marks.json", lambda file: marks.read(file.parent)),
        ("kubelb.toml", inventory.load),
    ],
)
def test_a_file_of_a_gibibyte_is_refused_in_a_few_megabytes(
    tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    with bounded(), pytest.raises(KubelbError, match=r"larger|longer|corrupt|no line"):
        read(sparse(tmp_path / name, HUGE))


def test_a_page_reads_its_evidence_in_a_few_megabytes(tmp_path: Path) -> None:
    """A line without an end is passed over, and what stands before it is shown."""
    record = made.session(tmp_path / "session", runs=2, pods=(1,))
    evidence = record.with_name("evidence.jsonl")
    head = evidence.read_text()
    sparse(evidence, HUGE, head)
    notes: list[str] = []
    with evidence.open("rb") as file, bounded():
        places = html_evidence._places(file, notes)
    assert len(places) == len(head.splitlines())
    assert [note for note in notes if "1 line cannot be read as evidence" in note]


@pytest.mark.parametrize("name", ["ipvs_a_1.log", "ipvs_a_1.csv"])
def test_a_log_that_is_one_line_is_imported_in_a_few_megabytes(tmp_path: Path, name: str) -> None:
    sparse(tmp_path / name, LARGE, "podnum=4\n1,40000\n")
    with bounded(), suppress(KubelbError):
        import_paths([tmp_path], {}, Choices(into=tmp_path, dry_run=True))


class Endless(io.RawIOBase):
    """Bytes without an end, as a pipe may bring them."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        view[:] = b"x" * len(view)
        return len(view)


def test_asking_an_inventory_for_its_backends_takes_a_few_megabytes(tmp_path: Path) -> None:
    with bounded():
        assert restore._backends(sparse(tmp_path / "kubelb.toml", HUGE)) == ()


def test_a_question_without_an_end_is_refused() -> None:
    with bounded(4 * stream.LONGEST_QUESTION), pytest.raises(ConfigError, match="longer than"):
        stream.answer_all(io.BufferedReader(Endless()), io.StringIO(), "stdin")


def test_an_event_of_the_cluster_without_an_end_is_refused() -> None:
    class Response:
        def stream(self, size: int, *, decode_content: bool) -> Iterator[bytes]:
            assert not decode_content
            while True:
                yield b"x" * size

    with bounded(4 * watch.LARGEST_EVENT), pytest.raises(ValueError, match="an event is larger"):
        list(watch._lines(Response()))


def test_events_are_given_one_by_one_however_they_are_cut() -> None:
    class Response:
        def stream(self, size: int, *, decode_content: bool) -> Iterator[bytes]:
            del size, decode_content
            yield from (b'{"a"', b":1}\n{", b'"b":2}\n\n', b'{"torn"')

    assert list(watch._lines(Response())) == [b'{"a":1}', b'{"b":2}']


def test_an_answer_of_the_cluster_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib3.exceptions import HTTPError

    class Response:
        response = io.BufferedReader(Endless())

    monkeypatch.setattr(client, "LARGEST_ANSWER", 1 << 20)
    with bounded(), pytest.raises(HTTPError, match="larger than 1048576 bytes"):
        client._whole(Response())


def test_a_command_that_never_stops_printing_is_stopped_on_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = prepare(tmp_path)
    monkeypatch.setattr(execution, "LARGEST_OUTPUT", 1 << 20)
    with Hosts(server.ssh_config, ["h1"]) as hosts:
        marker = tmp_path / "ended"
        endless = f"trap 'echo >{marker}; exit' TERM; yes & wait"
        with bounded(), pytest.raises(TestbedError, match="was stopped when it had printed"):
            hosts["h1"].run(["sh", "-c", endless], timeout_s=60)
        assert hosts["h1"].run(["echo", "still there"]).stdout == "still there\n"
        wait_until(marker)


def test_a_host_that_lies_about_its_process_has_nothing_else_ended(tmp_path: Path) -> None:
    """The process id of a command is what its shell prints first: a hostile login shell prints what it likes."""
    with Hosts(prepare(tmp_path).ssh_config, ["h1"]) as hosts:
        for pid in (b"1", b"0", b"-1", b"abc", b"1 2", b"9" * 5000, b"\xd9\xa1"):
            command = execution.RemoteCommand(hosts["h1"].link(), ["true"], root=False)
            command._stderr += b"kubelb-pid=" + pid + b"\n"
            assert command.stop() is False
