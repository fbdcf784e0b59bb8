"""What a host that hangs may cost: one time-out, however much it is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.testbed.shell import RemoteShell
from pytest_kubelb.testbed.ssh import DEFAULT_CONNECT_TIMEOUT_S
from tests.faults.bed import C
from tests.faults.running import restore

if TYPE_CHECKING:
    from tests.faults.bed import Bed

LIMIT_S = 2.0
ONE_TIMEOUT_S = DEFAULT_CONNECT_TIMEOUT_S + 9.0
"""The time-out of a connection, and room for the rest on a busy machine; below two time-outs."""


def test_a_host_that_hangs_costs_one_time_out_and_answers_again_when_it_is_tried_again(bed: Bed) -> None:
    with Hosts(bed.folder / "ssh_config", [C]) as ours:
        host = ours[C]
        host.run(["true"])
        with bed.hung(C):
            with pytest.raises(TestbedError, match="did not answer within 2 s") as first:
                host.run(["true"], timeout_s=LIMIT_S)
            began = time.monotonic()
            for _ in range(20):
                with pytest.raises(TestbedError) as later:
                    host.run(["true"])
                assert str(later.value) == str(first.value)
            with pytest.raises(TestbedError, match="did not answer within 2 s"):
                RemoteShell(host, ":").ask("echo", 10.0)
            assert time.monotonic() - began < LIMIT_S
        ours.try_again()
        assert host.run(["echo", "there"]).stdout == "there\n"


def test_restore_waits_once_for_a_host_that_hangs_and_names_it(bed: Bed) -> None:
    with bed.door(C, "hung"):
        began = time.monotonic()
        done = restore(bed.inventory)
        took_s = time.monotonic() - began
    assert done.returncode == 1
    assert "k12: NOT restored: host k12: no SSH connection" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert took_s < ONE_TIMEOUT_S
