"""A session that is killed in the middle of a run leaves nothing that `kubelb restore` does not put back."""

from __future__ import annotations

import difflib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import NAME
from pytest_kubelb.cluster.resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    LEASES,
    NODES,
    PODS,
    SERVICES,
    Json,
    Resource,
    Target,
)
from pytest_kubelb.testbed import inventory as inventory_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts

KUBELB = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"
OPTIONS = [
    "-p", "no:cacheprovider", "--kubelb-pods=2", "--kubelb-runs=1", "--kubelb-warmup=0", "--kubelb-duration=5s",
    "--kubelb-connections=8", "--kubelb-overlay=host-gw",
]  # fmt: skip
# Of kube-proxy's rules only those for our Service: the others are made when it first has one.
STATE = r"""
ip -4 -br address | sort; ip -4 rule; ip -4 route show table all | sort
iptables-save | grep -v '^#' | sed -n 's/\[[0-9:]*\]//; /KUBE/!p; /KUBE.*kubelb/p' | sort
ipvsadm --save -n 2>/dev/null
sysctl net.ipv4.ip_forward; sysctl -e net.ipv4.vs
ls -d /tmp/kubelb.* /run/kubelb-undo /run/kubelb-undo/*/* /run/kubelb-lock 2>/dev/null
pgrep -lx wrk
:"""
ADDRESSED = ("k11", "k12", "k05", "k10")


class Bed:
    """The lab, and everything in it that a session changes."""

    def __init__(self, lab: Lab, hosts: Hosts, api: Api, namespace: str) -> None:
        self.lab = lab
        self.hosts = hosts
        self._api = api
        self._namespace = namespace

    def snapshot(self) -> dict[str, str]:
        answers = self.hosts.each(ADDRESSED, ["sh", "-c", STATE])
        found = {name: answer.stdout for name, answer in answers.items()}
        for resource in (DEPLOYMENTS, SERVICES, PODS):
            found[resource.plural] = self._names(resource)
        flannel = self._find(CONFIG_MAPS, "kube-flannel-cfg", "kube-flannel")
        found["overlay"] = f"{flannel['data']} {flannel['metadata'].get('annotations') or {}}"
        template = self._find(DAEMON_SETS, "kube-flannel-ds", "kube-flannel")["spec"]["template"]
        found["flannel"] = f"{template['spec']} {template['metadata'].get('annotations') or {}}"
        nodes = self._api.list(Target(NODES))["items"]
        found["nodes"] = str(sorted(str(node["metadata"].get("annotations")) for node in nodes))
        lease = self._api.find(LEASES, NAME, self._namespace)
        found["holder"] = str((lease or {}).get("spec", {}).get("holderIdentity") or "")
        return found

    def restore(self) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", KUBELB, "restore", "--inventory", str(self.lab.inventory)]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)

    def _names(self, resource: Resource) -> str:
        items = self._api.list(Target(resource, self._namespace))["items"]
        return " ".join(sorted(item["metadata"]["name"] for item in items))

    def _find(self, resource: Resource, name: str, namespace: str) -> Json:
        found = self._api.find(resource, name, namespace)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def bed(lab: Lab, hosts: Hosts) -> Iterator[Bed]:
    described = inventory_file.load(lab.inventory)
    with Api(described.cluster.kubeconfig, described.cluster.context, on_event=print) as api:
        yield Bed(lab, hosts, api, described.cluster.namespace)


def kill_in_the_middle_of_the_second_point(folder: Path, lab: Lab) -> None:
    (folder / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    words = [sys.executable, "-m", "pytest", *OPTIONS, f"--kubelb-inventory={lab.inventory}"]
    with (folder / "output").open("wb") as output:
        session = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        while (
            sum(file.read_text().count('"converged"') for file in folder.glob(".kubelb/*/record.jsonl")) < 2
        ):
            assert session.poll() is None, (folder / "output").read_text()
            time.sleep(0.1)
        time.sleep(1)
    finally:
        session.send_signal(signal.SIGKILL)
        session.wait()


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Give the lines that are there in one of two snapshots only."""
    return [
        f"{name}: {line}"
        for name in before
        for line in difflib.ndiff(before[name].splitlines(), after[name].splitlines())
        if line.startswith(("+", "-"))
    ]


def test_after_sigkill_in_the_middle_of_a_run_everything_is_put_back_in_one_go(
    tmp_path: Path, bed: Bed
) -> None:
    before = bed.snapshot()
    kill_in_the_middle_of_the_second_point(tmp_path, bed.lab)
    left = bed.snapshot()
    assert {name for name in left if left[name] != before[name]} >= {
        "k11", "k12", "deployments", "services", "pods", "overlay", "flannel", "nodes", "holder",
    }  # fmt: skip
    first = bed.restore()
    assert first.returncode == 0, first.stdout + first.stderr
    for kind in ("k11: ipvs 192.168.0.111-8888", "k12: proxy 10.254.0.10", "k12: load"):
        assert f"{kind} of session " in first.stdout
    assert "host-gw -> vxlan" in first.stdout
    # kube-proxy, like flannel, takes a moment to follow the cluster.
    deadline = time.monotonic() + 20
    while (other := differences(before, bed.snapshot())) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not other, "\n".join(other)
    again = bed.restore()
    assert (again.returncode, again.stdout) == (0, "nothing to put back on 9 hosts and in the cluster\n")
