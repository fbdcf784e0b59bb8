"""Findings that need a load balancer with CPUs, interrupts and settings of its own, provoked for real under qemu."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.evidence.limits import Limits
from pytest_kubelb.lab import qemu
from tests.lab.provoking import Bench, L, found, grave, holding_bench
from tests.lab.test_qemu import NIC, affinity, hosts, irqs, lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

__all__ = ["hosts", "lab"]


@pytest.fixture(scope="module")
def bench(lab: Lab, hosts: Hosts) -> Iterator[Bench]:
    """The lab, held as a session holds it."""
    with holding_bench(lab, hosts, "test-findings-qemu") as opened:
        yield opened


@pytest.mark.parametrize("backend", ["ipvs", "proxy"])
def test_nothing_is_held_against_a_healthy_run(bench: Bench, backend: str) -> None:
    target = bench.target(backend)
    for _ in range(3):
        sample = bench.run(target)
        assert (sample.validity, sample.reason, grave(sample)) == ("valid", None, set())


def test_programs_on_the_load_balancer_contaminate_the_run(bench: Bench) -> None:
    target = bench.target()
    # Beyond the default of 5 %: an emulated CPU takes a tenth of a short run for answering our own questions.
    with bench.known(limits=Limits(cpu_pressure=20)), bench.running(L, "while :; do :; done"):
        sample = bench.run(target)
    pressure = found(sample, "cpu_pressure")
    assert (sample.validity, pressure.host, pressure.effect) == ("contaminated", L, "contaminated")
    assert "programs took" in pressure.sentence


@pytest.fixture
def on_first_cpu(bench: Bench) -> Iterator[None]:
    """All interrupts of the load balancer's NIC go to its CPU 0."""
    files = [affinity(irq) for irq in irqs(bench.hosts).values()]
    with contextlib.ExitStack() as stack:
        for file in files:
            stack.enter_context(bench.written(L, file, "0"))
        yield


@pytest.mark.usefixtures("on_first_cpu")
def test_a_backlog_that_overflows_contaminates_the_run(bench: Bench) -> None:
    target = bench.target()
    with contextlib.ExitStack() as stack:
        # With RPS a packet goes through the backlog of another CPU.
        for queue in range(qemu.cpus()):
            stack.enter_context(bench.written(L, f"{NIC}/queues/rx-{queue}/rps_cpus", "2"))
        stack.enter_context(bench.written(L, "/proc/sys/net/core/netdev_max_backlog", "0"))
        sample = bench.run(target, connections=80)
    assert found(sample, "softnet_drops").host == L
    assert sample.validity in ("contaminated", "stalled", "failed")


def test_a_queue_whose_settings_somebody_changes_contaminates_the_run(bench: Bench) -> None:
    target, file = bench.target(), f"{NIC}/queues/rx-0/rps_cpus"
    irq = next(iter(irqs(bench.hosts).items()))
    with bench.written(L, file, "0"), bench.written(L, affinity(irq[1]), "0"):
        sample = bench.run(target, meanwhile=bench.later(L, f"echo 2 >{file}; echo 1 >{affinity(irq[1])}"))
    drift = found(sample, "tuning_drift")
    assert (sample.validity, grave(sample), drift.host) == ("contaminated", {"tuning_drift"}, L)
    assert drift.value == 2
    assert "rps_cpus eth0 rx-0 from none to 1" in drift.sentence
    assert f"irq {irq[1]} {irq[0]} from 0 to 1" in drift.sentence


@pytest.fixture
def slow_forwarding(bench: Bench) -> Iterator[None]:
    """Packets pass 1,500 rules on the load balancer: little load fills a CPU, however busy this machine is."""
    rules = "".join(f"-A KUBELB-TEST -p udp -m udp --dport {port}\n" for port in range(1, 1501))
    hooks = ("INPUT", "FORWARD")
    jumps = "".join(f"-A {hook} -j KUBELB-TEST\n" for hook in hooks)
    table = f"*filter\n:KUBELB-TEST - [0:0]\n{rules}{jumps}COMMIT\n"
    back = "; ".join(f"iptables -D {hook} -j KUBELB-TEST" for hook in hooks)
    empty = "iptables -F KUBELB-TEST; iptables -X KUBELB-TEST"
    with bench.changed(L, f"printf '{table}' | iptables-restore --noflush", f"{back}; {empty}"):
        yield


@pytest.mark.usefixtures("on_first_cpu", "slow_forwarding")
def test_forwarding_that_fills_a_cpu_is_the_ceiling(lab: Lab, bench: Bench) -> None:
    if lab.facts.accelerator == "kvm":
        pytest.skip(
            "the load balancer has this machine's own CPUs (kvm), and one thread of wrk may not fill one"
        )
    sample = bench.run(bench.target(), connections=200, duration_s=3)
    ceiling = found(sample, "lb_cpu")
    assert (sample.validity, sample.ceiling, ceiling.host) == ("valid", "lb_cpu", L)
    assert "CPU 0 of k11" in ceiling.sentence
