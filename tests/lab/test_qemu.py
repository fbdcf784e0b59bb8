"""A load balancer with several CPUs and queues: it boots, forwards, and its knobs do what they say."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import launch, qemu, requirements, topology
from pytest_kubelb.matrix import Point
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.hosts import Hosts
from tests.lab.test_lab import convergence, held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.convergence import Convergence
    from pytest_kubelb.lab.launch import Lab

__all__ = ["convergence", "held"]

NIC = "/sys/class/net/eth0"
LOAD = ["wrk", "-c", "40", "-t", "1", "-d", "2s"]
# What an emulated CPU makes of that load on a machine that is busy with other things; idle ones make thousands.
MANY = 50


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab whose load balancer runs under qemu; KUBELB_TEST_QEMU=required makes its absence an error, as in CI."""
    try:
        requirements.check("qemu")
    except TestbedError as error:
        if os.environ.get("KUBELB_TEST_QEMU") == "required":
            raise
        pytest.skip(f"this machine cannot run qemu for a lab: {error}")
    lab = launch.start(None, "qemu", tied=True)
    yield lab
    launch.stop(lab)


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[Hosts]:
    """The lab's hosts, by the ssh_config that it wrote."""
    described = inventory.load(lab.inventory)
    with Hosts(lab.ssh_config, described.roles.hosts) as opened:
        yield opened


@pytest.fixture
def load(convergence: Convergence, hosts: Hosts) -> Iterator[list[str]]:
    """A command for the benchmarker that drives traffic through the load balancer; its knobs are put back after it."""
    target = convergence.converge(Point("ipvs", 2, "vxlan"))
    numbers = irqs(hosts)
    before = {path: read(hosts, path) for path in [affinity(number) for number in numbers.values()]}
    before |= {f"{NIC}/queues/rx-{queue}/rps_cpus": "0" for queue in range(qemu.cpus())}
    yield [*LOAD, target.url]
    for path, value in before.items():
        write(hosts, path, value)


def read(hosts: Hosts, path: str) -> str:
    return hosts["k11"].run(["cat", path]).stdout.strip()


def write(hosts: Hosts, path: str, value: str) -> None:
    hosts["k11"].run(["sh", "-c", f"echo {value} >{path}"])


def affinity(irq: int) -> str:
    return f"/proc/irq/{irq}/smp_affinity_list"


def irqs(hosts: Hosts) -> dict[str, int]:
    """Give the interrupt of every receive queue by its name."""
    return {name: irq for irq, (name, _) in counts(hosts).items() if "-input." in name}


def counts(hosts: Hosts) -> dict[int, tuple[str, list[int]]]:
    """Give the NIC's interrupts: name and count per CPU."""
    found = {}
    for line in read(hosts, "/proc/interrupts").splitlines():
        words = line.split()
        if words[-1].startswith("virtio0-"):
            found[int(words[0].rstrip(":"))] = (words[-1], [int(word) for word in words[1 : 1 + qemu.cpus()]])
    return found


def net_rx(hosts: Hosts) -> list[int]:
    """Give the NET_RX softirqs of each CPU."""
    lines = [line.split() for line in read(hosts, "/proc/softirqs").splitlines()]
    return next([int(word) for word in words[1:]] for words in lines if words[0] == "NET_RX:")


def moved(before: list[int], after: list[int]) -> list[int]:
    return [late - early for early, late in zip(before, after, strict=True)]


def test_the_lab_says_on_which_kernel_and_accelerator_its_load_balancer_runs(lab: Lab) -> None:
    assert lab.facts.kernel == "qemu"
    assert lab.facts.accelerator in ("kvm", "tcg")
    assert lab.facts.kernel_told == f"qemu ({lab.facts.accelerator})"


def test_the_load_balancer_has_several_cpus_and_queues_with_an_interrupt_each(hosts: Hosts) -> None:
    number = qemu.cpus()
    assert hosts["k11"].run(["nproc"]).stdout.strip() == str(number)
    assert set(irqs(hosts)) == {f"virtio0-input.{queue}" for queue in range(number)}
    queues = hosts["k11"].run(["ls", f"{NIC}/queues"]).stdout.split()
    assert queues == [f"{way}-{queue}" for way in ("rx", "tx") for queue in range(number)]
    assert f"Combined:\t{number}" in hosts["k11"].run(["ethtool", "-l", "eth0"]).stdout.replace("  ", "")


