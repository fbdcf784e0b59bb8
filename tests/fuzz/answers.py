"""Targets that read what hosts answer: wrk, the kernel's files, ipvsadm, iptables, ip, ethtool, undo journals.

Pure: text in, values out; the scripts that are made of the values are run by tests/hostile/test_shell.py.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from pytest_kubelb import host_facts, measuring, readiness
from pytest_kubelb.backends import proxy
from pytest_kubelb.backends.ipvs_host import IpvsHost, read_state, steps, sysctls_for
from pytest_kubelb.backends.ipvs_table import changes, parse_table
from pytest_kubelb.convergence import Target as Converged
from pytest_kubelb.errors import KubelbError, TestbedError
from pytest_kubelb.evidence import delta, reading, specs, tables
from pytest_kubelb.evidence.findings.examine import examine
from pytest_kubelb.load.classic_output import parse_classic_output
from pytest_kubelb.load.json_output import parse_json_output
from pytest_kubelb.matrix import Point
from pytest_kubelb.preflight import answer as preflight_answer
from pytest_kubelb.preflight import run as preflight
from pytest_kubelb.preflight.cluster import ClusterAnswer
from pytest_kubelb.preflight.question import question
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.testbed import journal
from pytest_kubelb.testbed.hosts import Completed
from pytest_kubelb.tuning import ethtool, script, surroundings
from pytest_kubelb.tuning import reading as tuning_reading
from pytest_kubelb.tuning.found import Found
from pytest_kubelb.tuning.plan import plan
from pytest_kubelb.tuning.profile import READY
from pytest_kubelb.tuning.reading import Subjects
from tests.evidence import answers, made_runs
from tests.fuzz.files import scratch
from tests.fuzz.target import Target
from tests.load.classic_text import REAL_OUTPUT
from tests.load.test_json_output import OUTPUT
from tests.preflight import made
from tests.preflight.test_data_path import BENCHMARKER, LOAD_BALANCER

if TYPE_CHECKING:
    from collections.abc import Callable

IPVS = IpvsHost("192.168.0.111", 8888)
STATE = (
    "%% table\n-A -t 192.168.0.111:8888 -s rr\n-a -t 192.168.0.111:8888 -r 172.16.1.2:80 -m -w 1\n%% sysctls\n"
    + "".join(f"{name} = 1\n" for name in sysctls_for((6, 0)))
    + "%% kernel\n6.1.0-18-amd64\n%% addresses\n"
    '[{"ifname":"lo","addr_info":[{"local":"192.168.0.111"}]}]\n%% rule\nthere\n'
)
TUNING = (
    "@@irq eth0\n81 eth0-tx-0\n82 eth0-rx-1\n@@files\n"
    "/proc/irq/81/smp_affinity_list:0-3\n/proc/irq/82/smp_affinity_list:1\n"
    "/proc/irq/82/effective_affinity_list:1\n/sys/devices/system/cpu/online:0-3\n"
    "/sys/class/net/eth0/queues/rx-0/rps_cpus:f\n/sys/class/net/eth0/queues/rx-0/rps_flow_cnt:0\n"
    "/sys/class/net/eth0/queues/tx-0/xps_cpus:00000000,0000000f\n/proc/sys/net/core/rps_sock_flow_entries:0\n"
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor:powersave\n/proc/sys/net/ipv4/tcp_rmem:4096\t131072\t6291456\n"
    "@@read_only\n@@first_namespace\n@@irqbalance\nservice\nargv\n/usr/sbin/irqbalance\n--foreground\n@@irqbalance_there\nunit\n"
    "@@channels eth0\nChannel parameters for eth0:\n"
    "Pre-set maximums:\nRX:\t8\nCurrent hardware settings:\nRX:\t4\nCombined:\tn/a\n"
)
SUBJECTS = Subjects(("eth0",), ("net.ipv4.tcp_rmem",), ("channels", "rings"))
SURROUNDINGS = (
    "@@journals\njournal /run/kubelb-undo/s/tuning-4026531840.json\n%s@@addresses\n"
    "2: eth0    inet 192.168.0.11/24 brd 192.168.0.255 scope global eth0\n@@ip\n2: eth0@if3: <UP> mtu 1500\n"
    "@@links\n/sys/class/net/eth0/ifindex:2\n@@daemons\ntuned\n"
)
PAYLOAD = {
    "settings": {"rps_cpus eth0 rx-0": "1-3", "sysctl net.core.somaxconn": "4096", "irq eth0 eth0-rx-1": "1"},
    "irqbalance": {"argv": ["/usr/sbin/irqbalance", "-f"], "by_systemd": False, "installed": True},
}
JOURNAL = journal.encode(
    journal.Journal("20261123T072210Z-3f9c", "tuning", "k11", "2026-11-23", "box", 1, 2, PAYLOAD)
)
FACTS = (
    "kernel Linux 6.1.0 x86_64\ncpus 16\ncpu Xeon\nmemory_kib 65000000\nnics\nnic eth0 bnx2:1000:1500\n"
    "link eth0 bnx2:1000:1500:4:4\noffload eth0 rx-checksumming\nwrk wrk 4.1.0 [epoll] Copyright\n"
)
STARTED = datetime(2026, 11, 23, tzinfo=UTC)
CURL = "172.16.1.2\n;200\n172.16.2.2\n;200\n;000\n"
STAMPS = "1793431330.123456789\nsaid something\n1793431331.223456789\n0m0.00s 0m0.01s\n0m1.20s 0m3.40s\n"
ROUTE = "10.254.0.10 via 192.168.0.111 dev eth0 linkdown\n"
ROUTE_JSON = '[{"dst":"10.254.0.10","gateway":"192.168.0.111","dev":"eth0"}]'


def of_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Feed text, as a host's answer is decoded."""
    return lambda data: read(data.decode(errors="replace"))


