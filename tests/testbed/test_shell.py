"""One shell that stays open on a host, over a real sshd."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.hosts import Host, Hosts
from pytest_kubelb.testbed.shell import RemoteShell

from .openssh import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    server = prepare(tmp_path_factory.mktemp("openssh"))
    with Hosts(server.ssh_config, ["h1"]) as hosts:
        yield hosts["h1"]


@pytest.fixture
def shell(host: Host) -> Iterator[RemoteShell]:
    opened = RemoteShell(host, 'greet() { echo "hello $1"; }\ncount=0')
    yield opened
    opened.close()


def pid(shell: RemoteShell) -> int:
    return int(shell.ask("echo $$", 5).text)


def test_the_shell_stays_the_same_from_question_to_question(shell: RemoteShell) -> None:
    assert pid(shell) == pid(shell)
    assert [shell.ask("count=$((count+1)); echo $count", 5).text for _ in range(3)] == ["1\n", "2\n", "3\n"]


def test_what_was_defined_is_there(shell: RemoteShell) -> None:
    assert shell.ask("greet world", 5).text == "hello world\n"


def test_an_answer_may_be_empty_or_long_or_without_an_end_of_line(shell: RemoteShell) -> None:
    assert shell.ask(":", 5).text == ""
    assert shell.ask("printf abc", 5).text == "abc"
    assert shell.ask("seq 200000", 20).text == "".join(f"{number}\n" for number in range(1, 200001))


def test_what_goes_to_standard_error_is_no_part_of_the_answer(shell: RemoteShell) -> None:
    assert shell.ask("echo no >&2; no_such_command; echo yes", 5).text == "yes\n"


def test_an_answer_says_when_it_was_asked_and_begun(shell: RemoteShell) -> None:
    before = time.time()
    answer = shell.ask("echo now", 5)
    assert before <= answer.asked_s <= answer.begun_s <= time.time()
    assert answer.elapsed_s >= 0


def test_a_question_that_takes_too_long_is_ended_on_the_host(shell: RemoteShell, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with pytest.raises(TestbedError, match=r"host h1: no answer to .* within 0\.5 s"):
        shell.ask(f"sh -c 'echo $$ >{file}; exec sleep 60'", 0.5)
    sleeper = int(file.read_text())
    deadline = time.monotonic() + 10
    while running(sleeper):
        assert time.monotonic() < deadline, "the command goes on"
        time.sleep(0.01)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_after_an_error_the_next_question_opens_a_new_shell(shell: RemoteShell) -> None:
    first = pid(shell)
    with pytest.raises(TestbedError, match="the shell ended"):
        shell.ask("exit 3", 5)
    assert pid(shell) != first
    assert shell.ask("greet again", 5).text == "hello again\n"


def test_a_connection_that_was_lost_between_questions_is_opened_again_by_the_next_one(
    host: Host, shell: RemoteShell
) -> None:
    pid(shell)
    host.close()
    assert shell.ask("echo back", 5).text == "back\n"


def test_a_question_ends_when_the_shell_is_closed_by_another_thread(shell: RemoteShell) -> None:
    pid(shell)
    timer = threading.Timer(0.3, shell.close)
    timer.start()
    with pytest.raises(TestbedError, match="host h1: no answer"):
        shell.ask("sleep 60", 60)
    timer.join()
    assert shell.ask("echo on", 5).text == "on\n"
