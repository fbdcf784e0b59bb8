"""Ask all hosts the question at once and give their readings. Touches the hosts, for reading only.

Each host has a shell that stays open (`testbed.shell`), so that a reading is one round trip to each, in parallel.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.evidence import question, reading
from pytest_kubelb.evidence.counting import Counting
from pytest_kubelb.testbed.shell import RemoteShell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kubelb.evidence.reading import Reading
    from pytest_kubelb.testbed.hosts import Host

ANSWER_TIMEOUT_S: Final = 10.0
CLOCK_EVERY_S: Final = 20.0
"""How long a wall clock that was asked for is good: asking costs a process, and the kernel says when it is set by more
than a second."""


@dataclass(frozen=True)
class _Clock:
    """What was known of a host's wall clock when it was last asked for."""

    boot_s: float
    btime_s: int | None
    asked_at_s: float


class Watch:
    """The hosts whose evidence is read, with an open shell on each after the first reading."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        roles: Mapping[str, Sequence[str]],
        sysctls: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`roles` are `load_balancer`, `benchmarker` and more -> names; `sysctls`: host -> those read as settings."""
        self._balancers = frozenset(roles.get("load_balancer", ()))
        self._benchmarkers = frozenset(roles.get("benchmarker", ()))
        self._workers = frozenset(roles.get("workers", ()))
        self._sysctls = sysctls or {}
        self._names = tuple(hosts)
        # The load balancer is asked first: it has the most to say.
        self._shells = {
            name: RemoteShell(hosts[name], question.DEFINITIONS, question.COMMAND)
            for name in sorted(hosts, key=lambda name: name not in self._balancers)
        }
        self._clocks: dict[str, _Clock] = {}
        self._tables = {name: Counting() for name in hosts if name in self._balancers}
        self._last: dict[str, Reading] = {}
        self._pool = ThreadPoolExecutor(max(1, len(hosts)), thread_name_prefix="kubelb-watch")
        self._opening: list[Future[None]] = []

    def open(self) -> None:
        """Begin to open the shells, so that the first reading finds them open; what goes wrong is told by that one."""
        self._opening = [self._pool.submit(shell.open) for shell in self._shells.values()]

    def read(
        self,
        target: str,
        since: Mapping[str, Reading] | None = None,
        each: Callable[[str, Reading], None] | None = None,
    ) -> dict[str, Reading]:
        """Read every host, in parallel; `target` is the URL or the address whose route the benchmarker is asked for.

        `since` is the reading that this one will be compared with, if there is one: what cannot have counted anything
        since then is not asked for again. `each` gets every host's name and reading as soon as it is there, in a thread
        of that host, so that work on the early ones is done while the last one is waited for.
        Raises TestbedError that names every host which did not answer.
        """
        wait(self._opening)  # a shell is for one thread at a time
        address = (urlsplit(target).hostname if "://" in target else target) or ""
        futures = {
            name: self._pool.submit(self._ask, name, address, (since or {}).get(name), each)
            for name in self._shells
        }
        try:
            wait(futures.values())
        except BaseException:  # Ctrl-C: nobody waits for these answers any more
            self._end_shells()
            wait(futures.values())
            raise
        failed = [error for future in futures.values() if (error := future.exception()) is not None]
        for error in failed:
            if len(failed) == 1 or not isinstance(error, TestbedError):
                raise error
        if failed:
            raise TestbedError("; ".join(map(str, failed)))
        return {name: futures[name].result() for name in self._names}

    def close(self) -> None:
        """End the shells and the threads."""
        self._end_shells()
        self._pool.shutdown()

    def _end_shells(self) -> None:
        for shell in self._shells.values():
            shell.close()

    def _ask(
        self, name: str, address: str, since: Reading | None, each: Callable[[str, Reading], None] | None
    ) -> Reading:
        found = self._asked(name, address, since)
        if each is not None:
            each(name, found)
        return found

    def _asked(self, name: str, address: str, since: Reading | None) -> Reading:
        known = self._clocks.get(name)
        fresh = known is not None and time.monotonic() - known.asked_at_s < CLOCK_EVERY_S
        found = self._question(name, address, since, clock=not fresh)
        if fresh and known is not None:
            if found.btime_s == known.btime_s:
                return replace(found, boot_s=known.boot_s)
            # It was set, and the kernel says by how much in whole seconds only.
            found = self._question(name, address, since, clock=True)
        if found.boot_s is not None:
            self._clocks[name] = _Clock(found.boot_s, found.btime_s, time.monotonic())
        return found

    def _question(self, name: str, address: str, since: Reading | None, *, clock: bool) -> Reading:
        sysctls = tuple(self._sysctls.get(name, ()))
        known = self._tables.get(name)
        unasked = known.likely_still(since) if known is not None else ()
        line = question.ask_line(
            clock=clock,
            tables=() if known is None else tuple(each for each in question.TABLES if each not in unasked),
            worker=name in self._workers,
            target=address if name in self._benchmarkers else "",
            sysctls=sysctls,
        )
        answer = self._shells[name].ask(line, ANSWER_TIMEOUT_S)
        found = reading.parse(
            name,
            answer,
            load_balancer=known is not None,
            sysctls=sysctls,
            unasked=unasked,
            before=self._last.get(name),
        )
        if known is not None:
            if late := known.note(found, since).intersection(unasked):
                tables = self._shells[name].ask(question.tables_line(sorted(late)), ANSWER_TIMEOUT_S)
                found = reading.with_tables(found, late, tables)
            known.asked(found, {*question.TABLES} - {*unasked} | late)
        self._last[name] = found
        return found
