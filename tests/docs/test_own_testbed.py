"""The example of an own testbed: it is read as the plugin reads it, and its few rights are enough."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import yaml

from pytest_kubelb.backends.base import AS_ROOT
from pytest_kubelb.backends.ipvs_host import IpvsHost, State, questions, steps, sysctls_for
from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import Lease
from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.overlay import Overlay
from pytest_kubelb.cluster.resources import CONFIG_MAPS, Resource
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.settings import resolve
from pytest_kubelb.testbed import locking
from pytest_kubelb.testbed.inventory import load
from pytest_kubelb.testbed.ssh import read_ssh_config
from tests.docs.conftest import DOCS
from tests.docs.rbac import RBAC, documents, roles
from tests.lab.api.cluster import cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RACK = DOCS / "examples" / "rack"
ACCOUNT = "bob"  # the user of the second token that the cluster of the tests knows


def allowed(user: str, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
    """Decide as a real API server would by the example's roles; the administrator may do all."""
    name = f"{resource}/{subresource}" if subresource else resource
    return user != ACCOUNT or any(
        group in rule["apiGroups"] and name in rule["resources"] and verb in rule["verbs"]
        for role in roles()
        if role["metadata"].get("namespace", namespace) == namespace
        for rule in role["rules"]
    )


def test_the_inventory_is_read_and_its_files_are_there() -> None:
    inventory = load(RACK / "kubelb.toml")
    inventory.require_files()
    assert inventory.roles.workers == ("k05", "k06", "k07", "k08", "k09", "k10")
    assert set(inventory.backends) == {"ipvs", "proxy"}


def test_the_inventory_is_found_and_gives_the_settings_of_the_rack() -> None:
    settings = resolve((), search=[RACK], known_backends=("ipvs", "proxy"), new_seed=0)
    assert not settings.embedded_lab
    assert (settings.runs, settings.duration, settings.threads, settings.connections.at(40)) == (
        10,
        60,
        40,
        800,
    )
    assert len(settings.pods) == 21


@pytest.mark.parametrize(("host", "address"), [("k11", "192.168.0.111"), ("k12", "192.168.0.112")])
def test_the_ssh_config_leads_through_the_jump_host(host: str, address: str) -> None:
    found = read_ssh_config(RACK / "ssh_config").base_ssh_config.lookup(host)
    assert (found["hostname"], found["proxyjump"], found["user"]) == (address, "jump", "bench")


def test_the_jump_host_is_reached_directly() -> None:
    assert "proxyjump" not in read_ssh_config(RACK / "ssh_config").base_ssh_config.lookup("jump")


def test_every_role_of_the_account_is_bound_to_it() -> None:
    bound = {
        (each["roleRef"]["kind"], each["roleRef"]["name"], each["metadata"].get("namespace"))
        for each in documents()
        if each["kind"].endswith("Binding")
    }
    assert bound == {
        (role["kind"], role["metadata"]["name"], role["metadata"].get("namespace")) for role in roles()
    }
    config = yaml.safe_load((RACK / "kubeconfig").read_text())
    assert (
        config["current-context"]
        == config["contexts"][0]["name"]
        == load(RACK / "kubelb.toml").cluster.context
    )


def sudoers() -> list[re.Pattern[str]]:
    """Give the commands that deploy/sudoers.d-kubelb allows."""
    text = RBAC.with_name("sudoers.d-kubelb").read_text().replace("\\\n", " ")
    aliases = [line.partition("=")[2] for line in text.splitlines() if line.startswith("Cmnd_Alias")]
    commands = [command.strip() for alias in aliases for command in alias.split(",")]
    return [
        re.compile(f"{program} {words[1:-1]}" if words.startswith("^") else re.escape(command))
        for command in commands
        for program, _, words in [command.partition(" ")]
    ]


def test_what_the_backends_and_the_lock_run_as_root_is_in_the_sudoers_file() -> None:
    inventory = load(RACK / "kubelb.toml")
    assert inventory.ipvs is not None
    assert inventory.proxy is not None
    what = IpvsHost(inventory.ipvs.vip, inventory.ipvs.port)
    bare = State(None, dict.fromkeys(sysctls_for((6, 0)), "5"), has_vip=False, has_rule=False, kernel=(6, 0))
    made = State(None, sysctls_for((6, 0)), has_vip=True, has_rule=True, kernel=(6, 0))
    assert inventory.proxy.cluster_ip is not None
    target = f"{inventory.proxy.cluster_ip}/32"
    lines = [*questions(what), *steps(bare, made, what), *steps(made, bare, what)]
    # A condition of the shell around the command is no part of it.
    asked = [
        shlex.split(line.removeprefix("if ").partition(" 2>")[0])[1:] for line in lines if AS_ROOT in line
    ]
    asked += [
        ["ip", "-4", "route", "replace", target, "via", inventory.proxy.via],
        ["ip", "-4", "route", "flush", "exact", target],
        ["ip", "-4", "route", "add", inventory.proxy.cluster_ip, "via", "192.168.0.1", "dev", "eth0"],
        ["ipvsadm", "--restore"],
        ["ipvsadm", "-Ln", "--stats", "--exact"],
        ["iptables-save", "-c", "-t", "nat"],
        ["mkdir", "-p", "-m", "1777", locking.ROOT],
        ["rmdir", locking.ROOT],
    ]
    known = sudoers()
    folders = ("/usr/sbin", "/usr/bin")
    missing = [
        words
        for words in asked
        if not any(rule.fullmatch(f"{folder}/{' '.join(words)}") for folder in folders for rule in known)
    ]
    assert missing == []
    assert len(asked) > 10


