"""Ask one host questions over one open shell, so that each costs a round trip and no new channel. Touches ssh only.

A command of its own (`Host.run`) opens a channel, for which sshd starts a process and that a login shell: 90 ms on
the lab's load balancer. Here `sh` is started once; what it is asked runs in it, on the shell's builtins where it can.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from typing import TYPE_CHECKING

import paramiko

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.execution import execute
from pytest_kubelb.testbed.ssh import brief

if TYPE_CHECKING:
    from pytest_kubelb.testbed.hosts import Host

LARGEST_ANSWER = 16 << 20
"""Bytes: what is longer is no answer to any question of ours."""

_OPEN_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 2.0
_END = b"\x1e"  # ASCII's record separator: in no file that is read, and in no command's output


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the host printed, and when by our own clocks."""

    text: str
    asked_s: float
    """Unix time when the question was sent."""
    begun_s: float
    """Unix time when the answer's first bytes were there."""
    elapsed_s: float
    """From the question to the end of the answer."""


class RemoteShell:
    """`sh` on one host. For one thread at a time; it opens with the first question, and again after an error."""

    def __init__(self, host: Host, definitions: str, command: str = "exec sh 2>/dev/null") -> None:
        """`definitions` is what the shell reads first: functions and variables that the questions use.

        `command` starts the shell, and whatever else its questions need.
        """
        self._host = host
        self._command = command
        self._definitions = definitions
        self._channel: paramiko.Channel | None = None
        self._group = ""
        self._count = 0

    def open(self) -> None:
        """Open it now, lest the first question waits for it. An error is left to that question."""
        with contextlib.suppress(TestbedError):
            self.ask(":", _OPEN_TIMEOUT_S)

    def ask(self, question: str, timeout_s: float) -> Answer:
        """Give what the shell commands `question` print; their standard error is thrown away.

        Raises TestbedError when the host cannot be reached, the connection is lost, or the time is up; what runs
        there has been told to end then, and the next question opens a new shell.
        """
        limit_s = timeout_s
        try:
            # One that was lost since the last question has not been asked this one.
            if self._channel is None or self._channel.closed:
                limit_s = _OPEN_TIMEOUT_S
                self._open()
                limit_s = timeout_s
            return self._exchange(question, timeout_s)
        except TimeoutError as error:
            self._stop()
            sentence = (
                f"host {self._host.name}: no answer to {brief(question, 60)!r} within {limit_s:g} s; see on the"
                " host what holds it up"
            )
            self._host.was_silent(sentence, limit_s)
            raise TestbedError(sentence) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.close()
            raise TestbedError(
                f"host {self._host.name}: no answer to {brief(question, 60)!r}: the SSH connection was lost"
                f" ({brief(str(error) or type(error).__name__)}); see whether the host is up"
            ) from error
        except BaseException:  # Ctrl-C: the rest of this answer must not become the next one's
            self.close()
            raise

    def close(self) -> None:
        """End the shell, from any thread. A question that runs in it raises TestbedError."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                channel.close()

    def _open(self) -> None:
        channel = self._host.link().transport.open_session(timeout=_OPEN_TIMEOUT_S)
        self._channel, self._group = channel, ""
        execute(channel, self._command, _OPEN_TIMEOUT_S)
        group = "read -r stat </proc/$$/stat; set -- ${stat##*) }; echo $3"
        self._group = self._exchange(f"{group}; {{ {self._definitions}\n}}", _OPEN_TIMEOUT_S).text.strip()

    def _exchange(self, question: str, timeout_s: float) -> Answer:
        channel = self._channel
        if channel is None:
            raise ConnectionError("the shell was ended")
        self._count += 1
        end = _END + str(self._count).encode() + b"\n"
        asked_s, began = time.time(), time.perf_counter()
        channel.settimeout(timeout_s)
        channel.sendall(f"{question}\nprintf '\\036%s\\n' {self._count}\n".encode())
        received = bytearray()
        begun_s = 0.0
        while not received.endswith(end):
            remaining_s = timeout_s - (time.perf_counter() - began)
            if remaining_s <= 0:
                raise TimeoutError
            channel.settimeout(remaining_s)
            chunk = channel.recv(1 << 18)
            begun_s = begun_s or time.time()
            if not chunk:
                raise ConnectionError("the shell ended")
            received += chunk
            if len(received) > LARGEST_ANSWER:
                raise ConnectionError(f"it sent more than {LARGEST_ANSWER} bytes")
        del received[-len(end) :]
        elapsed_s = time.perf_counter() - began
        return Answer(received.decode(errors="replace"), asked_s, begun_s, elapsed_s)

    def _stop(self) -> None:
        """End what the shell waits for: closing the channel alone would leave it running."""
        self.close()
        if re.fullmatch("[1-9][0-9]{1,9}", self._group):
            with contextlib.suppress(TestbedError):
                self._host.run(
                    ["kill", "-TERM", "--", f"-{self._group}"], check=False, timeout_s=_STOP_TIMEOUT_S
                )