def _sample(text: str) -> object:
    """Make a sample of what wrk printed and what its shell said; the record has to take it, and give it back."""
    stdout, _, stderr = text.partition("\n%%%\n")
    done = Completed("k12", "wrk", stdout, stderr, len(text) % 3, 1.0)
    target = Converged(Point("ipvs", 1, "vxlan"), "http://10.0.0.1/", "kubelb.test", ())
    sample = measuring._sample(target, ["wrk"], STARTED, done, limit_s=60, number=0, warmup=False)
    return Sample.from_json(json.loads(json.dumps(sample.to_json(), allow_nan=False)))


@cache
def _earlier() -> reading.Reading:
    """Give the same host ten seconds earlier, when its counters were lower: otherwise there would be no rates."""
    lower = {path: told.replace("20", "10") for path, told in answers.FILES.items()}
    head = (
        (answers.HEAD + answers.TABLES).replace("100.00", "90.00").replace("1700000100.25", "1700000090.25")
    )
    return answers.reading(lower, head=head.replace("30", "20"), load_balancer=True)


def _reading(text: str) -> object:
    """Read a host twice, what lies between, and the tables that show it; the answer never raises."""
    said = answers.answer(text)
    before = _earlier()
    after = reading.parse("k11", said, load_balancer=True, sysctls=("net.core.somaxconn",))
    between = delta.delta(before, after)
    written = json.loads(json.dumps(between.to_json(), allow_nan=False))
    shown = [*tables.seed_tables(between), *tables.cpu_table(between), *tables.interrupt_tables(between)]
    read = delta.HostDelta.from_json(written)
    run = made_runs.quiet()
    examined = examine(replace(run, hosts={**run.hosts, "k11": between, "k12": read}))
    return json.dumps([finding.to_json() for finding in examined.findings], allow_nan=False), shown


def _state(text: str) -> object:
    now = read_state(text, IPVS)
    return steps(now, now, IPVS), changes(now.service, None)


def _tuning(text: str) -> object:
    now = tuning_reading.parse(text, SUBJECTS)
    found = Found()
    lines = []
    for profile in READY.values():
        made_ = plan(profile, "eth0", now)
        lines += script.write_lines(made_.settings, now, now.irqbalance)
        found = found.having(now, made_.settings)
    lines += script.write_lines(found.here(now), now, found.irqbalance, undo=True)
    return Found.from_json(json.loads(json.dumps(found.to_json()))), lines


def _surroundings(text: str) -> object:
    read = surroundings.parse(text)
    journal.refuse("k11", read.listing, "20261123T072210Z-3f9c")
    return surroundings.nic_of(
        "k11", read, [surroundings.parse((SURROUNDINGS % "").replace("0.11/", "0.12/"))]
    )


def _journal(text: str) -> object:
    left = journal.decode(text)
    found = Found.from_json(left.payload)
    return journal.is_running(left), found.subjects(), journal.write_lines(left), journal.remove_lines(left)


def _preflight(text: str) -> object:
    """Judge a testbed whose hosts all answer this; the cluster does not."""
    wanted = made.wanted(scratch())
    answered = {name: made.answered(name, text, "kb") for name in wanted.inventory.roles.hosts}
    told = ClusterAnswer(parts={"nodes": TestbedError("away")})
    for name in wanted.inventory.roles.hosts:
        question(wanted, name)
    return preflight.judge(answered, told, wanted)


def _clock(text: str) -> object:
    return preflight_answer.skew(preflight_answer.sections(text), 1.0, 2.0)


def targets() -> list[Target]:
    """Give the targets of this module."""
    state, hosts = STATE.encode(), (LOAD_BALANCER + BENCHMARKER).encode()
    readings = tuple(
        answers.text(answers.FILES, answers.HEAD + tables_).encode() for tables_ in (answers.TABLES, "")
    )
    clock = "1793431330.12\n100.00\n%% end\n100.50\n"
    return [
        Target("wrk, JSON", of_text(parse_json_output), (OUTPUT.encode(),)),
        Target("wrk, text", of_text(parse_classic_output), (REAL_OUTPUT.encode(),)),
        Target("wrk, a run", of_text(_sample), (f"{OUTPUT}\n%%%\n{STAMPS}".encode(),)),
        Target("curl", of_text(readiness.read_answers), (CURL.encode(),)),
        Target(
            "host facts",
            of_text(lambda text: (host_facts.parse(text), specs.parse("k11", text))),
            (FACTS.encode(),),
        ),
        Target("evidence", of_text(_reading), readings, ()),
        Target("ipvsadm --save", of_text(parse_table), (STATE.partition("%% sysctls")[0].encode()[9:],)),
        Target("load balancer", of_text(_state), (state,)),
        Target(
            "ip route",
            of_text(lambda text: (proxy.routes_to_restore(text), proxy.next_hop(text))),
            (ROUTE.encode(), ROUTE_JSON.encode()),
        ),
        Target("tuning", of_text(_tuning), (TUNING.encode(),), (KubelbError, ValueError)),
        Target("ethtool", of_text(ethtool.parse), (TUNING.rpartition("@@")[2].encode(),), ()),
        Target(
            "surroundings",
            of_text(_surroundings),
            ((SURROUNDINGS % JOURNAL).encode(), (SURROUNDINGS % "").encode()),
            (KubelbError, ValueError),
        ),
        Target("undo journal", of_text(_journal), (JOURNAL.encode(),), (ValueError,)),
        Target("preflight", of_text(_preflight), (hosts,)),
        Target("clock", of_text(_clock), (clock.encode(),)),
    ]
