"""What a host tells of itself: the real question asked of this machine, and answers of every kind."""

from __future__ import annotations

import platform
import shutil
import subprocess
from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb import defaults, host_facts
from tests.local_host import LocalHost

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.testbed.hosts import Hosts


class OneHost:
    """Hosts of which there is one: this machine. SSH to several has tests of its own."""

    def __init__(self, host: LocalHost) -> None:
        self.host = host

    def each(self, names: list[str], argv: list[str]) -> dict[str, object]:
        return {name: self.host.run(argv) for name in names}


def test_a_host_tells_its_kernel_cpus_and_memory_by_one_command() -> None:
    host = LocalHost()
    facts = defaults.pytest_kubelb_host_facts(cast("Hosts", OneHost(host)), ["k12"])
    assert len(host.commands) == 1
    assert facts["kernels"] == {"k12": f"Linux {platform.release()} {platform.machine()}"}
    told = cast("dict[str, dict[str, object]]", facts["hosts"])["k12"]
    assert isinstance(told["cpus"], int)
    assert told["cpus"] >= 1
    assert isinstance(told["memory_mib"], int)
    assert isinstance(told["nics"], list)


def test_a_host_without_any_tool_still_answers(tmp_path: Path) -> None:
    shell = cast("str", shutil.which("sh"))
    done = subprocess.run(
        [shell, "-c", host_facts.SCRIPT],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(host_facts.parse(done.stdout)) <= {"nics", "cpus"}


def test_an_answer_becomes_facts() -> None:
    text = (
        "kernel Linux 6.1.0-28-amd64 x86_64\ncpus 8\ncpu Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz\n"
        "memory_kib 16384000\n"
        "nics\nnic eth1 e1000e:1000:9000\nnic eth0 virtio_net:-1:1500\nnic bond0 :2000:1500\n"
        "wrk wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\n"
    )
    assert host_facts.parse(text) == {
        "kernel": "Linux 6.1.0-28-amd64 x86_64",
        "cpus": 8,
        "cpu": "Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz",
        "memory_mib": 16000,
        "nics": [
            "bond0 (2000 Mb/s, MTU 1500)",
            "eth0 (virtio_net, MTU 1500)",
            "eth1 (e1000e, 1000 Mb/s, MTU 9000)",
        ],
        "wrk": "debian/4.1.0-3+b2 [epoll]",
    }


def test_what_is_said_for_the_specs_is_no_fact() -> None:
    text = "nics\nnic eth0 tg3:1000:1500\nlink eth0 tg3:1000:1500:5:1\noffload eth0 rx-gro\nlink veth1 veth::1500:1:1\n"
    assert host_facts.parse(text) == {"nics": ["eth0 (tg3, 1000 Mb/s, MTU 1500)"]}


def test_empty_answers_are_left_out() -> None:
    assert host_facts.parse("kernel \ncpus \ncpu \nnics\nwrk sh: wrk: not found\n") == {"nics": []}


@given(
    st.text()
    | st.lists(st.sampled_from(["nic a b:c:d", "nic", "cpus x", "nics", "cpus ²", "wrk", "cpu "])).map(
        "\n".join
    )
)
def test_any_answer_is_read(text: str) -> None:
    assert set(host_facts.parse(text)) <= {"kernel", "cpu", "cpus", "memory_mib", "nics", "wrk"}
