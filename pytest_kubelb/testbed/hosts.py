"""Run commands on the testbed's hosts over OpenSSH, in parallel where asked. Touches ssh only.

Every command is an argument list and reaches the remote shell quoted. Connections open on first use, are
kept, and are shared by threads; a lost one is opened again by the next command, with a warning in the log,
and no command is ever run twice. A host that lets a time-out pass costs it once: for twice as long as it took, what
is asked of it fails at once with the same sentence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shlex
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Self, TypeVar

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.execution import (
    LARGEST_OUTPUT,
    ConnectionLostError,
    NoAnswerError,
    RemoteCommand,
    TooMuchError,
)
from pytest_kubelb.testbed.ssh import Link, brief, read_ssh_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    import fabric

log = logging.getLogger(__name__)

_STOP_WAIT_S = 3.0
_SILENT_FACTOR = 2.0
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Completed:
    """A remote command that ended; `exit_code` -1 means killed by a signal, `elapsed_s` is measured here."""

    host: str
    command: str
    stdout: str
    stderr: str
    exit_code: int
    elapsed_s: float


class Host:
    """One host, by its name in the ssh_config. Commands of several threads share its one connection."""

    def __init__(self, name: str, config: fabric.Config) -> None:
        self.name = name
        self._config = config
        self._link: Link | None = None
        self._opening = threading.Lock()
        self._running: set[RemoteCommand] = set()
        self.on_command: Callable[[Completed], None] | None = None
        """Is told of every command that ended, in the thread that waited for it."""
        self.on_reconnect: Callable[[str], None] | None = None
        """Is told the name of the host when a lost connection was opened again, in the thread that did it."""
        self._silence = ""
        self._silent_until_s = 0.0

    def connect(self) -> None:
        """Open the connection unless it is open. Raises TestbedError."""
        self.link()

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - the name subprocess.run gives it
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> Completed:
        """Run one command to its end; `input` is its stdin, `root` prefixes `sudo -n` where needed.

        A command that exceeds `timeout_s`, and one that Ctrl-C interrupts, is told to end (SIGTERM to its
        process group) and not waited for. Raises TestbedError when the host cannot be reached, the
        connection is lost, the time is up, or (with `check`) the exit code is not 0.
        """
        if not argv or any("\0" in word for word in argv):
            raise ValueError(f"a remote command needs a program and no NUL bytes, got {list(argv)!r}")
        link = self.link()
        command = RemoteCommand(link, argv, root=root and link.connection.user != "root")
        where = f"host {self.name}: {brief(shlex.join(argv), 80)!r}"
        started = time.perf_counter()
        self._running.add(command)
        try:
            outcome = command.run((input or "").encode("utf-8", "surrogateescape"), timeout_s)
        except TimeoutError as error:
            sentence = (
                f"{where} was stopped after {timeout_s:g} s without an end; see on the host what holds it up"
            )
            self.was_silent(sentence, time.perf_counter() - started)
            raise TestbedError(sentence) from error
        except NoAnswerError as error:
            sentence = f"{where} was not begun, the host did not answer within {error}; see whether it is up"
            self.was_silent(sentence, time.perf_counter() - started)
            raise TestbedError(sentence) from error
        except TooMuchError as error:
            raise TestbedError(
                f"{where} was stopped when it had printed {LARGEST_OUTPUT} bytes; run it there by hand to see why"
            ) from error
        except ConnectionLostError as error:
            link.close()
            raise TestbedError(
                f"{where} has no result: the SSH connection was lost ({error}); see whether the host is up"
            ) from error
        finally:
            self._running.discard(command)
        completed = Completed(
            self.name, brief(shlex.join(argv), 4096),
            outcome.stdout.decode(errors="replace"), outcome.stderr.decode(errors="replace"),
            outcome.exit_code, time.perf_counter() - started,
        )  # fmt: skip
        if self.on_command is not None:
            self.on_command(completed)
        if check and completed.exit_code != 0:
            raise TestbedError(f"{where} {_how_it_failed(completed)}")
        return completed

    def link(self) -> Link:
        """Give the open connection, opened when it is not. Raises TestbedError."""
        with self._opening:
            if self._link is not None and self._link.alive:
                return self._link
            if time.monotonic() < self._silent_until_s:
                raise TestbedError(self._silence)
            if lost := self._link is not None:
                log.warning("host %s: the SSH connection was lost; connecting again", self.name)
                self._link.close()
            link = Link(self.name, self._config)
            began = time.monotonic()
            try:
                link.open()
            except TestbedError as error:
                self._keep_silence(str(error), time.monotonic() - began)
                raise
            self._link = link
        if lost and self.on_reconnect is not None:
            self.on_reconnect(self.name)
        return link

    def was_silent(self, sentence: str, cost_s: float) -> None:
        """Note that a time-out of `cost_s` passed; when it took the connection along, the next commands do not wait."""
        if self._link is None or not self._link.alive:
            self._keep_silence(sentence, cost_s)

    def _keep_silence(self, sentence: str, cost_s: float) -> None:
        self._silence = sentence
        self._silent_until_s = time.monotonic() + _SILENT_FACTOR * cost_s

    def try_again(self) -> None:
        """Forget that the host did not answer: the next command asks it anew."""
        self._silent_until_s = 0.0

    def stop_commands(self) -> None:
        """End the commands running here, from any thread; where that fails, end the connection."""
        told = [command.stop() for command in list(self._running)]
        if not all(told) and self._link is not None:
            self._link.close()

    def close(self) -> None:
        """End the connection, its jump hosts and its ProxyCommand."""
        with self._opening:
            if self._link is not None:
                self._link.close()
            self._link = None


class Hosts:
    """All hosts of one ssh_config by name; a context manager that closes every connection at its end."""

    def __init__(self, ssh_config: Path, names: Iterable[str]) -> None:
        config = read_ssh_config(ssh_config)
        # A copy for each: invoke empties and refills a Config's cache whenever it is used for a new connection.
        self._hosts = {name: Host(name, config.clone()) for name in names}
        self._pool = ThreadPoolExecutor(max(1, len(self._hosts)), thread_name_prefix="kubelb-host")

    def __getitem__(self, name: str) -> Host:
        """Return the host of that name; KeyError when there is none."""
        return self._hosts[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def listen(self, on_command: Callable[[Completed], None]) -> None:
        """Have `on_command` told of every command that ends on any host."""
        for host in self._hosts.values():
            host.on_command = on_command

    def tell_reconnects(self, on_reconnect: Callable[[str], None]) -> None:
        """Have `on_reconnect` told the name of every host whose lost connection was opened again."""
        for host in self._hosts.values():
            host.on_reconnect = on_reconnect

    def try_again(self) -> None:
        """Ask hosts anew that did not answer: before they are put back, which is worth one more time-out."""
        for host in self._hosts.values():
            host.try_again()

    def connect(self, names: Iterable[str]) -> None:
        """Open the connections in parallel. Raises TestbedError naming every host that failed."""
        self._parallel({name: self[name].connect for name in names})

    def each(
        self,
        names: Iterable[str],
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - as Host.run
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> dict[str, Completed]:
        """Run the same command on several hosts in parallel; the arguments are those of `Host.run`.

        Raises TestbedError that names every host which failed, after all have ended.
        """

        def on(host: Host) -> Callable[[], Completed]:
            return lambda: host.run(argv, input=input, timeout_s=timeout_s, check=check, root=root)

        return self._parallel({name: on(self[name]) for name in names})

    def _parallel(self, jobs: dict[str, Callable[[], _T]]) -> dict[str, _T]:
        futures = {name: self._pool.submit(job) for name, job in jobs.items()}
        try:
            wait(futures.values())
        except BaseException:  # Ctrl-C: nobody waits for these commands any more
            for name in futures:
                self[name].stop_commands()
            wait(futures.values(), timeout=_STOP_WAIT_S)
            raise
        failed = [error for future in futures.values() if (error := future.exception()) is not None]
        for error in failed:
            if not isinstance(error, TestbedError):
                raise error
        if len(failed) > 1:
            raise TestbedError("; ".join(str(error) for error in failed))
        return {name: future.result() for name, future in futures.items()}

    def close(self) -> None:
        """End all connections, in parallel."""
        with contextlib.suppress(RuntimeError):  # a second close: the pool is gone and so are the connections
            list(self._pool.map(Host.close, self._hosts.values()))
        self._pool.shutdown()


def _how_it_failed(completed: Completed) -> str:
    said = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
    because = f" ({said[-1][:200]})" if said else " and printed nothing"
    if completed.exit_code == -1:
        return f"was killed by a signal{because}; see the host's log for who did it, the OOM killer for one"
    if "sudo:" in completed.stderr and "password" in completed.stderr:
        return f"needs sudo without a password there{because}; add the sudoers lines from the documentation"
    return f"ended with exit code {completed.exit_code}{because}; run it there by hand to see why"
