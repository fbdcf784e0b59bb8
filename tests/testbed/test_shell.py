"""One shell that stays open on a host, over a real sshd."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import paramiko
import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.evidence import question
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


@pytest.fixture(params=[(), (question.COMMAND,)], ids=["alone", "with the awk that reads files"])
def shell(host: Host, request: pytest.FixtureRequest) -> Iterator[RemoteShell]:
    opened = RemoteShell(host, 'greet() { echo "hello $1"; }\ncount=0', *request.param)
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


class Mute(paramiko.ServerInterface):
    """Lets everybody in, opens every channel, and answers no request to execute until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        return int(paramiko.common.AUTH_SUCCESSFUL)

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return int(paramiko.common.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:  # noqa: ARG002
        self.released.wait(30)
        return False


@pytest.fixture
def mute(tmp_path: Path) -> Iterator[Host]:
    """Give a host whose sshd opens channels and never answers `exec`."""
    server = prepare(tmp_path)
    key = paramiko.ECDSAKey.generate()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server.known_hosts.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        server.ssh_config.write_text(
            f"Host h1\n  HostName 127.0.0.1\n  Port {port}\n  User nobody\n"
            f"  IdentityFile {server.folder / 'user'}\n  UserKnownHostsFile {server.known_hosts}\n"
        )
        asked = Mute()
        opened: list[paramiko.Transport] = []

        def serve() -> None:
            transport = paramiko.Transport(listening.accept()[0])
            opened.append(transport)
            transport.add_server_key(key)
            transport.start_server(event=threading.Event(), server=asked)

        accepting = threading.Thread(target=serve)
        accepting.start()
        with Hosts(server.ssh_config, ["h1"]) as hosts:
            hosts.connect(["h1"])
            accepting.join()
            yield hosts["h1"]
        asked.released.set()
        for transport in opened:
            transport.close()


def test_a_host_that_opens_a_channel_and_never_executes_anything_costs_one_time_out(
    mute: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kubelb.testbed.shell._OPEN_TIMEOUT_S", 0.5)
    shell = RemoteShell(mute, ":")
    ended = threading.Timer(10, mute.close)  # lest a fault of ours holds up all tests
    ended.start()
    with pytest.raises(
        TestbedError, match=r"^host h1: no answer to 'echo on' within 0\.5 s; see on the host"
    ):
        shell.ask("echo on", 60)
    ended.cancel()


def test_a_question_ends_when_the_shell_is_closed_by_another_thread(shell: RemoteShell) -> None:
    pid(shell)
    timer = threading.Timer(0.3, shell.close)
    timer.start()
    with pytest.raises(TestbedError, match="host h1: no answer"):
        shell.ask("sleep 60", 60)
    timer.join()
    assert shell.ask("echo on", 5).text == "on\n"