def account(kubeconfig: Path) -> Path:
    """Write the kubeconfig of the account beside the administrator's."""
    content = yaml.safe_load(kubeconfig.read_text())
    content["users"][0]["user"] = {"token": "bobs-token"}
    mine = kubeconfig.with_name("account")
    mine.write_text(yaml.safe_dump(content))
    return mine


@pytest.fixture
def as_the_account(tmp_path: Path) -> object:
    """The workload of a session, by an account with the example's rights only, in a cluster with flannel."""
    flannel = {"net-conf.json": '{"Network": "172.16.0.0/16", "Backend": {"Type": "vxlan"}}'}
    with cluster(tmp_path, allowed) as running, Api(running.kubeconfig, on_event=print) as admin:
        for namespace in ("kubelb", "kube-flannel"):
            admin.create(Resource("", "v1", "namespaces"), {"metadata": {"name": namespace}})
        admin.create(CONFIG_MAPS, {"metadata": {"name": "kube-flannel-cfg"}, "data": flannel}, "kube-flannel")
        with Api(account(running.kubeconfig), on_event=print) as api:
            yield api


def test_the_rights_are_enough_to_deploy_scale_and_delete(as_the_account: Api) -> None:
    workload = Workload(as_the_account, Manifest("s1", "kubelb", "nginx:1.22", cluster_ip="10.254.0.10"))
    workload.deploy()
    endpoints = workload.scale(3, timeout_s=30)
    assert set(workload.running()) == {endpoint.pod for endpoint in endpoints}
    workload.delete()


def test_the_rights_are_enough_to_replace_what_a_dead_session_left(as_the_account: Api) -> None:
    Workload(as_the_account, Manifest("s1", "kubelb", "nginx:1.22", cluster_ip="10.254.0.10")).deploy()
    later = Workload(as_the_account, Manifest("s2", "kubelb", "nginx:1.22", cluster_ip="10.254.0.10"))
    later.deploy()
    later.delete()


def test_the_rights_are_enough_to_lock_the_testbed_and_to_outlive_a_dead_holder(as_the_account: Api) -> None:
    dead = Lease(as_the_account, "kubelb", "ann@laptop pid 1 session a", duration_s=1)
    dead.acquire(wait=False, on_held=lambda holder: None)  # noqa: ARG005
    lease = Lease(as_the_account, "kubelb", "bob@desk pid 2 session b")
    assert lease.acquire(wait=False, on_held=lambda holder: None) is not None  # noqa: ARG005
    lease.renew()
    lease.release()


def test_every_verb_on_the_lease_is_named_when_it_is_taken_away(tmp_path: Path) -> None:
    gone: list[str] = []

    def all_but(user: str, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        taken = resource == "leases" and verb in gone and user == ACCOUNT
        return not taken and allowed(user, verb, group, resource, subresource, namespace)

    with cluster(tmp_path, all_but) as running, Api(running.kubeconfig, on_event=print) as admin:
        admin.create(Resource("", "v1", "namespaces"), {"metadata": {"name": "kubelb"}})
        with Api(account(running.kubeconfig), on_event=print) as api:
            for verb in ("create", "get", "list", "watch", "patch"):
                gone[:] = [verb]
                lease = Lease(api, "kubelb", f"without {verb}", duration_s=1)
                with pytest.raises(
                    TestbedError, match=rf"allow verb '{verb}' on resource 'leases'.*deploy/rbac"
                ):
                    lease.acquire(wait=False, on_held=lambda holder: None)  # noqa: ARG005
                if verb == "create":  # the rest is asked of a Lease that somebody dead has
                    gone.clear()
                    lease.acquire(wait=False, on_held=lambda holder: None)  # noqa: ARG005


def test_the_rights_are_enough_to_read_the_overlay(as_the_account: Api) -> None:
    assert Overlay(as_the_account).read() == "vxlan"


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda api: api.create(Resource("", "v1", "namespaces"), {"metadata": {"name": "mine"}}),
        lambda api: api.find(Resource("", "v1", "secrets"), "kubelb", "kubelb"),
        lambda api: api.find(CONFIG_MAPS, "kube-proxy", "kube-system"),
    ],
    ids=["make a namespace", "read a secret", "read another namespace"],
)
def test_the_rights_are_no_more_than_that(as_the_account: Api, forbidden: Callable[[Api], object]) -> None:
    with pytest.raises(TestbedError, match="forbidden"):
        forbidden(as_the_account)
