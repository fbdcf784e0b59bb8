"""Remote commands over a real sshd: quoting, stdin, exit codes, time-outs, parallelism, Ctrl-C."""

from __future__ import annotations

import getpass
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import execution
from pytest_kubelb.testbed.hosts import Host, Hosts

from .openssh import OpenSSH, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("h1", "h2", "h3", "h4")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> OpenSSH:
    return prepare(tmp_path_factory.mktemp("openssh"))


@pytest.fixture(scope="module")
def hosts(server: OpenSSH) -> Iterator[Hosts]:
    with Hosts(server.ssh_config, NAMES) as opened:
        yield opened


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Host:
    return hosts["h1"]


def wait_until(happened: threading.Event | Path, limit_s: float = 10.0) -> None:
    """Wait for another thread or process, with a limit."""
    deadline = time.monotonic() + limit_s
    while not (happened.is_set() if isinstance(happened, threading.Event) else happened.exists()):
        assert time.monotonic() < deadline, f"{happened} did not come within {limit_s} s"
        time.sleep(0.005)


def gone(pid: int, limit_s: float = 5.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def children() -> set[int]:
    """List the child processes of all our threads, zombies included."""
    while True:
        tasks = list(Path("/proc/self/task").iterdir())
        try:
            return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
        except FileNotFoundError:
            continue  # a thread has ended meanwhile, and another one has its children now


hostile = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        hostile | st.sampled_from(["", "$(id)", "`id`", "a'b\"c", "; exit 3", "\n", "-n", "*", "~", "\\"])
    )
)
def test_any_argument_arrives_as_it_was_given(host: Host, arguments: list[str]) -> None:
    done = host.run(["printf", "%s\\0", *arguments])
    assert done.stdout == "".join(f"{argument}\0" for argument in arguments or [""])


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_input_arrives_as_it_was_given(host: Host, text: str) -> None:
    assert host.run(["cat"], input=text).stdout == text


def test_numbers_of_channels_are_forgotten_but_the_first_and_the_newest(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "FIRST_CHANNELS", 2)
    monkeypatch.setattr(execution, "NEWEST_CHANNELS", 3)
    host.close()
    seen = host.link().transport.channels_seen
    for _ in range(30):
        host.run(["true"])
    assert len(seen) <= 2 + 2 * 3
    assert list(seen)[:2] == [0, 1]
    assert list(seen)[-1] == 29


def test_input_and_output_beyond_every_buffer_pass_without_a_deadlock(host: Host) -> None:
    text = "0123456789abcde\n" * (5 << 16)  # 5 MiB: more than two SSH windows
    assert host.run(["cat"], input=text, timeout_s=60).stdout == text


def test_a_command_that_does_not_read_its_input_ends_normally(host: Host) -> None:
    assert host.run(["true"], input="x" * (4 << 20)).exit_code == 0


def test_a_command_without_input_sees_the_end_of_it_at_once(host: Host) -> None:
    assert host.run(["cat"]).stdout == ""


def test_stdout_stderr_exit_code_and_command_come_back(host: Host) -> None:
    done = host.run(["sh", "-c", "echo out; echo err >&2; exit 7"], check=False)
    assert (done.host, done.stdout, done.stderr, done.exit_code) == ("h1", "out\n", "err\n", 7)
    assert done.command == "sh -c 'echo out; echo err >&2; exit 7'"


def test_a_failing_command_is_one_sentence_with_host_command_code_and_what_it_said(host: Host) -> None:
    with pytest.raises(TestbedError, match=r"^host h1: 'ls /nonexistent/x' ended with exit code 2 .*No such"):
        host.run(["ls", "/nonexistent/x"])


def test_a_missing_program_is_named(host: Host) -> None:
    with pytest.raises(TestbedError, match=r"'no-such-program' ended with exit code 127 .*not found"):
        host.run(["no-such-program"])


def test_a_command_killed_by_a_signal_is_said_to_be(host: Host) -> None:
    with pytest.raises(TestbedError, match="was killed by a signal"):
        host.run(["sh", "-c", "kill -KILL $$"])


def test_a_command_of_no_words_or_with_a_nul_byte_is_refused(host: Host) -> None:
    for argv in ([], ["echo", "a\0b"]):
        with pytest.raises(ValueError, match="NUL"):
            host.run(argv)


