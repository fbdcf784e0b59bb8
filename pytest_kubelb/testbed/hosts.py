"""Run commands on the testbed's hosts over OpenSSH, in parallel where asked. Touches ssh only.

Every command is an argument list and reaches the remote shell quoted. Connections open on first use, are
kept, and are shared by threads; a lost one is opened again by the next command, with a warning in the log,
and no command is ever run twice.
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
from pytest_kubelb.testbed.execution import ConnectionLostError, RemoteCommand
from pytest_kubelb.testbed.ssh import Link, brief, read_ssh_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    import fabric

log = logging.getLogger(__name__)

_STOP_WAIT_S = 3.0
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
            raise TestbedError(
                f"{where} was stopped after {timeout_s:g} s without an end; see on the host what holds it up"
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
            if self._link is not None:
                log.warning("host %s: the SSH connection was lost; connecting again", self.name)
                self._link.close()
            link = Link(self.name, self._config)
            link.open()
            self._link = link
            return link

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
