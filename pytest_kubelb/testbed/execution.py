"""Run one command on an open SSH connection and end it when it must not go on. Touches ssh only.

fabric's runner looks for output every 10 ms and, on Ctrl-C, goes on waiting for the remote command;
here output is awaited on the channel's file descriptor, and time-outs and Ctrl-C end the command on the host.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import select
import shlex
import threading
import time
from typing import TYPE_CHECKING

import paramiko

from pytest_kubelb.testbed.ssh import DEFAULT_CONNECT_TIMEOUT_S, brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kubelb.testbed.ssh import Link

_STOP_TIMEOUT_S = 2.0
_FEED_INTERVAL_MS = 5.0  # a full send window gives no event: look again this often while input is left
_PID_MARK = b"kubelb-pid="
FIRST_CHANNELS, NEWEST_CHANNELS = 64, 256
LARGEST_OUTPUT = 64 << 20
"""Bytes that a command may print: what goes on printing is no answer to any command of ours."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one remote command ended; `exit_code` is -1 when a signal killed it."""

    stdout: bytes
    stderr: bytes
    exit_code: int


class ConnectionLostError(Exception):
    """The connection ended while a command was running on it."""


class NoAnswerError(Exception):
    """The host did not even open a channel for a command in time; the connection has been closed."""


class TooMuchError(Exception):
    """A command printed more than `LARGEST_OUTPUT` bytes."""


class RemoteCommand:
    """One command line on a channel of its own.

    The remote shell first writes its process id to stderr, so that a command which must not go on (time-out,
    Ctrl-C) can be ended: sshd leaves a command without a terminal running when its channel closes.
    """

    def __init__(self, link: Link, argv: Sequence[str], *, root: bool) -> None:
        sudo = ("sudo", "-n", "--") if root else ()
        self._link = link
        self._sudo = sudo
        self._words = shlex.join([*sudo, *argv])
        self._stdout = bytearray()
        self._stderr = bytearray()

    def run(self, stdin: bytes, timeout_s: float) -> Outcome:
        """Run to the end. Raises TimeoutError, NoAnswerError, ConnectionLostError or TooMuchError.

        After a time-out or any other exception (Ctrl-C) the remote command has been told to end.
        """
        deadline = time.monotonic() + timeout_s
        try:
            with _channel(self._link, self._line(has_input=bool(stdin)), timeout_s) as channel:
                try:
                    self._pump(channel, stdin, deadline)
                except BaseException:
                    if not self.stop():
                        self._link.close()  # a host that does not even take a kill costs one time-out
                    raise
                lost = channel.exit_status == -1 and not (channel.eof_received and self._link.alive)
                exit_code = channel.exit_status
        except (paramiko.SSHException, EOFError, ConnectionError) as error:
            if time.monotonic() >= deadline:
                raise TimeoutError from error
            raise ConnectionLostError(brief(str(error) or type(error).__name__)) from error
        if lost:
            raise ConnectionLostError("the connection was closed")
        return Outcome(bytes(self._stdout), self._without_pid(), exit_code)

    def _line(self, *, has_input: bool) -> str:
        # paramiko may send stdin or its end after it has answered the channel's close, and sshd ends the
        # whole connection for that. So the channel must not close before our end of stdin: a command without
        # input gets /dev/null, one with input leaves the rest to `cat`.
        rest = (
            f"{self._words}; s=$?; cat >/dev/null; exit $s" if has_input else f"exec {self._words} </dev/null"
        )
        return f"echo {_PID_MARK.decode()}$$ >&2; {rest}"

    def _pump(self, channel: paramiko.Channel, stdin: bytes, deadline: float) -> None:
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        sending = bool(stdin)
        while True:
            over = channel.eof_received or channel.closed  # looked at before the last drain
            self._drain(channel)
            if over:
                break
            if sending:
                stdin, sending = _feed(channel, stdin)
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise TimeoutError
            poll.poll(_FEED_INTERVAL_MS if sending else remaining_s * 1000)
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            raise TimeoutError

    def _drain(self, channel: paramiko.Channel) -> None:
        while channel.recv_ready():
            self._stdout += channel.recv(1 << 16)
            self._refuse_too_much()
        while channel.recv_stderr_ready():
            self._stderr += channel.recv_stderr(1 << 16)
            self._refuse_too_much()

    def _refuse_too_much(self) -> None:
        if len(self._stdout) + len(self._stderr) > LARGEST_OUTPUT:
            raise TooMuchError

    def _without_pid(self) -> bytes:
        before, mark, after = bytes(self._stderr).partition(_PID_MARK)
        return before + after.partition(b"\n")[2] if mark else before

    def stop(self) -> bool:
        """Tell the remote command and its children to end, from any thread; True when it was told."""
        pid, newline, _ = bytes(self._stderr).partition(_PID_MARK)[2].partition(b"\n")
        # What the host says is its process is what is told to end there, so it has to be one.
        if not newline or not re.fullmatch(rb"[1-9][0-9]{0,9}", pid) or pid == b"1" or not self._link.alive:
            return False
        kill = shlex.join([*self._sudo, "kill", "-TERM", "--", f"-{int(pid)}"])
        try:
            with _channel(self._link, kill, _STOP_TIMEOUT_S) as channel:
                return channel.status_event.wait(_STOP_TIMEOUT_S) and channel.exit_status == 0
        except (paramiko.SSHException, EOFError, OSError, NoAnswerError):
            return False


@contextlib.contextmanager
def _channel(link: Link, line: str, timeout_s: float) -> Iterator[paramiko.Channel]:
    limit_s = min(timeout_s, DEFAULT_CONNECT_TIMEOUT_S)
    began = time.monotonic()
    try:
        transport = link.transport
        channel = transport.open_session(timeout=limit_s)
    except paramiko.SSHException as error:
        if time.monotonic() - began < limit_s:
            raise
        link.close()  # or each of the next commands would wait as long
        raise NoAnswerError(f"{limit_s:g} s") from error
    try:
        execute(channel, line, timeout_s)
        yield channel
    finally:
        channel.close()
        forget_channels(transport.channels_seen)


def forget_channels(seen: dict[int, bool]) -> None:
    """Let paramiko forget channels that it opened long ago, of which it keeps every number for a late message.

    It closes a connection that brings a message for a number which it does not know: the newest stay, and the first,
    which are those of shells that stay open.
    """
    if len(seen) > FIRST_CHANNELS + 2 * NEWEST_CHANNELS:
        for number in list(seen)[FIRST_CHANNELS:-NEWEST_CHANNELS]:
            seen.pop(number, None)  # another thread may have been faster


def execute(channel: paramiko.Channel, line: str, timeout_s: float) -> None:
    """Have the host begin a command line. Raises TimeoutError when it has not said within `timeout_s` that it has.

    paramiko waits for that answer without limit; closing the channel ends the wait.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        channel.close()

    timer = threading.Timer(timeout_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        channel.exec_command(line.encode("utf-8", "surrogateescape"))
    except paramiko.SSHException as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def _feed(channel: paramiko.Channel, stdin: bytes) -> tuple[bytes, bool]:
    """Send what the window takes now; what is left, and whether there is more to do."""
    try:
        while stdin and channel.send_ready():
            stdin = stdin[channel.send(stdin[: 1 << 15]) :]
        if not stdin:
            channel.shutdown_write()
    except OSError:  # the command ended without reading all of its input
        return stdin[:0], False
    return stdin, bool(stdin)