def test_a_command_that_takes_too_long_is_stopped_on_the_host_and_the_connection_stays(
    host: Host, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(TestbedError, match=r"^host h1: 'sh -c .*' was stopped after 0.3 s"):
        host.run(["sh", "-c", 'echo $$ > "$0"; sleep 60 & wait', str(pid_file)], timeout_s=0.3)
    assert gone(int(pid_file.read_text()))
    before = children()
    assert host.run(["true"]).exit_code == 0
    assert children() == before


def test_ctrl_c_propagates_at_once_and_ends_the_remote_command(host: Host, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def interrupt() -> None:
        wait_until(pid_file)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        host.run(
            ["sh", "-c", 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 60', str(pid_file)], timeout_s=90
        )
    thread.join()
    assert gone(int(pid_file.read_text()))
    assert host.run(["echo", "still here"]).stdout == "still here\n"


def test_ctrl_c_ends_the_commands_of_all_hosts(hosts: Hosts, tmp_path: Path) -> None:
    def interrupt() -> None:
        deadline = time.monotonic() + 10
        while len(list(tmp_path.iterdir())) < len(NAMES) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        hosts.each(NAMES, ["sh", "-c", 'touch "$0/$$"; exec sleep 60', str(tmp_path)], timeout_s=90)
    thread.join()
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == len(NAMES)
    assert all(gone(pid) for pid in pids)


def test_each_runs_on_all_hosts_at_the_same_time(hosts: Hosts, tmp_path: Path) -> None:
    # Every command waits until all four have started: one after the other they would never end.
    script = 'touch "$0/$$"; until [ $(ls "$0" | wc -l) -eq 4 ]; do sleep 0.01; done; echo together'
    done = hosts.each(NAMES, ["sh", "-c", script, str(tmp_path)])
    assert {name: one.stdout for name, one in done.items()} == dict.fromkeys(NAMES, "together\n")
    assert [done[name].host for name in NAMES] == list(NAMES)


def test_each_names_every_host_that_failed(hosts: Hosts) -> None:
    with pytest.raises(TestbedError, match=r"host h2: 'false' ended.*; host h3: 'false' ended"):
        hosts.each(["h2", "h3"], ["false"])


def test_threads_share_one_connection_however_soon_their_commands_end(host: Host) -> None:
    # A command that ends before its stdin has ended once made sshd close the connection under all the others.
    seen: list[str] = []

    def work(number: int) -> None:
        for text in [None, "x" * 9000] * 10:
            done = host.run(["echo", str(number)], input=text)
            seen.append(done.stdout)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    before = children()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(f"{number}\n" for number in range(8) for _ in range(20))
    assert children() == before


def test_root_asks_sudo_only_when_the_login_user_is_not_root(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link's user name is faked: a second login user cannot be made on every machine."""
    if getpass.getuser() == "root":
        assert host.run(["id", "-u"], root=True).stdout == "0\n"
    link = host.link()
    monkeypatch.setattr(link.connection, "user", "somebody")
    done = host.run(["no-such-program"], root=True, check=False)
    assert done.exit_code != 0
    assert "sudo" in done.stderr


def test_a_connection_lost_in_mid_command_is_an_error_and_the_next_command_reconnects_with_a_warning(
    server: OpenSSH, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pid_file = tmp_path / "pid"
    with Hosts(server.ssh_config, ["h1"]) as hosts:
        before = children()
        hosts.connect(["h1"])
        (sshd,) = children() - before

        def cut() -> None:
            wait_until(pid_file)
            os.kill(sshd, signal.SIGKILL)

        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(
            TestbedError, match=r"^host h1: 'sh -c .*' has no result: the SSH connection was lost"
        ):
            hosts["h1"].run(
                ["sh", "-c", 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 5', str(pid_file)],
                timeout_s=30,
            )
        thread.join()
        with caplog.at_level(logging.WARNING, "pytest_kubelb.testbed.hosts"):
            assert hosts["h1"].run(["echo", "again"]).stdout == "again\n"
        assert "host h1: the SSH connection was lost; connecting again" in caplog.text
    with suppress(ProcessLookupError):
        os.kill(int(pid_file.read_text()), signal.SIGTERM)


def test_closing_leaves_no_process_thread_or_file_descriptor(server: OpenSSH) -> None:
    fds = Path("/proc/self/fd")
    before, threads, descriptors = children(), set(threading.enumerate()), len(list(fds.iterdir()))
    for _ in range(2):
        with Hosts(server.ssh_config, NAMES) as hosts:
            hosts.connect(NAMES)
            hosts.each(NAMES, ["true"])
        hosts.close()
    assert children() == before
    assert set(threading.enumerate()) <= threads
    assert len(list(fds.iterdir())) <= descriptors


def test_shell_words_in_the_error_stay_one_short_line(host: Host) -> None:
    with pytest.raises(TestbedError) as caught:
        host.run(["sh", "-c", "false\n" * 100])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
