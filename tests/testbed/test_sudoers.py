"""An ordinary user with exactly deploy/sudoers.d-kubelb: sudo itself says yes or no to every command.

The host is made of namespaces. ipvsadm and sysctl are stand-ins there, since this machine's kernel may have no IPVS:
what is tested is which command lines are run as root. ip, iptables, tee, mkdir and sudo are real.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.backends.base import run_script
from pytest_kubelb.backends.ipvs import Ipvs
from pytest_kubelb.backends.proxy import Proxy
from pytest_kubelb.cluster.endpoints import Endpoint
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight.privileges import commands
from pytest_kubelb.preflight.wanted import Wanted
from pytest_kubelb.settings import resolve
from pytest_kubelb.testbed import inventory as inventory_file
from pytest_kubelb.testbed import journal, kube_proxy, locking
from pytest_kubelb.tuning.cpuset import parse
from pytest_kubelb.tuning.knobs import Knobs, Spread
from pytest_kubelb.tuning.profile import Profile
from pytest_kubelb.tuning.tuner import Tuner
from tests.tuning.conftest import host  # noqa: F401 - the fixture

if TYPE_CHECKING:
    from tests.tuning.machine import Namespace

ROOT = Path(__file__).parents[2]
RACK = ROOT / "docs" / "examples" / "rack" / "kubelb.toml"
USER = "nobody"
TOOLS = ("ipvsadm", "sysctl", "iptables")

STAND_IN = """#!/usr/bin/python3
import pathlib, sys
name, file = pathlib.Path(sys.argv[0]).name, pathlib.Path("/run/stand-in")
state = dict(line.split("=", 1) for line in file.read_text().splitlines())
if sys.argv[1:] == ["--save", "-n"]:
    print(state.get("table", "").replace(";", "\\n"), end="")
elif name == "ipvsadm":
    lines = [line for line in state.get("table", "").split(";") if line]
    for line in sys.stdin.read().splitlines():
        lines = [each for each in lines if not each[3:].startswith(line[3:])] if line[1] in "Dd" else [*lines, line]
    state["table"] = "".join(line + ";" for line in lines)
elif sys.argv[1:3] == ["-q", "-w"]:
    state.update(dict(word.split("=") for word in sys.argv[3:]))
else:
    for word in sys.argv[1:]:
        print(word, "=", state.get(word, "0"))
    sys.exit()
file.write_text("".join(f"{key}={value}\\n" for key, value in state.items()))
"""


@pytest.fixture
def login(host: Namespace, tmp_path: Path) -> Namespace:  # noqa: F811
    """The host as its ordinary user sees it, who may run as root what the file says and nothing else."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("sudo", "runuser", "python3", *TOOLS))):
        pytest.skip(
            "this needs root, sudo, runuser, ipvsadm, sysctl and iptables, to log in as somebody else"
        )
    rules = (ROOT / "deploy" / "sudoers.d-kubelb").read_text()
    assert "\n%kubelb ALL = " in rules
    (tmp_path / "kubelb").write_text(rules.replace("\n%kubelb ALL = ", f"\n{USER} ALL = "))
    (tmp_path / "kubelb").chmod(0o440)
    # A folder of nothing but this file, and the stand-ins, over those of the machine: in this host's mounts alone.
    for name in ("ipvsadm", "sysctl"):
        (tmp_path / name).write_text(STAND_IN)
        (tmp_path / name).chmod(0o755)
        host.sh(f"mount --bind {tmp_path / name} $(readlink -f /usr/sbin/{name})")
    host.sh(
        f"mount -t tmpfs -o mode=0755 tmpfs /etc/sudoers.d; cp {tmp_path}/kubelb /etc/sudoers.d/kubelb;"
        " chmod 0440 /etc/sudoers.d/kubelb; chmod 0755 /run; echo net.ipv4.ip_forward=1 >/run/stand-in"
    )
    try:
        host.sh("sudo -n true && visudo -cf /etc/sudoers.d/kubelb")
    except TestbedError as error:
        pytest.skip(f"sudo does not work on this machine, or is older than 1.9.10: {error}")
    host.prefix = ("runuser", "-u", USER, "--", "env", "PATH=/usr/bin:/bin:/usr/sbin:/sbin")
    return host


