"""Every command that tuning runs as root is one that the preflight has asked sudo for."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.preflight import hosts
from pytest_kubelb.preflight.privileges import commands, condition, tuning_commands
from pytest_kubelb.preflight.question import NOT_RUN
from pytest_kubelb.tuning import places, script
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.ethtool import Shown
from pytest_kubelb.tuning.irqbalance import Irqbalance
from pytest_kubelb.tuning.knobs import KEYS, FlowTables, Knobs, Spread
from pytest_kubelb.tuning.places import Irq
from pytest_kubelb.tuning.plan import plan
from pytest_kubelb.tuning.reading import Reading
from tests.preflight.made import answered, wanted

if TYPE_CHECKING:
    from pathlib import Path

ALL = Spread(parse("all"))
KNOBS = Knobs(
    required=True,
    nic="eth0",
    rss=Spread(parse("0")),
    rps=ALL,
    rfs=FlowTables(32768, 8192),
    xps=ALL,
    channels={"combined": 2},
    rings={"rx": 512, "tx": 512},
    coalesce={"adaptive-rx": "off", "rx-usecs": "10"},
    irqbalance=False,
    governor="performance",
    turbo=False,
    sysctls={"net.core.netdev_budget": "600"},
    conntrack_max=1000000,
    conntrack_hashsize=250000,
)
IRQ = Irq(81, "eth0-rx-0", "eth0")
FOUND = {
    IRQ.setting: "0-15",
    "rps_cpus eth0 rx-0": "none",
    "rps_flow_cnt eth0 rx-0": "0",
    "xps_cpus eth0 tx-0": "none",
    "rps_sock_flow_entries": "0",
    "channels eth0 combined": "1",
    "rings eth0 rx": "256",
    "rings eth0 tx": "256",
    "coalesce eth0 adaptive-rx": "on",
    "coalesce eth0 rx-usecs": "3",
    "irqbalance": "running",
    "governor cpu3": "ondemand",
    "turbo": "on",
    "sysctl net.core.netdev_budget": "300",
    "conntrack_max": "262144",
    "conntrack_hashsize": "65536",
}


def machine(*, by_systemd: bool, no_turbo: bool) -> Reading:
    return Reading(
        settings=FOUND,
        online=frozenset(range(16)),
        first_namespace=True,
        irqs=(IRQ,),
        governors=("ondemand", "performance"),
        irqbalance=Irqbalance(("irqbalance",), by_systemd=by_systemd, installed=True),
        shown={
            ("channels", "eth0"): Shown({"combined": "1"}),
            ("rings", "eth0"): Shown({"rx": "256", "tx": "256"}),
            ("coalesce", "eth0"): Shown({"adaptive-rx": "on", "rx-usecs": "3"}),
        },
        no_turbo=no_turbo,
    )


def run_as_root(folder: Path, lines: list[str]) -> list[list[str]]:
    """Give the command lines that a script of the tuner runs by sudo; a recorder is what runs them here."""
    recorder, record = folder / "recorder", folder / "record"
    recorder.write_text(f'#!/bin/sh\nfor w in "$@"; do echo "$w"; done >>{record}\necho >>{record}\n')
    recorder.chmod(0o755)
    record.unlink(missing_ok=True)
    # Nothing waits for a daemon that the recorder has not stopped.
    text = "\n".join([f"set -e; s={recorder}", *lines, "wait"]).replace("sleep 0.05", ":")
    subprocess.run(["sh", "-c", text], check=True, stdout=subprocess.DEVNULL, timeout=30)
    return [each.split("\n") for each in record.read_text().removesuffix("\n\n").split("\n\n")]


def kind(argv: list[str] | tuple[str, ...]) -> str:
    """Give what stands for all commands of a kind: queues, CPUs and interrupts are numbers, values may be others."""
    line = " ".join(argv)
    if argv[0] == "ethtool":
        return " ".join([*argv[:3], *sorted(argv[3::2])])
    return re.sub(r"(/irq/|/cpu|/[rt]x-)[0-9]+", r"\1N", line) if argv[0] == "tee" else line


@pytest.mark.parametrize("by_systemd", [False, True])
@pytest.mark.parametrize("no_turbo", [False, True])
def test_every_root_command_of_a_profile_is_asked_for(
    tmp_path: Path, by_systemd: bool, no_turbo: bool
) -> None:
    assert set(KNOBS.to_json()) == set(KEYS) - {"required"}, "a knob is missing here"
    now = machine(by_systemd=by_systemd, no_turbo=no_turbo)
    made = plan(KNOBS, "eth0", now)
    assert made.unsupported == {}
    assert set(made.settings) == set(FOUND), "a setting is not changed here"
    ran = run_as_root(tmp_path, script.write_lines(made.settings, now, now.irqbalance))
    ran += run_as_root(tmp_path, script.write_lines(FOUND, now, now.irqbalance, undo=True))
    assert len(ran) >= 2 * 13
    asked = {kind(argv) for argv in tuning_commands(KNOBS)}
    assert {kind(argv) for argv in ran} <= asked
    # And no more than these and the other way of this host: a rule that nothing needs is not asked for.
    other = {
        kind(argv) for argv in tuning_commands(KNOBS) if condition(argv) or argv[0] in ("mkdir", "rmdir")
    }
    assert asked - {kind(argv) for argv in ran} <= other


def test_a_profile_that_leaves_a_knob_asks_for_nothing_of_it() -> None:
    assert [argv[0] for argv in tuning_commands(Knobs(nic="eth0"))] == ["mkdir", "rmdir"]


@pytest.mark.parametrize("command", [("systemctl", "stop", "irqbalance.service"), ("pkill", "-x", "irqbalance"),
                                     ("tee", places.NO_TURBO), ("tee", places.BOOST)])  # fmt: skip
def test_a_condition_is_one_that_a_shell_understands(command: tuple[str, ...]) -> None:
    told = subprocess.run(
        ["sh", "-euc", f"x=$PATH; if {condition(command)}; then echo yes; else echo no; fi"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (told.stdout in ("yes\n", "no\n"), told.stderr) == (True, "")


def test_at_most_one_way_to_stop_irqbalance_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "irqbalance").write_text("#!/bin/sh\n")
    (tmp_path / "irqbalance").chmod(0o755)
    ways = [
        condition(argv)
        for argv in (("systemctl", "stop", "irqbalance.service"), ("pkill", "-x", "irqbalance"))
    ]
    for there in (True, False):
        folder = tmp_path / f"systemd-{there}"
        (folder / "usr/lib/systemd/system").mkdir(parents=True)
        (folder / "run/systemd/system").mkdir(parents=True)
        if there:
            (folder / "usr/lib/systemd/system/irqbalance.service").touch()
        told = []
        for way in ways:
            text = re.sub(r"(?<= )/(etc|run|usr/lib|lib)\b", rf"{folder}/\1", way)
            done = subprocess.run(["sh", "-c", f"x={tmp_path}; {text}"], check=False)
            told.append(done.returncode == 0)
        assert told == [there, not there]


def test_a_command_that_the_host_does_not_run_needs_no_rule(tmp_path: Path) -> None:
    chosen = wanted(tmp_path, tuning="none,seed")
    asked = commands(chosen, "k11")
    assert ("pkill", "-x", "irqbalance") in asked
    said = {argv: NOT_RUN if argv[0] in ("pkill", "irqbalance") else "exit 0" for argv in asked}
    printed = "".join(f"%% may {number}\n{said[argv]}\n" for number, argv in enumerate(asked))
    answer = answered("k11", f"%% root\nsudo -n\n%% sudo\n{printed}", "kb")
    found = [(each.verdict, each.found) for each in hosts.judge(answer, chosen) if each.check == "sudo"]
    count = len(asked) - 2
    assert found == [("ok", f"{count} of {count} commands that need root, without a password")]
