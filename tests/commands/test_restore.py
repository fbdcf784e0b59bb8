"""`kubelb restore` over SSH, on hosts made of namespaces and in the embedded API, after a session was killed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cli import main
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import NAME, Lease
from pytest_kubelb.cluster.resources import DEPLOYMENTS, LEASES, SERVICES, Resource, Target
from pytest_kubelb.testbed import journal
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.testbed.locking import ROOT, Lock
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.knobs import Knobs, Spread
from pytest_kubelb.tuning.profile import Profile
from pytest_kubelb.tuning.tuner import Tuner
from tests.lab.api.cluster import cluster
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
image = "nginx:1.27"
port = 80
[backends.proxy]
port = 80
via = "192.168.0.111"
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
from pytest_kubelb.backends.proxy import Proxy
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import Lease
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.holding import manifest_of
from pytest_kubelb.measuring import LoadGenerator
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.hosts import Hosts
from pytest_kubelb.testbed.identity import identity_of
from pytest_kubelb.tuning.tuner import Tuner
opened = inventory.load(Path(sys.argv[1]), plugged_in=["from_a_plugin"])
session = "session-1"
with Hosts(opened.testbed.ssh_config, ["k11", "k12"]) as hosts, Api(opened.cluster.kubeconfig, on_event=print) as api:
    Lease(api, "kubelb", identity_of(session)).acquire(wait=False, on_held=print)
    workload = Workload(api, manifest_of(opened, session))
    workload.deploy()
    Tuner({"k11": hosts["k11"]}, session, lambda *_: None).apply(opened.tunings["steered"])
    LoadGenerator(hosts["k12"], session).open()
    proxy = Proxy.on_testbed(opened, hosts)
    proxy.session = session
    proxy.deployed(workload.cluster_ip)
    proxy.activate()
    print(proxy.url, flush=True)
    time.sleep(60)
"""


SHOW = (
    f"{journal.NAMESPACE_LINE}; ip -4 route show table all; ip -4 address; ls /tmp/kubelb.*/*-$ns.json || :"
)


@dataclass(frozen=True)
class Bed:
    """The inventory, and what it describes."""

    file: Path
    load_balancer: Namespace
    benchmarker: Namespace
    api: Api

    def snapshot(self) -> list[str]:
        """Give everything that a session changes."""
        hosts = [f"{each.snapshot()}{each.sh(SHOW)}" for each in (self.load_balancer, self.benchmarker)]
        listed = [
            item["metadata"]["name"]
            for resource in (DEPLOYMENTS, SERVICES)
            for item in self.api.list(Target(resource, "kubelb"))["items"]
        ]
        lease = self.api.find(LEASES, NAME, "kubelb") or {"spec": {}}
        return [*hosts, *listed, str(lease["spec"].get("holderIdentity") or "")]


@pytest.fixture
def testbed(tmp_path: Path, host: Namespace) -> Iterator[Bed]:  # noqa: F811
    """Two hosts and a cluster."""
    server = openssh.prepare(tmp_path)
    lines = []
    with Namespace("k12") as benchmarker:
        for each in (host, benchmarker):
            proxy = f"{shlex.join(each.enter)} {server.sshd()}"
            lines += [f"Host {each.name}", f"  ProxyCommand {proxy}"]
        server.write_ssh_config()
        common = [line for line in server.ssh_config.read_text().splitlines() if "ProxyCommand" not in line]
        server.ssh_config.write_text("\n".join([*lines, *common]) + "\n")
        file = tmp_path / "kubelb.toml"
        file.write_text(INVENTORY)
        (tmp_path / "api").mkdir()
        with cluster(tmp_path / "api") as running, Api(running.kubeconfig, on_event=print) as api:
            api.create(Resource("", "v1", "namespaces"), {"metadata": {"name": "kubelb"}})
            (tmp_path / "kubeconfig").symlink_to(running.kubeconfig)
            yield Bed(file, host, benchmarker, api)


def restore(capsys: pytest.CaptureFixture[str], file: Path, code: int = 0) -> str:
    assert main(["restore", "--inventory", str(file)]) == code
    return capsys.readouterr().out


def test_after_sigkill_everything_is_put_back_at_once_and_again_is_harmless(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    testbed.load_balancer.sh(
        "echo 1 >/sys/class/net/eth0/queues/rx-3/rps_cpus; echo 64 >/sys/class/net/eth0/queues/rx-0/rps_flow_cnt"
    )
    before = testbed.snapshot()
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, str(testbed.file)], stdout=subprocess.PIPE, text=True
    ) as session:
        try:
            assert session.stdout is not None
            cluster_ip = session.stdout.readline().strip()[len("http://") : -1]
            during = testbed.snapshot()
            said = restore(capsys, testbed.file, code=1)
            assert (
                f"k11: NOT restored: session session-1 is still running here as process {session.pid}" in said
            )
            assert "cluster: NOT restored: Deployment kubelb of session session-1 stays: " in said
            assert testbed.snapshot() == during
        finally:
            session.kill()
    assert testbed.snapshot() == during != before
    said = restore(capsys, testbed.file)
    assert testbed.snapshot() == before
    assert "k11: tuning of session session-1, begun 20" in said
    assert "k11:   channels eth0 rx: 2 -> 4" in said
    assert "k11:   rps_cpus eth0 rx-3: none -> 0" in said
    assert f"k12: proxy {cluster_ip} of session session-1, begun 20" in said
    assert f"k12:   route to {cluster_ip}: {cluster_ip} via 192.168.0.111 dev eth0 -> none" in said
    assert "k12: load of session session-1, begun 20" in said
    assert "cluster: Deployment kubelb of session session-1: deleted" in said
    assert "cluster: Lease kubelb in namespace kubelb of " in said
    assert restore(capsys, testbed.file) == "nothing to put back on 2 hosts and in the cluster\n"