def state(login: Namespace) -> str:
    prefix, login.prefix = login.prefix, ()
    said = login.sh(
        "cat /run/stand-in; ip -4 route show table all | sort; ip -4 address; iptables-save -t nat | grep -e ^-;"
        " cat /sys/class/net/eth0/queues/*/?ps_* /proc/sys/net/core/netdev_budget; ls /run/kubelb-undo || :"
    )
    login.prefix = prefix
    return said


def test_the_user_is_no_root_and_may_not_run_anything_else(login: Namespace) -> None:
    for refused in (
        ["ip", "-4", "route", "replace", "10.254.0.11/32", "via", "192.168.0.111"],
        ["ip", "-4", "route", "replace", "default", "via", "192.168.0.111"],
        ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "kernel.core_pattern=x"],
        ["tee", "/sys/class/net/eth0/queues/rx-0/../../../../../etc/x"],
        ["sh"],
    ):
        with pytest.raises(TestbedError, match="a password is required"):
            login.run(["sudo", "-n", "--", *refused])


def test_ipvs_is_set_up_and_put_back_and_restored_after_a_crash(login: Namespace) -> None:
    spec = inventory_file.load(RACK).ipvs
    assert spec is not None
    try:  # this kernel may not know the match of the rule
        state_before = state(login)
        backend = Ipvs(login, vip=spec.vip, port=spec.port, pod_port=80)
        backend.session = "s-1"
        backend.program([Endpoint("172.16.1.2", "pod-1", "k05")])
    except TestbedError as error:
        if "iptables" not in str(error):
            raise
        pytest.skip(f"this kernel does not take the rule: {error}")
    backend.program([Endpoint(f"172.16.1.{n}", f"pod-{n}", "k05") for n in (2, 3)])
    assert "-r 172.16.1.3:80" in state(login)
    (left,) = left_on(login)
    Ipvs.from_journal(login, left).put_back()
    assert changed(state_before, state(login)) == []


def test_the_route_is_set_and_put_back_with_what_was_there(login: Namespace) -> None:
    spec = inventory_file.load(RACK).proxy
    assert spec is not None
    prefix, login.prefix = login.prefix, ()
    login.sh(f"ip route add {spec.cluster_ip} via 192.168.0.1 dev eth0 proto static metric 50")
    login.prefix = prefix
    before = state(login)
    backend = Proxy(login, cluster_ip=spec.cluster_ip, port=spec.port, via=spec.via)
    backend.session = "s-1"
    backend.activate()
    assert f"via {spec.via}" in state(login)
    (left,) = left_on(login)
    Proxy.from_journal(login, left).put_back()
    assert state(login) == before


def test_a_profile_is_applied_and_put_back(login: Namespace) -> None:
    before = state(login)
    tuner = Tuner({"k11": login}, "s-1", lambda *_: None)
    tuner.apply(Profile("p", {"k11": Knobs(nic="eth0", rps=Spread(parse("0")), xps=Spread(parse("0")))}))
    assert state(login) != before
    tuner.restore()
    assert state(login) == before


def test_kube_proxys_mode_is_asked_for(login: Namespace) -> None:
    assert kube_proxy.mode(login) == ""
    login.run(["sudo", "-n", "--", "iptables-save", "-c", "-t", "nat"])


def test_every_command_that_the_preflight_asks_about_is_allowed(login: Namespace) -> None:
    inventory = inventory_file.load(RACK)
    settings = resolve((), search=[RACK.parent], known_backends=inventory.backends, new_seed=0)
    wanted = replace(Wanted.from_settings(settings, inventory), tunings=tuple(inventory.tunings))
    asked = {
        argv
        for name in (inventory.roles.load_balancer, inventory.roles.benchmarker)
        for argv in commands(wanted, name)
    }
    assert ("rmdir", locking.ROOT) in asked
    assert ("systemctl", "stop", "irqbalance.service") in asked
    here = [argv for argv in asked if shutil.which(argv[0])]  # sudo allows nothing that is not there
    missing = [argv for argv in here if login.run(["sudo", "-n", "-l", "--", *argv], check=False).exit_code]
    assert missing == []


def left_on(login: Namespace) -> list[journal.Journal]:
    lines = run_script(login, [journal.NAMESPACE_LINE, *journal.LIST_LINES]).splitlines()[1:]
    return list(journal.parse_listing(lines).journals)


def changed(before: str, after: str) -> list[str]:
    """Give the lines of one state only, but for settings that the stand-in has at the value of none: 0."""
    lines = set(before.splitlines()) ^ set(after.splitlines())
    return sorted(line for line in lines if not line.endswith("=0") and line != "table=")
