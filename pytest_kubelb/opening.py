"""What has to be there before a testbed can be held: its inventory, and signals that end the session in order.

Touches the lab it starts, and the process's signal handlers.
"""

from __future__ import annotations

import os
import shlex
import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.inventory import Inventory


def lab_kernel(settings: Settings, tunings: Iterable[str]) -> str:
    """Give the kernel to ask the embedded lab for: `auto` becomes `qemu` where a tuning needs a NIC with queues."""
    profiles = settings.inventory.tunings
    needs_queues = any(knobs.needs_nic for name in tunings for knobs in profiles[name].by_host.values())
    return "qemu" if settings.lab_kernel == "auto" and needs_queues else settings.lab_kernel


def lab_lines(settings: Settings, tunings: Iterable[str]) -> list[str]:
    """Give why the embedded lab will run its load balancer on another kernel than usual; nothing when it will not."""
    if not settings.embedded_lab or lab_kernel(settings, tunings) == settings.lab_kernel:
        return []
    from pytest_kubelb.lab.requirements import QUEUES_NEED_QEMU

    return [f"kubelb: {QUEUES_NEED_QEMU}."]


@contextmanager
def inventory_of(
    settings: Settings, tunings: Iterable[str] = ("none",)
) -> Iterator[tuple[Inventory, dict[str, object]]]:
    """Give the inventory to open, and facts: the user's, or the lab's, which is started unless one is up and free.

    `tunings` are the profiles that are going to be used.
    """
    if not settings.embedded_lab:
        yield settings.inventory, {}
        return
    from pytest_kubelb.lab import session
    from pytest_kubelb.testbed import inventory

    with session.lab(lab_kernel(settings, tunings), keep=settings.keep) as lab:
        yield inventory.load(lab.inventory), {"lab_kernel": lab.facts.kernel, "lab_boot_s": lab.facts.boot_s}


def remedy(settings: Settings, inventory: Inventory) -> str:
    """Give what is to be done where `inventory` could not be put back: nothing in a lab that ends with its session."""
    if settings.embedded_lab:
        from pytest_kubelb.lab import launch

        if inventory.file.parent.name != launch.BY_HAND:
            return "its lab ends with it, and nothing else was changed"
    return f"put the testbed back with `kubelb restore --inventory {shlex.quote(str(inventory.file.absolute()))}`"


def to_stderr(line: str) -> None:
    """Print a line from a signal handler, whatever Python's own buffers are in the midst of."""
    os.write(2, f"\n{line}\n".encode(errors="replace"))


class Interrupts:
    """What signals have asked of this process while it holds a testbed."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.remedy = "nothing of a testbed had been changed yet"
        """What to do after a session that was stopped before it could put the testbed back."""
        self._tell = tell
        self._heard = 0
        self._later: str | None = None
        self._deferring = ""

    def defer(self, doing: str = "the testbed is being put back") -> None:
        """Let the first signal wait for `heed_again`, and say what is being done until then.

        Called last in a block, it has to be in a `finally` whose own `with` puts back: a signal may come before it.
        """
        self._deferring = doing

    def heed_again(self) -> None:
        """Raise KeyboardInterrupt for the signal that had to wait, if one came."""
        self._deferring = ""
        if self._later is not None:
            raise KeyboardInterrupt(self._later)

    @contextmanager
    def closing(self) -> Iterator[ExitStack]:
        """Give a stack of what is to be put back, whose closing the first signal does not break into."""
        stack = ExitStack()
        try:
            with stack:
                try:
                    yield stack
                finally:
                    self.defer()
        finally:
            self.heed_again()

    def heed(self, number: int, _frame: object) -> None:
        """Handle a signal: the first one ends the session in order, the second one at once.

        A terminal that is closed may hang up twice, and a service manager sends SIGHUP behind SIGTERM: a hang-up is
        never the second wish.
        """
        name = signal.Signals(number).name
        if self._heard and number == signal.SIGHUP:
            return
        self._heard += 1
        if self._heard > 1:
            self._tell(f"kubelb: stopped by a second signal ({name}): {self.remedy}")
            os._exit(128 + number)  # threads that wait for a host would hold up any other end
        if not self._deferring:
            raise KeyboardInterrupt(name)
        self._later = name
        self._tell(f"kubelb: {name}: {self._deferring}; a second signal stops that at once")


@contextmanager
def interruptible(tell: Callable[[str], None] = to_stderr) -> Iterator[Interrupts]:
    """Turn SIGINT, SIGTERM and SIGHUP into KeyboardInterrupt, which puts everything back on its way out.

    A second one ends the process at once, after a line that says how to put the testbed back; `tell` shows it. A signal
    that is ignored, as nohup does with SIGHUP, stays ignored, and a handler of SIGINT that is not Python's own stays.
    """
    interrupts = Interrupts(tell)
    heeded = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        heeded.append(signal.SIGINT)
    before = {number: signal.signal(number, interrupts.heed) for number in heeded}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def writing() -> Iterator[None]:
    """Let the first signal wait until the record and the reports are written; then it is a KeyboardInterrupt."""
    with interruptible() as interrupts:
        interrupts.remedy = "make the reports anew with `kubelb report`"
        interrupts.defer("the record and the reports are being written")
        try:
            yield
        finally:
            interrupts.heed_again()
