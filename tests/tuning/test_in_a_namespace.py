"""Tuning of a host made of namespaces, on this machine's kernel."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed import journal
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.knobs import FlowTables, Knobs, Spread
from pytest_kubelb.tuning.profile import Profile
from pytest_kubelb.tuning.tuner import Tuner

from .machine import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CPUS = sorted(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(
    shutil.which("ethtool") is None or not Path("/sys/class/net/lo/queues/rx-0/rps_cpus").exists(),
    reason="needs ethtool, and a kernel with RPS",
)

STEERED = Knobs(
    nic="eth0",
    rps=Spread(parse("0")),
    rfs=FlowTables(1000, None),
    xps=Spread(parse("all"), in_turn=True),
    sysctls={"net.ipv4.tcp_rmem": "4096 100000 200000"},
)
FEWER_QUEUES = Knobs(nic="eth0", channels={"rx": 2, "tx": 2}, rps=Spread(parse("0")))


def profile(knobs: Knobs, name: str = "p", host: str = "k11") -> Profile:
    return Profile(name, {host: knobs})


@pytest.fixture
def events() -> list[tuple[str, Mapping[str, object]]]:
    return []


@pytest.fixture
def tuner(host: Namespace, events: list[tuple[str, Mapping[str, object]]]) -> Tuner:
    return Tuner({"k11": host}, "session-1", lambda name, details: events.append((name, details)))


def test_what_the_kernel_took_is_read_back(host: Namespace, tuner: Tuner) -> None:
    settings = tuner.apply(profile(STEERED))["k11"].settings
    assert settings["rps_cpus eth0 rx-3"] == "0"
    assert settings["rps_flow_cnt eth0 rx-0"] == "256"  # 1000 / 4 queues, rounded up to a power of two
    assert settings["xps_cpus eth0 tx-1"] == str(CPUS[1 % len(CPUS)])
    assert settings["sysctl net.ipv4.tcp_rmem"] == "4096 100000 200000"
    assert host.sh("cat /sys/class/net/eth0/queues/rx-2/rps_cpus").strip().lstrip("0,") == "1"


def test_a_profile_takes_two_round_trips_and_the_same_one_again_a_single_one(
    host: Namespace, tuner: Tuner
) -> None:
    tuner.refuse_leftovers()
    trips = []
    for _ in range(2):
        before = len(host.trips)
        tuner.apply(profile(STEERED))
        trips.append(len(host.trips) - before)
    assert trips == [2, 1]


def test_the_profile_none_asks_no_host_that_was_never_tuned(host: Namespace, tuner: Tuner) -> None:
    assert tuner.apply(Profile("none")) == {}
    tuner.restore()
    assert host.trips == []


def test_the_next_profile_puts_back_what_it_does_not_set_itself(tuner: Tuner) -> None:
    tuner.apply(profile(STEERED))
    tuned = tuner.apply(profile(Knobs(nic="eth0", xps=Spread(parse("0")))))["k11"]
    assert tuned.settings["rps_cpus eth0 rx-0"] == "none"
    assert tuned.settings["xps_cpus eth0 tx-3"] == "0"
    assert tuned.changed["rps_flow_cnt eth0 rx-0"] == ("256", "0")


@pytest.mark.parametrize("shell", [("sh",), ("bash",), ("busybox", "ash")], ids=" ".join)
def test_restore_puts_back_exactly_what_was_there(shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} here")
    with Namespace(shell=shell) as host:
        host.sh(
            "echo 1 >/sys/class/net/eth0/queues/rx-3/rps_cpus; echo 64 >/sys/class/net/eth0/queues/rx-3/rps_flow_cnt"
        )
        before = host.snapshot()
        tuner = Tuner({"k11": host}, "session-1", lambda *_: None)
        # With two queues, what was set on the fourth is gone until there are four again.
        for knobs in (FEWER_QUEUES, STEERED, FEWER_QUEUES):
            tuner.apply(profile(knobs))
            assert host.snapshot() != before
        tuner.restore()
        assert host.snapshot() == before
        tuner.restore()
        assert host.snapshot() == before


def test_channels_are_set_before_the_queues_that_they_make(tuner: Tuner) -> None:
    tuned = tuner.apply(profile(FEWER_QUEUES))["k11"]
    assert not tuned.unsupported
    assert {name for name in tuned.settings if name.startswith("rps_cpus")} == {
        "rps_cpus eth0 rx-0",
        "rps_cpus eth0 rx-1",
    }
    assert tuned.expected["rps_cpus eth0 rx-1"] == "0"


def test_what_belongs_to_the_whole_machine_is_unsupported_and_not_touched(tuner: Tuner) -> None:
    everything = Knobs(
        nic="eth0",
        rss=Spread(parse("0"), in_turn=True),
        rfs=FlowTables(32768, 8192),
        rings={"rx": 64},
        irqbalance=False,
        governor="performance",
        turbo=False,
        sysctls={"kernel.panic": "0", "net.core.netdev_budget": "600"},
        conntrack_hashsize=1024,
    )
    unsupported = tuner.apply(profile(everything))["k11"].unsupported
    assert set(unsupported) == {
        "irqbalance", "rings rx", "rss", "rps_sock_flow_entries", "governor", "turbo", "sysctl kernel.panic",
        "sysctl net.core.netdev_budget", "conntrack_hashsize",
    }  # fmt: skip
    assert "no interrupts of its own" in unsupported["rss"]
    assert "Operation not supported" in unsupported["rings rx"]
    assert "only a network namespace" in unsupported["rps_sock_flow_entries"]


def test_what_is_required_and_cannot_be_done_is_an_error_before_anything_is_written(
    host: Namespace, tuner: Tuner
) -> None:
    before = host.snapshot()
    knobs = Knobs(required=True, nic="eth0", rps=Spread(parse("0")), rss=Spread(parse("0"), in_turn=True))
    with pytest.raises(
        TestbedError, match=r"host k11 cannot do what its tuning profile requires: rss: eth0 has no"
    ):
        tuner.apply(profile(knobs))
    assert host.snapshot() == before


def test_what_the_kernel_refuses_is_unsupported_with_the_kernel_s_reason(tuner: Tuner) -> None:
    knobs = Knobs(nic="eth0", rps=Spread(parse("0")), sysctls={"net.ipv4.ip_local_port_range": "9 nonsense"})
    tuned = tuner.apply(profile(knobs))["k11"]
    assert "Invalid argument" in tuned.unsupported["sysctl net.ipv4.ip_local_port_range"]
    assert tuned.settings["rps_cpus eth0 rx-0"] == "0"


def test_cpus_that_are_not_online_are_unsupported(tuner: Tuner) -> None:
    unsupported = tuner.apply(profile(Knobs(nic="eth0", rps=Spread(parse("0,8000")))))["k11"].unsupported
    assert "CPUs 8000 of '0,8000' are not online" in unsupported["rps"]


def test_a_nic_that_is_not_there_is_named_with_those_that_are(tuner: Tuner) -> None:
    with pytest.raises(TestbedError, match=r"host k11 has no NIC 'eth9'.*it has eth0, eth1, lo"):
        tuner.apply(profile(Knobs(nic="eth9", rps=Spread(parse("0")))))


def test_a_sysfs_of_another_network_namespace_is_not_written_to(host: Namespace, tuner: Tuner) -> None:
    # As in a container with the machine's /sys: names are the same, NICs are not.
    host.sh(
        "unshare --net sh -c 'ip link add eth7 type dummy; ip link add eth0 type dummy; mount -t sysfs sysfs /sys'"
    )
    with pytest.raises(TestbedError, match="host k11 has no NIC 'eth0' that its /sys shows as well"):
        tuner.apply(profile(STEERED))


@pytest.fixture
def pair(host: Namespace) -> Iterator[tuple[Namespace, Namespace]]:
    with Namespace("k12") as other:
        other.sh("ip addr del 192.168.0.11/24 dev eth0; ip addr add 192.168.0.12/24 dev eth0")
        for each in (host, other):
            each.sh("ip addr add 172.17.0.1/16 dev eth1")  # as docker0 has everywhere
        yield host, other


def test_the_nic_is_the_one_towards_the_other_hosts(pair: tuple[Namespace, Namespace]) -> None:
    tuner = Tuner({each.name: each for each in pair}, "session-1", lambda *_: None)
    tuned = tuner.apply(profile(Knobs(rps=Spread(parse("0"))), host="k12"))
    assert tuned["k12"].expected == {f"rps_cpus eth0 rx-{queue}": "0" for queue in range(4)}
    tuner.restore()


def test_a_nic_that_is_not_clear_has_to_be_named(tuner: Tuner) -> None:
    with pytest.raises(
        TestbedError, match=r'no NIC leads to the other hosts.*name the one to tune.*nic = "eth0"'
    ):
        tuner.apply(profile(Knobs(rps=Spread(parse("0")))))


def test_the_journal_is_there_before_the_first_write(host: Namespace, tuner: Tuner) -> None:
    # What makes the journal fail makes the whole change fail.
    host.sh("mkdir -p /run/kubelb-undo && mount -t tmpfs -o ro tmpfs /run/kubelb-undo")
    with pytest.raises(TestbedError, match="the undo journal cannot be written"):
        tuner.apply(profile(STEERED))
    assert set(host.sh("cat /sys/class/net/eth0/queues/rx-*/rps_cpus").split()) <= {"0", "00", "000"}


def test_another_session_s_journal_is_refused_before_anything_is_touched(
    host: Namespace, tuner: Tuner
) -> None:
    Tuner({"k11": host}, "session-0", lambda *_: None).apply(profile(STEERED))
    before = host.snapshot()
    with pytest.raises(
        TestbedError, match=r"host k11 still has the tuning of session session-0 from .*kubelb restore"
    ):
        tuner.refuse_leftovers()
    with pytest.raises(TestbedError, match="session-0"):
        tuner.apply(profile(FEWER_QUEUES))
    tuner.restore()
    assert host.snapshot() == before


def test_drift_is_named_with_both_forms_of_the_cpus(host: Namespace, tuner: Tuner) -> None:
    tuner.apply(profile(STEERED))
    assert tuner.verify() == ()
    host.sh("echo 0 >/sys/class/net/eth0/queues/rx-1/rps_cpus")
    (finding,) = tuner.verify()
    assert (finding.kind, finding.signal, finding.effect, finding.value) == (
        "validity",
        "tuning_drift",
        "contaminated",
        1.0,
    )
    assert "rps_cpus eth0 rx-1 is none and was set to 0 (mask 1): somebody else" in finding.sentence


def test_drift_names_the_other_session_that_tunes_the_host(host: Namespace, tuner: Tuner) -> None:
    tuner.apply(profile(STEERED))
    # One that did not look, as two that begin at the same moment do not see each other.
    host.sh("mv /run/kubelb-undo /run/aside")
    Tuner({"k11": host}, "session-2", lambda *_: None).apply(
        profile(Knobs(nic="eth0", rps=Spread(parse("none"))))
    )
    host.sh("mv /run/aside/* /run/kubelb-undo")
    (finding,) = tuner.verify()
    assert "session session-2 is tuning this host as well" in finding.sentence


def test_events_tell_what_was_changed_and_what_was_put_back(
    tuner: Tuner, events: list[tuple[str, Mapping[str, object]]]
) -> None:
    tuner.apply(profile(Knobs(nic="eth0", rps=Spread(by_queue={"rx-0": parse("0"), "rx-9": parse("0")}))))
    tuner.restore()
    (tuned, details), (restored, undone) = events
    assert (tuned, restored) == ("tuned", "tuning_restored")
    assert details["changed"] == {"rps_cpus eth0 rx-0": ["none", "0"]}
    assert details["unsupported"] == {
        "rps rx-9": "there is no such queue; the host has rx-0, rx-1, rx-2, rx-3"
    }
    assert undone["changed"] == ["rps_cpus eth0 rx-0: 0 -> none"]


SUDO = """\
#!/bin/sh
# A stand-in for sudo: this machine need not have it. It writes down what it is asked for, and runs it.
[ "$1 $2" = "-n --" ] || exit 9
shift 2
echo "$(command -v "$1") $*" >>/run/asked
exec "$@"
"""


def test_everything_that_needs_root_is_in_the_sudoers_file(host: Namespace, tuner: Tuner) -> None:
    host.run(["sh", "-c", "mkdir /run/bin && cat >/run/bin/sudo && chmod 755 /run/bin/sudo"], input=SUDO)
    # An ordinary user is told from root by this file, which root can write; nobody can any more.
    host.sh("f=/proc/sys/net/ipv4/ip_forward; mount --bind $f $f && mount -o remount,ro,bind $f")
    host.prefix = ("env", f"PATH=/run/bin:{os.environ['PATH']}")
    before = host.snapshot()
    tuner.apply(profile(STEERED))
    tuner.apply(profile(FEWER_QUEUES))
    tuner.restore()
    asked = [line.split(" ", 2) for line in host.sh("cat /run/asked && rm /run/asked").splitlines()]
    assert host.snapshot() == before
    assert {program for _, program, _ in asked} == {"tee", "ethtool", "mkdir", "rmdir"}
    allowed = sudoers()
    refused = [
        f"{path} {words}"
        for path, _, words in asked
        if not any(each.fullmatch(f"{path} {words}") for each in allowed)
    ]
    assert set(refused) <= {
        "/usr/bin/tee /proc/sys/net/ipv4/tcp_rmem"
    }  # the file says: one line for each sysctl


def sudoers() -> list[re.Pattern[str]]:
    """Give the commands of the documented sudoers file; paths of this machine may lack /usr."""
    text = (Path(__file__).parents[2] / "deploy" / "sudoers.d-kubelb").read_text().replace("\\\n", " ")
    commands = [
        command.strip()
        for line in text.splitlines()
        if line.startswith("Cmnd_Alias")
        for command in line.partition("=")[2].split(",")
    ]
    return [
        re.compile(f"{program}( {words[1:-1]}| ?)" if words.startswith("^") else re.escape(command))
        for command in commands
        for program, _, words in [command.partition(" ")]
    ]


def test_without_privileges_the_remedy_is_said(host: Namespace, tuner: Tuner) -> None:
    host.run(["sh", "-c", "mkdir /run/bin && cat >/run/bin/sudo && chmod 755 /run/bin/sudo"], input="""\
#!/bin/sh
case "$*" in *kubelb-undo*) shift 2; exec "$@" ;; esac
echo "sudo: a password is required" >&2
exit 1
""")  # fmt: skip
    host.sh("f=/proc/sys/net/ipv4/ip_forward; mount --bind $f $f && mount -o remount,ro,bind $f")
    host.prefix = ("env", f"PATH=/run/bin:{os.environ['PATH']}")
    with pytest.raises(TestbedError, match=r"needs root \(sudo: a password is required\).*sudoers lines"):
        tuner.apply(profile(STEERED))


def test_a_journal_has_only_what_was_there(host: Namespace, tuner: Tuner) -> None:
    tuner.apply(profile(Knobs(nic="eth0", rps=Spread(parse("0")))))
    assert host.sh("stat -c %a /run/kubelb-undo /run/kubelb-undo/session-1").split() == ["1777", "700"]
    left = journal.decode(host.sh("cat /run/kubelb-undo/session-1/*"))
    assert left.payload["settings"] == {f"rps_cpus eth0 rx-{queue}": "none" for queue in range(4)}
