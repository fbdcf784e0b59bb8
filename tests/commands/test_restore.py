"""`kubelb restore` over SSH, on hosts made of namespaces, after a session was killed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from pytest_kubelb.testbed import journal
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.knobs import Knobs, Spread
from pytest_kubelb.tuning.profile import Profile
from pytest_kubelb.tuning.tuner import Tuner
from tests.testbed import openssh
from tests.tuning.conftest import host  # noqa: F401 - the fixture
from tests.tuning.machine import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INVENTORY = """
[testbed]
name = "namespaces"
ssh_config = "ssh_config"
[roles]
control_plane = ["k11"]
workers = ["k11"]
load_balancer = "k11"
benchmarker = "k12"
[cluster]
kubeconfig = "kubeconfig"
[workload]
image = "nginx"
port = 80
[backends.from_a_plugin]
[tuning.steered.load_balancer]
nic = "eth0"
channels = { rx = 2, tx = 2 }
rps = "0"
sysctls = { "net.ipv4.tcp_rmem" = "4096 100000 200000" }
"""
SESSION = """\
import sys, time
from pathlib import Path
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.tuning.tuner import Tuner
opened = inventory.load(Path(sys.argv[1]), plugged_in=["from_a_plugin"])
with Hosts(opened.testbed.ssh_config, ["k11"]) as hosts:
    Tuner({"k11": hosts["k11"]}, "session-1", lambda *_: None).apply(opened.tunings["steered"])
    print("tuned", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def testbed(tmp_path: Path, host: Namespace) -> Iterator[tuple[Path, Namespace]]:  # noqa: F811
    """The inventory of two hosts, and the load balancer."""
    server = openssh.prepare(tmp_path)
    lines = []
    with Namespace("k12") as benchmarker:
        for each in (host, benchmarker):
            proxy = f"{shlex.join(each.enter)} {server.sshd()}"
            lines += [f"Host {each.name}", f"  ProxyCommand {proxy}"]
        server.write_ssh_config()
        common = [line for line in server.ssh_config.read_text().splitlines() if "ProxyCommand" not in line]
        server.ssh_config.write_text("\n".join([*lines, *common]) + "\n")
        (tmp_path / "kubeconfig").write_text("")
        file = tmp_path / "kubelb.toml"
        file.write_text(INVENTORY)
        yield file, host


def restore(capsys: pytest.CaptureFixture[str], file: Path, code: int = 0) -> str:
    assert main(["restore", "--inventory", str(file)]) == code
    return capsys.readouterr().out


def test_after_sigkill_everything_is_put_back_at_once_and_again_is_harmless(
    testbed: tuple[Path, Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed
    lb.sh(
        "echo 1 >/sys/class/net/eth0/queues/rx-3/rps_cpus; echo 64 >/sys/class/net/eth0/queues/rx-0/rps_flow_cnt"
    )
    before = lb.snapshot()
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, str(file)], stdout=subprocess.PIPE, text=True
    ) as session:
        try:
            assert session.stdout is not None
            assert session.stdout.readline() == "tuned\n"
            said = restore(capsys, file, code=1)
            assert f"session session-1 is still running here as process {session.pid}" in said
        finally:
            session.kill()
    assert lb.snapshot() != before
    said = restore(capsys, file)
    assert lb.snapshot() == before
    assert "k11: tuning of session session-1, begun 20" in said
    assert "k11:   channels eth0 rx: 2 -> 4" in said
    assert "k11:   rps_cpus eth0 rx-3: none -> 0" in said
    assert restore(capsys, file) == "nothing to put back on 2 hosts\n"


def test_what_cannot_be_put_back_is_said_and_stays_in_the_journal(
    testbed: tuple[Path, Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed
    Tuner({"k11": lb}, "session-1", lambda *_: None).apply(
        Profile(
            "p", {"k11": Knobs(nic="eth0", rps=Spread(parse("0")), sysctls={"net.ipv4.tcp_rmem": "1 2 3"})}
        )
    )
    forget_who_wrote(lb)
    lb.sh("mount --bind /proc/sys/net/ipv4/tcp_rmem /proc/sys/net/ipv4/tcp_rmem")
    lb.sh("mount -o remount,ro,bind /proc/sys/net/ipv4/tcp_rmem")
    said = restore(capsys, file, code=1)
    assert (
        "k11: NOT restored: host k11: not everything could be put back: sysctl net.ipv4.tcp_rmem is '1 2 3'"
        in said
    )
    assert "Read-only file system" in said
    lb.sh("umount /proc/sys/net/ipv4/tcp_rmem")
    assert "1 setting put back" in restore(capsys, file)


def test_what_is_gone_does_not_keep_the_rest_from_being_put_back(
    testbed: tuple[Path, Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed
    before = lb.snapshot()
    Tuner({"k11": lb}, "session-1", lambda *_: None).apply(
        Profile(
            "p", {"k11": Knobs(nic="eth0", rps=Spread(parse("0")), sysctls={"net.ipv4.tcp_rmem": "1 2 3"})}
        )
    )
    forget_who_wrote(lb)
    lb.sh("ip link del eth0")
    assert "sysctl net.ipv4.tcp_rmem: 1 2 3 -> " in restore(capsys, file)
    after = lb.snapshot().splitlines()
    kept = [line for line in before.splitlines() if line.startswith(("tcp_rmem", "/run"))]
    assert [line for line in after if line.startswith(("tcp_rmem", "/run"))] == kept


def test_a_journal_that_is_not_understood_is_kept_and_said(
    testbed: tuple[Path, Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed
    for session, kind, payload in (
        ("s-1", "tuning", {"settings": {"sysctl ../../etc/motd": "1"}}),
        ("s-2", "ipvs", {}),
    ):
        left = journal.opened(session, kind, "k11", payload)
        lines = [journal.NAMESPACE_LINE, *journal.write_lines(left)]
        line = journal.encode(left).replace(f'"process":{os.getpid()}', '"process":0')
        lb.run(["sh", "-c", "\n".join(["set -e; s=", *lines])], input=line)
    before = lb.snapshot()
    said = restore(capsys, file, code=1)
    assert "'sysctl ../../etc/motd' = '1' is no setting that tuning changes" in said
    assert "session s-2 left a journal of 'ipvs', which this version does not know" in said
    assert lb.snapshot() == before


def test_a_host_that_cannot_be_reached_does_not_keep_the_others(
    testbed: tuple[Path, Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed
    Tuner({"k11": lb}, "session-1", lambda *_: None).apply(
        Profile("p", {"k11": Knobs(nic="eth0", rps=Spread(parse("0")))})
    )
    forget_who_wrote(lb)
    config = file.parent / "ssh_config"
    config.write_text(
        config.read_text().replace("Host k12\n  ProxyCommand ", "Host k12\n  ProxyCommand false ")
    )
    said = restore(capsys, file, code=1)
    assert "4 settings put back" in said
    assert "k12: NOT restored: host k12" in said


def test_without_a_testbed_the_remedy_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBELB_INVENTORY", raising=False)
    monkeypatch.setattr("pytest_kubelb.lab.launch.find", lambda: None)  # one may stand on this machine
    assert main(["restore"]) == 4
    assert "name it with --inventory FILE or in KUBELB_INVENTORY" in capsys.readouterr().err
    assert main(["restore", "--inventory", str(tmp_path / "none.toml")]) == 4


def forget_who_wrote(lb: Namespace) -> None:
    """Let the journal be that of a process that is gone: this one is its writer and goes on."""
    lb.sh('sed -i \'s/"process":[0-9]*/"process":0/\' /run/kubelb-undo/*/*.json')
