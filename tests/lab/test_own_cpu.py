"""A guest's own CPU: two guests have different ones, and what runs there stays there."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.lab import own_cpu

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cpus(tmp_path: Path) -> Path:
    """Folders as sysfs has them, for locks of our own."""
    for number in os.sched_getaffinity(0):
        (tmp_path / f"cpu{number}").mkdir()
    return tmp_path


def test_each_guest_has_another_cpu_and_one_that_comes_when_none_is_left_has_none(cpus: Path) -> None:
    taken = [own_cpu.take(cpus) for _ in os.sched_getaffinity(0)]
    assert [each.number for each in taken if each] == sorted(os.sched_getaffinity(0), reverse=True)
    assert own_cpu.take(cpus) is None
    for each in taken:
        assert each is not None
        each.release()


def test_a_cpu_that_was_released_is_free_for_another_guest(cpus: Path) -> None:
    first = own_cpu.take(cpus)
    assert first is not None
    first.release()
    second = own_cpu.take(cpus)
    assert second is not None
    assert second.number == first.number
    second.release()


def test_what_it_runs_stays_there_with_all_that_it_starts(cpus: Path) -> None:
    cpu = own_cpu.take(cpus)
    assert cpu is not None
    words = cpu.command(["sh", "-c", "sh -c 'grep Cpus_allowed_list /proc/self/status'"])
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    cpu.release()
    assert done.stdout.split() == ["Cpus_allowed_list:", str(cpu.number)]


def test_a_machine_that_shows_no_cpus_gives_none(tmp_path: Path) -> None:
    assert own_cpu.take(tmp_path / "nothing") is None


def test_this_machine_has_cpus_to_lock() -> None:
    taken = [own_cpu.take() for _ in range(2)]  # labs that run beside these tests may have some
    assert len({each.number for each in taken if each}) == len([each for each in taken if each])
    for each in taken:
        if each:
            each.release()
