"""Tuning of a machine with a multi-queue NIC: interrupts that move, packets that are steered, and everything put back.

The machine is the lab's load balancer under qemu, or a real one: KUBELB_TEST_TUNING_HOST="SSH_CONFIG HOST", whose NIC
towards us is tuned and put back. It needs two CPUs, a NIC with two queues, and root.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import launch, requirements
from pytest_kubelb.testbed import leftovers
from pytest_kubelb.testbed.hosts import Host, Hosts
from pytest_kubelb.tuning import reading
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.knobs import FlowTables, Knobs, Spread
from pytest_kubelb.tuning.profile import READY, Profile
from pytest_kubelb.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.tuning.reading import Reading, Subjects

BYTES = 400_000
SNAPSHOT = """\
grep -s '' /sys/class/net/*/queues/*/?ps_* /proc/sys/net/core/rps_sock_flow_entries /proc/sys/net/core/netdev_budget \
  /proc/sys/net/netfilter/nf_conntrack_max /proc/sys/net/netfilter/nf_conntrack_buckets /proc/irq/*/smp_affinity_list
for n in /sys/class/net/*; do ethtool -l "${n##*/}"; ethtool -g "${n##*/}"; done 2>/dev/null
ls /run; for p in $(grep -lsx irqbalance /proc/[0-9]*/comm); do tr '\\0' ' ' <"${p%/comm}/cmdline"; done; true
"""
# It gets a real machine's interrupts away from where a profile wants them: a shell that bears the name of the program.
IRQBALANCE = ("/run/tuning-test/irqbalance", "-c", "while :; do sleep 1; done", "--foreground")
NIC = 'd=$(ip -o route get "${SSH_CONNECTION%% *}"); d=${d##* dev }; echo "${d%% *}"'


@pytest.fixture(scope="module")
def where() -> Iterator[tuple[Path, str]]:
    """The ssh_config and the name of the machine."""
    named = os.environ.get("KUBELB_TEST_TUNING_HOST", "").split()
    if named:
        yield Path(named[0]), named[1]
        return
    try:
        requirements.check("qemu")
        lab = launch.start(None, "qemu", tied=True)
    except TestbedError as error:
        pytest.skip(f"no machine with a multi-queue NIC: {error}")
    try:
        yield lab.ssh_config, "k11"
    finally:
        launch.stop(lab)


@pytest.fixture(scope="module")
def machine(where: tuple[Path, str]) -> Iterator[Host]:
    with Hosts(where[0], [where[1]]) as hosts:
        yield hosts[where[1]]


@pytest.fixture(scope="module")
def nic(machine: Host) -> str:
    return sh(machine, NIC).strip()


@pytest.fixture
def tuner(machine: Host) -> Iterator[Tuner]:
    """A tuner whose host is compared before and after."""
    before = sh(machine, SNAPSHOT)
    made = Tuner({machine.name: machine}, "session-1", lambda *_: None)
    yield made
    made.restore()
    assert sh(machine, SNAPSHOT) == before


def sh(machine: Host, script: str) -> str:
    return machine.run(["sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin\n{script}"]).stdout


def nothing_runs(_: object) -> str:
    return ""


def send(machine: Host) -> None:
    """Send it packets, through the NIC that ssh comes by."""
    machine.run(["sh", "-c", "cat >/dev/null"], input="x" * BYTES)


def interrupts(machine: Host, names: set[str]) -> list[int]:
    """Give the interrupts of each CPU so far, summed over the rows that bear one of the names."""
    rows = [line.split() for line in sh(machine, "cat /proc/interrupts").splitlines()]
    cpus = len(rows[0])
    mine = [list(map(int, row[1 : cpus + 1])) for row in rows[1:] if row[-1] in names]
    return [sum(column) for column in zip(*mine, strict=True)]


def net_rx(machine: Host) -> list[int]:
    line = next(line for line in sh(machine, "cat /proc/softirqs").splitlines() if "NET_RX" in line)
    return list(map(int, line.split()[1:]))


def grown(before: list[int], after: list[int]) -> list[int]:
    return [now - then for then, now in zip(before, after, strict=True)]


def apply(tuner: Tuner, machine: Host, knobs: Knobs) -> dict[str, str]:
    tuned = tuner.apply(Profile("p", {machine.name: knobs}))[machine.name]
    assert tuned.unsupported == {}
    return dict(tuned.settings)


@pytest.mark.parametrize("cpu", [0, 1])
def test_rss_moves_the_interrupts_of_the_queues(machine: Host, tuner: Tuner, nic: str, cpu: int) -> None:
    settings = apply(
        tuner, machine, Knobs(nic=nic, irqbalance=False, rss=Spread(parse(str(cpu)), in_turn=True))
    )
    moved = {
        name.split(" ", 2)[2]
        for name, value in tuner.expected(machine.name).items()
        if name.startswith("irq ")
    }
    assert moved
    assert all(settings[name] == str(cpu) for name in tuner.expected(machine.name) if name.startswith("irq "))
    send(machine)  # an interrupt moves when the next one comes
    before = interrupts(machine, moved)
    send(machine)
    counts = grown(before, interrupts(machine, moved))
    assert counts[cpu] > 0
    assert sum(counts) == counts[cpu]


def test_rps_moves_the_work_of_receiving_to_the_cpus_of_the_mask(
    machine: Host, tuner: Tuner, nic: str
) -> None:
    on_cpu_0 = Knobs(
        nic=nic, irqbalance=False, rss=Spread(parse("0"), in_turn=True), rps=Spread(parse("none"))
    )
    apply(tuner, machine, on_cpu_0)
    send(machine)
    before = net_rx(machine)
    send(machine)
    alone = grown(before, net_rx(machine))
    steered = Knobs(nic=nic, irqbalance=False, rss=Spread(parse("0"), in_turn=True), rps=Spread(parse("1")))
    apply(tuner, machine, steered)
    before = net_rx(machine)
    send(machine)
    spread = grown(before, net_rx(machine))
    assert alone[0] > alone[1]
    assert spread[1] > 4 * max(1, alone[1])


def test_rfs_tables_are_read_back_as_the_kernel_made_them(machine: Host, tuner: Tuner, nic: str) -> None:
    settings = apply(tuner, machine, Knobs(nic=nic, rfs=FlowTables(30000, 5000)))
    assert settings["rps_sock_flow_entries"] == "32768"
    assert settings[f"rps_flow_cnt {nic} rx-0"] == "8192"


def test_an_irq_that_is_seen_while_it_moves_is_looked_at_again(
    machine: Host, tuner: Tuner, nic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def knobs(cpu: str) -> Knobs:
        return Knobs(nic=nic, irqbalance=False, rss=Spread(parse(cpu), in_turn=True))

    old = apply(tuner, machine, knobs("0"))
    parsed = reading.parse
    looks: list[Reading] = []

    def late(text: str, subjects: Subjects) -> Reading:
        """Give the first reading after the write as the kernel shows it while it moves an IRQ: with the old CPUs."""
        found = parsed(text, subjects)
        looks.append(found)
        irqs = {name: value for name, value in old.items() if name.startswith("irq ")}
        return replace(found, settings={**found.settings, **irqs}) if len(looks) == 2 else found

    monkeypatch.setattr(reading, "parse", late)
    settings = apply(tuner, machine, knobs("1"))
    assert len(looks) == 3
    assert {settings[name] for name in tuner.expected(machine.name) if name.startswith("irq ")} == {"1"}


def test_every_ready_profile_but_the_seed_s_is_supported_as_a_whole(
    machine: Host, tuner: Tuner, nic: str
) -> None:
    for name in ("rss", "rps", "rfs"):
        tuned = tuner.apply(Profile(name, {machine.name: Knobs(**{**vars(READY[name]), "nic": nic})}))
        assert tuned[machine.name].unsupported == {}, name
        assert tuner.verify() == ()


def test_channels_rings_sysctls_and_the_connection_table_are_set_together(
    machine: Host, tuner: Tuner, nic: str
) -> None:
    knobs = Knobs(
        nic=nic,
        channels={"combined": 1},
        rings={"rx": 128},
        rps=Spread(parse("0-1")),
        sysctls={"net.core.netdev_budget": "600"},
        conntrack_max=200_000,
        conntrack_hashsize=50_000,
    )
    settings = apply(tuner, machine, knobs)
    assert [name for name in settings if name.startswith("rps_cpus")] == [f"rps_cpus {nic} rx-0"]
    assert settings["conntrack_max"] == "200000"
    assert int(settings["conntrack_hashsize"]) >= 50_000


def test_irqbalance_is_ended_and_started_again_as_it_ran(machine: Host, tuner: Tuner) -> None:
    if sh(machine, "command -v irqbalance || grep -lsx irqbalance /proc/[0-9]*/comm || :"):
        pytest.skip("this machine has an irqbalance of its own, which is not ours to start and end")
    words = " ".join(f"'{word}'" for word in IRQBALANCE)
    sh(machine, f"mkdir -p /run/tuning-test; cp $(command -v dash) {IRQBALANCE[0]}")
    sh(machine, f"( setsid {words} >/dev/null 2>&1 </dev/null & )")
    try:
        running = sh(machine, SNAPSHOT)
        assert apply(tuner, machine, Knobs(irqbalance=False))["irqbalance"] in ("stopped", "absent")
        assert sh(machine, SNAPSHOT) != running
        sh(machine, f"( setsid {words} >/dev/null 2>&1 </dev/null & )")
        (finding,) = tuner.verify()
        assert "irqbalance is running again" in finding.sentence
        apply(tuner, machine, Knobs(irqbalance=False))
        tuner.restore()
        assert sh(machine, SNAPSHOT) == running
    finally:
        sh(
            machine,
            "for p in $(grep -lsx irqbalance /proc/[0-9]*/comm); do p=${p%/comm}; kill ${p#/proc/}; done",
        )
        sh(machine, "sleep 1; rm -r /run/tuning-test")


SESSION = """\
import sys, time
from pathlib import Path
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.tuning.profile import READY, Profile
from pytest_kubelb.tuning.knobs import Knobs
from pytest_kubelb.tuning.tuner import Tuner
config, name, nic = sys.argv[1:]
with Hosts(Path(config), [name]) as hosts:
    knobs = Knobs(**{**vars(READY["rfs"]), "nic": nic, "channels": {"combined": 1}})
    Tuner({name: hosts[name]}, "session-1", lambda *_: None).apply(Profile("p", {name: knobs}))
    print("tuned", flush=True)
    time.sleep(300)
"""


def test_after_sigkill_of_the_session_restore_puts_back_everything(
    where: tuple[Path, str], machine: Host, nic: str
) -> None:
    before = sh(machine, SNAPSHOT)
    words = [sys.executable, "-c", SESSION, str(where[0]), where[1], nic]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as session:
        try:
            assert session.stdout is not None
            assert session.stdout.readline() == "tuned\n"
        finally:
            session.kill()
    assert sh(machine, SNAPSHOT) != before
    with pytest.raises(TestbedError, match=r"session session-1 .*kubelb restore"):
        Tuner({machine.name: machine}, "session-2", lambda *_: None).refuse_leftovers()
    outcome = leftovers.put_back(machine, leftovers.find(machine), nothing_runs)
    assert outcome.problems == ()
    assert f"  channels {nic} combined: 1 -> 2" in outcome.lines
    assert sh(machine, SNAPSHOT) == before
    assert leftovers.find(machine).listing.journals == ()
