"""A signal ends a session that holds a testbed in order, unless the caller has it ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import opening

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _handlers_put_back() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_a_keyboard_interrupt_that_names_it(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)
    with pytest.raises(KeyboardInterrupt, match=number.name), opening.interruptible():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_hang_up_that_nohup_ignores_does_not_end_the_session() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with opening.interruptible():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_first_signal_waits_while_the_testbed_is_put_back_and_says_so() -> None:
    said: list[str] = []
    done: list[bool] = []

    def put_back(interrupts: opening.Interrupts) -> None:
        with interrupts.closing() as stack:
            stack.callback(done.append, True)
            stack.callback(os.kill, os.getpid(), signal.SIGHUP)  # a hang-up behind it is no second wish
            stack.callback(os.kill, os.getpid(), signal.SIGTERM)

    with opening.interruptible(said.append) as interrupts, pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        put_back(interrupts)
    assert done
    assert said == ["kubelb: SIGTERM: the testbed is being put back; a second signal stops that at once"]


def test_a_signal_just_before_the_putting_back_does_not_break_into_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    defer = opening.Interrupts.defer
    done: list[bool] = []

    def interrupted(interrupts: opening.Interrupts) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        defer(interrupts)

    def measure(interrupts: opening.Interrupts) -> None:
        with interrupts.closing() as stack:
            stack.callback(done.append, True)

    monkeypatch.setattr(opening.Interrupts, "defer", interrupted)
    with opening.interruptible() as interrupts, pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        measure(interrupts)
    assert done


def test_a_signal_waits_until_the_reports_are_written(capfd: pytest.CaptureFixture[str]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    written: list[bool] = []

    def write() -> None:
        with opening.writing():
            os.kill(os.getpid(), signal.SIGINT)
            written.append(True)

    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        write()
    assert written
    assert "SIGINT: the record and the reports are being written" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_signal_ends_the_process_with_a_line_that_says_what_to_do() -> None:
    code = (
        "import os, signal\nfrom pytest_kubelb import opening\n"
        "with opening.interruptible() as interrupts:\n"
        "    interrupts.remedy = 'put it back'\n"
        "    try: os.kill(os.getpid(), signal.SIGINT)\n"
        "    except KeyboardInterrupt: pass\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == "\nkubelb: stopped by a second signal (SIGTERM): put it back\n"