@pytest.mark.parametrize("overlay", ["vxlan", "host-gw"])
@pytest.mark.parametrize("backend", ["ipvs", "proxy"])
def test_every_pod_answers_by_its_own_address(convergence: Convergence, backend: str, overlay: str) -> None:
    # converge() itself asks until each has answered, and raises when a stranger does.
    target = convergence.converge(Point(backend, 7, overlay))
    assert len({endpoint.node for endpoint in target.endpoints}) == len(topology.WORKERS)


@pytest.mark.parametrize("backend", ["ipvs", "proxy"])
def test_wrk_gets_its_answers_through_each_backend(
    convergence: Convergence, hosts: Hosts, backend: str
) -> None:
    target = convergence.converge(Point(backend, 2, "vxlan"))
    said = hosts["k12"].run([*LOAD, target.url]).stdout
    assert "requests in" in said
    assert "Socket errors" not in said
    assert "Non-2xx" not in said


@pytest.mark.parametrize("cpu", [0, 1])
def test_an_interrupt_goes_to_the_cpu_it_is_sent_to(hosts: Hosts, load: list[str], cpu: int) -> None:
    irq = irqs(hosts)["virtio0-input.0"]
    write(hosts, affinity(irq), str(cpu))
    assert read(hosts, affinity(irq)) == str(cpu)
    before = counts(hosts)[irq][1]
    hosts["k12"].run(load)
    delta = moved(before, counts(hosts)[irq][1])
    assert delta[cpu] > MANY, delta
    # The kernel moves it when the next one comes, and that one still goes to the other CPU.
    assert delta[1 - cpu] <= 2, delta
    assert read(hosts, f"/proc/irq/{irq}/effective_affinity_list") == str(cpu)


def test_an_rps_mask_moves_the_work_of_receiving_to_the_cpus_in_it(hosts: Hosts, load: list[str]) -> None:
    for irq in irqs(hosts).values():
        write(hosts, affinity(irq), "0")
    deltas = {}
    for mask in ("0", "2"):
        for queue in range(qemu.cpus()):
            write(hosts, f"{NIC}/queues/rx-{queue}/rps_cpus", mask)
        before = net_rx(hosts)
        hosts["k12"].run(load)
        deltas[mask] = moved(before, net_rx(hosts))
    assert deltas["0"][0] > MANY, deltas
    assert deltas["0"][1] < deltas["0"][0] / 5, deltas
    assert deltas["2"][1] > MANY, deltas
    assert deltas["2"][1] > 5 * deltas["0"][1], deltas


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/proc/sys/net/core/rps_sock_flow_entries", "32768"),
        (f"{NIC}/queues/rx-0/rps_flow_cnt", "8192"),
        (f"{NIC}/queues/rx-1/rps_cpus", "3"),
        (f"{NIC}/queues/tx-1/xps_cpus", "1"),
    ],
)
def test_a_knob_of_the_queues_reads_back_what_was_written(hosts: Hosts, path: str, value: str) -> None:
    before = read(hosts, path)
    assert before != value
    write(hosts, path, value)
    assert read(hosts, path) == value
    write(hosts, path, before)


def test_the_kernel_tells_of_pressure_and_has_the_conntrack_table_kube_proxy_sets(hosts: Hosts) -> None:
    assert read(hosts, "/proc/pressure/cpu").startswith("some avg10=")
    assert read(hosts, "/proc/sys/net/netfilter/nf_conntrack_max") == "131072"
    assert read(hosts, "/proc/sys/net/netfilter/nf_conntrack_buckets") == "32768"


def test_killing_the_lab_ends_the_load_balancer_with_it(lab: Lab) -> None:
    del lab  # or this one would start before it is known whether qemu is there
    another = launch.start(None, "qemu", tied=True)
    try:
        (machine,) = machines(another)
        os.kill(another.facts.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while machine.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not machine.exists()
    finally:
        launch.stop(another)
    assert not another.folder.exists()


def machines(lab: Lab) -> list[Path]:
    """Give the /proc folders of the qemu processes in the lab's PID namespace."""
    found = []
    inside = Path(f"/proc/{lab.facts.init_pid}/ns/pid").readlink()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            program = (path / "cmdline").read_bytes().split(b"\0")[0]
            if program.endswith(qemu.PROGRAM.encode()) and (path / "ns/pid").readlink() == inside:
                found.append(path)
    return found