def left_elsewhere(testbed: Bed) -> str:
    """Leave the tuning of a session of another machine; the command line that undoes it must be this machine's."""
    Tuner({"k11": testbed.load_balancer}, "session-1", lambda *_: None).apply(
        Profile("p", {"k11": Knobs(nic="eth0", sysctls={"net.ipv4.tcp_rmem": "1 2 3"})})
    )
    testbed.load_balancer.sh(
        'sed -i \'s/"controller":"[^"]*/"controller":"laptop/\' /run/kubelb-undo/*/*.json'
    )
    return "ann@laptop pid 1 session session-1"


def test_a_session_of_another_machine_that_holds_the_host_is_left_alone(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = left_elsewhere(testbed)
    before = testbed.snapshot()
    with Hosts(testbed.file.parent / "ssh_config", ["k11"]) as hosts:
        lock = Lock(Lease(testbed.api, "kubelb", identity), {"k11": hosts["k11"]}, identity)
        lock.take_hosts(wait=False, patience_s=0)
        try:
            held = testbed.load_balancer.sh(
                "tail -n 1 /sys/class/net/eth0/queues/*/?ps_* /proc/sys/net/ipv4/tcp_rmem"
            )
            said = restore(capsys, testbed.file, code=1)
            assert f"k11: NOT restored: the host is held by {identity} since 20" in said
            assert "or give --force if you know that it is dead" in said
            assert (
                testbed.load_balancer.sh(
                    "tail -n 1 /sys/class/net/eth0/queues/*/?ps_* /proc/sys/net/ipv4/tcp_rmem"
                )
                == held
            )
        finally:
            lock.close()
    assert testbed.snapshot() == before
    assert "sysctl net.ipv4.tcp_rmem: 1 2 3 -> " in restore(capsys, testbed.file)


def test_a_session_of_another_machine_that_renews_its_lease_is_left_alone_unless_forced(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = left_elsewhere(testbed)
    lease = Lease(testbed.api, "kubelb", identity, duration_s=2)
    lease.acquire(wait=False, on_held=print)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(0.2):
            lease.renew()

    alive = threading.Thread(target=renew)
    alive.start()
    try:
        said = restore(capsys, testbed.file, code=1)
        assert f"k11: NOT restored: the testbed is held by {identity} since 20" in said
        assert f"cluster: NOT restored: the testbed is held by {identity} since 20" in said
    finally:
        ended.set()
        alive.join()
    assert "sysctl net.ipv4.tcp_rmem: 1 2 3 -> " in restore(capsys, testbed.file)  # it renews no more


def test_the_lock_of_a_session_that_was_killed_while_it_took_it_is_removed(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    before = testbed.snapshot()
    testbed.load_balancer.sh(
        f"{journal.NAMESPACE_LINE}; mkdir -p -m 1777 {ROOT}; : >{ROOT}/$ns; echo x >{ROOT}/$ns-999999"
    )
    assert restore(capsys, testbed.file) == f"k11: lock of a session that is gone: {ROOT} removed\n"
    assert testbed.snapshot() == before


def test_with_force_a_session_that_seems_to_live_is_put_back(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    Tuner({"k11": testbed.load_balancer}, "session-1", lambda *_: None).apply(
        Profile("p", {"k11": Knobs(nic="eth0", sysctls={"net.ipv4.tcp_rmem": "1 2 3"})})
    )
    assert "still running here" in restore(capsys, testbed.file, code=1)
    assert main(["restore", "--inventory", str(testbed.file), "--force"]) == 0
    assert "sysctl net.ipv4.tcp_rmem: 1 2 3 -> " in capsys.readouterr().out


def test_an_api_that_cannot_be_reached_does_not_keep_the_hosts_from_being_restored(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    left_elsewhere(testbed)
    config = testbed.file.parent / "kubeconfig"
    text = re.sub(r"server: .*", "server: https://127.0.0.1:9", config.read_text())
    config.unlink()
    config.write_text(text)
    said = restore(capsys, testbed.file, code=1)
    assert "sysctl net.ipv4.tcp_rmem: 1 2 3 -> " in said
    assert re.search(r"^cluster: NOT restored: .*127\.0\.0\.1", said, re.MULTILINE)
    config.unlink()
    assert "cluster: NOT restored: kubeconfig " in restore(capsys, testbed.file, code=1)


def test_what_cannot_be_put_back_is_said_and_stays_in_the_journal(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed.file, testbed.load_balancer
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
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed.file, testbed.load_balancer
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
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed.file, testbed.load_balancer
    for session, kind, payload in (
        ("s-1", "tuning", {"settings": {"sysctl ../../etc/motd": "1"}}),
        ("s-2", "ipvs", {}),
        ("s-3", "from-a-later-version", {}),
    ):
        left = journal.opened(session, kind, "k11", payload)
        lines = [journal.NAMESPACE_LINE, *journal.write_lines(left)]
        line = journal.encode(left).replace(f'"process":{os.getpid()}', '"process":0')
        lb.run(["sh", "-c", "\n".join(["set -e; s=", *lines])], input=line)
    before = lb.snapshot()
    said = restore(capsys, file, code=1)
    assert "'sysctl ../../etc/motd' = '1' is no setting that tuning changes" in said
    assert "the journal of ipvs of session s-2 cannot be read: a field is missing" in said
    assert "session s-3 left a journal of 'from-a-later-version', which this version does not know" in said
    assert lb.snapshot() == before


def test_a_host_that_cannot_be_reached_does_not_keep_the_others(
    testbed: Bed, capsys: pytest.CaptureFixture[str]
) -> None:
    file, lb = testbed.file, testbed.load_balancer
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
