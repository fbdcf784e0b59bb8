"""Comparisons on a real testbed: what they find, and that they leave it as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.cli import main
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.resources import DEPLOYMENTS, PODS, SERVICES, Target
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.testbed import inventory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.record.lines import Line
    from pytest_kubelb.testbed.hosts import Hosts

# The sides may differ this much by what else this machine does meanwhile: nothing here is about 5 %.
MOST_NOISE = "--max-drop=40%"
SCHEDULERS = ("--a", "backends.ipvs.scheduler=rr", "--b", "backends.ipvs.scheduler=wrr", "--pods=2")
LOAD_BALANCER = (
    "ipvsadm --save -n; ip -4 -br address; iptables -t nat -S POSTROUTING;"
    " sysctl net.ipv4.ip_forward net.ipv4.vs.conntrack net.ipv4.vs.expire_nodest_conn"
)
SLOW_PORT = 8889
# As on a load balancer with a long list of addresses to refuse: each packet to this port is compared with all of them.
RULES = [f"-A SLOW -s 203.{n >> 16}.{n >> 8 & 255}.{n & 255}/32 -j DROP" for n in range(40000)]


def state(lab: Lab, hosts: Hosts) -> dict[str, Any]:
    """Everything that a comparison changes on the testbed."""
    described = inventory.load(lab.inventory)
    with Api(described.cluster.kubeconfig, described.cluster.context, on_event=lambda _: None) as api:
        kinds = (DEPLOYMENTS, SERVICES, PODS)
        objects = [
            item["metadata"]["name"]
            for kind in kinds
            for item in api.list(Target(kind, described.cluster.namespace))["items"]
        ]
    told = hosts["k11"].run(["sh", "-c", LOAD_BALANCER]).stdout.splitlines()
    return {
        "objects": objects,
        # kube-proxy's own: it writes its jumps when it sees the first Service, and leaves them.
        "k11": [line for line in told if "KUBE-" not in line],
        "k12": hosts["k12"].run(["sh", "-c", "ip -4 route; ls /tmp"]).stdout,
    }


def record(root: Path) -> list[Line | Note]:
    (path,) = root.glob(".kubelb/*/record.jsonl")
    return list(read_record(path))


def words(lab: Lab, root: Path, *more: str) -> list[str]:
    return ["ab", "--inventory", str(lab.inventory), "--root", str(root), "--duration=1s", *more]


@pytest.fixture
def slow_port(hosts: Hosts) -> Iterator[int]:
    """A port that the load balancer serves with a third of the speed or less."""
    load_balancer = hosts["k11"]
    jump = f"INPUT -p tcp --dport {SLOW_PORT} -j SLOW"
    rules = ["*filter", ":SLOW - [0:0]", *RULES, f"-A {jump}", "COMMIT", ""]
    load_balancer.run(["iptables-restore", "--noflush"], input="\n".join(rules), timeout_s=120)
    yield SLOW_PORT
    load_balancer.run(["sh", "-c", f"iptables -D {jump}; iptables -F SLOW; iptables -X SLOW"], timeout_s=120)


def test_a_side_that_is_really_slower_is_found(
    slow_port: int, lab: Lab, hosts: Hosts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(lab, hosts)
    sides = ["--a", "backend=ipvs", "--b", f"backends.ipvs.port={slow_port}"]
    code = main(words(lab, tmp_path, *sides, "--pods=4", "--runs=4", MOST_NOISE))
    lines = capsys.readouterr().out.splitlines()
    assert code == 1, lines
    assert lines[-1].startswith(
        "regression: B is slower than A, and not shown to be so by less than 40 %: B/A is 0."
    )
    assert [line.split()[:2] for line in lines[6:10]] == [["1", "AB"], ["2", "BA"], ["3", "AB"], ["4", "BA"]]
    assert state(lab, hosts) == before


def test_a_side_against_itself_is_never_a_regression_and_the_record_tells_the_sides_apart(
    lab: Lab, hosts: Hosts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(lab, hosts)
    sides = ["--a", "backend=ipvs", "--b", "backend=ipvs"]
    code = main(words(lab, tmp_path, *sides, "--pods=4", "--runs=3", "--format=json", MOST_NOISE))
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] in ("pass", "inconclusive")
    assert code == said["exit_code"] == {"pass": 0, "inconclusive": 2}[said["verdict"]]
    lines = record(tmp_path)
    samples = [line for line in lines if isinstance(line, Sample)]
    runs = [(each.point["side"], each.run) for each in samples if each.validity == "valid"]
    assert runs == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    assert [each.validity for each in samples[:2]] == ["warmup", "warmup"]
    start, end = lines[0], lines[-1]
    assert isinstance(start, SessionStart)
    assert isinstance(end, SessionEnd)
    assert end.exit_code == code
    assert start.facts["ab"] == said["sides"]
    (verdict,) = [line for line in lines if isinstance(line, Verdict)]
    assert (verdict.verdict, verdict.figures) == (said["verdict"], said["ratio"])
    assert state(lab, hosts) == before


@pytest.mark.parametrize(
    "sides",
    [
        ["--a", "inventory=rr.toml", "--b", "inventory=lc.toml", "--backend=ipvs"],
        ["--a", "workload.image=nginx:1.22", "--b", "workload.image=nginx:1.27", "--backend=proxy"],
        ["--a", "workload.port=80", "--b", "workload.port=8080", "--backend=ipvs", "--overlay=host-gw"],
        ["--a", "backend=proxy", "--b", "backend=ipvs"],
    ],
)
def test_each_side_answers_by_its_own_pods_before_each_run_and_the_testbed_is_put_back(
    sides: list[str], lab: Lab, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheduler in ("rr", "lc"):
        text = lab.inventory.read_text().replace('scheduler = "rr"', f'scheduler = "{scheduler}"')
        for name in ("ssh_config", "kubeconfig"):
            text = text.replace(f'= "{name}"', f'= "{lab.folder}/{name}"')
        (tmp_path / f"{scheduler}.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    before = state(lab, hosts)
    options = ["--root=.", "--pods=2", "--runs=3", "--warmup=0", "--duration=1s"]
    common = [] if "inventory=rr.toml" in sides else ["--inventory", str(lab.inventory)]
    assert main(["ab", *sides, *common, *options]) in (0, 1, 2)  # this machine's noise is not what is tested
    lines = record(tmp_path)
    samples = [line for line in lines if isinstance(line, Sample)]
    assert [each.validity for each in samples] == ["valid"] * 6
    proven = [line for line in lines if isinstance(line, Event) and line.name == "converged"]
    assert len(proven) == 2 + len(samples)
    assert state(lab, hosts) == before


def test_a_signal_ends_the_session_in_order_and_puts_everything_back(
    lab: Lab, hosts: Hosts, tmp_path: Path
) -> None:
    before = state(lab, hosts)
    command = [sys.executable, "-c", "import sys; from pytest_kubelb.cli import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, *words(lab, tmp_path, *SCHEDULERS, "--runs=50")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".kubelb/*/record.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.05)
        while not any(isinstance(line, Sample) for line in record(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert state(lab, hosts) != before
        os.kill(process.pid, signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, output + errors
    assert "Traceback" not in errors
    end = record(tmp_path)[-1]
    assert isinstance(end, SessionEnd)
    assert end.exit_code == 130
    assert state(lab, hosts) == before


def test_a_first_signal_while_everything_is_put_back_waits_for_its_end(
    lab: Lab, hosts: Hosts, tmp_path: Path
) -> None:
    before = state(lab, hosts)
    signalled = (
        "import os, signal, sys\n"
        "from pytest_kubelb.cli import main\n"
        "from pytest_kubelb.tuning.tuner import Tuner\n"
        "restore = Tuner.restore\n"
        "def signalled(tuner):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    restore(tuner)\n"
        "    print('the step was finished')\n"
        "Tuner.restore = signalled\n"
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", signalled, *words(lab, tmp_path, *SCHEDULERS, "--runs=3")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 130, done.stdout + done.stderr
    assert "the step was finished" in done.stdout
    assert "SIGTERM: the testbed is being put back" in done.stderr
    assert "Traceback" not in done.stderr
    end = record(tmp_path)[-1]
    assert isinstance(end, SessionEnd)
    assert end.exit_code == 130
    assert state(lab, hosts) == before


def test_a_testbed_that_is_not_ready_is_said_before_anything_is_touched(
    lab: Lab, hosts: Hosts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(lab, hosts)
    hosts["k12"].run(["mount", "--bind", "/dev/null", "/usr/bin/wrk"])
    sides = ["--a", "backend=ipvs", "--b", "backend=proxy", "--pods=2", "--runs=3"]
    try:
        assert main(words(lab, tmp_path, *sides)) == 1
    finally:
        hosts["k12"].run(["umount", "-l", "/usr/bin/wrk"])
    said = capsys.readouterr().err
    assert "the testbed is not ready" in said
    assert "go on all the same with --preflight=off" in said
    assert not [line for line in record(tmp_path) if isinstance(line, Sample)]
    assert state(lab, hosts) == before
