"""What has to be there before a testbed can be held: its inventory, and signals that end the session in order.

Touches the lab it starts, and the process's signal handlers.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, which puts everything back on its way out.

    A signal that is ignored, as nohup does with SIGHUP, stays ignored.
    """

    def interrupt(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    heeded = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
