"""What was submitted to a pool has ended when its block has, wherever a signal ends the block."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import count

import pytest

from pytest_kubelb.pools import pool


def test_the_work_is_done_in_threads_of_that_name() -> None:
    with pool(2, "worker") as executor:
        names = {executor.submit(lambda: threading.current_thread().name).result() for _ in range(5)}
    assert {name.rpartition("_")[0] for name in names} == {"worker"}


@pytest.mark.parametrize("at", range(4))
def test_a_signal_while_a_thread_is_started_leaves_no_work_behind(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, numbers, began, ended = threading.Thread.start, count(), [], []

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if next(numbers) == at:
            raise KeyboardInterrupt

    def work() -> None:
        began.append(at)
        time.sleep(0.1)
        ended.append(at)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with suppress(KeyboardInterrupt), pool(3, "worker") as executor:
        for _ in range(3):
            executor.submit(work)
    assert len(began) == (0 if at < 3 else 3)  # after the third none is started any more
    assert ended == began
    for thread in threading.enumerate():
        if thread.name.startswith("worker"):
            thread.join(10)
            assert not thread.is_alive()
