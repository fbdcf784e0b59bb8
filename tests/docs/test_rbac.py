"""The rights of deploy/rbac.yaml: no fewer would do, and each that is taken away is named."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import NAME as LEASE
from pytest_kubelb.cluster.resources import CONFIG_MAPS, LEASES, NAMESPACES
from pytest_kubelb.preflight import cluster as cluster_checks
from tests.docs.conftest import environment, inventory_of
from tests.docs.guarded_api import guarded
from tests.docs.rbac import Grant, grants
from tests.lab.api.cluster import cluster
from tests.preflight.made import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.preflight.wanted import Wanted
    from tests.docs.guarded_api import Door

FLANNEL = '{"Network": "172.16.0.0/16", "Backend": {"Type": "vxlan"}}'
OPTIONS = ["-p", "no:cacheprovider", "--kubelb-runs=1", "--kubelb-warmup=0", "--kubelb-duration=1s",
           "--kubelb-tolerance=100%"]  # fmt: skip
TO_WAIT_FOR_ANOTHER = {("list", "leases"), ("watch", "leases")}
"""What is asked only while another session holds the testbed."""


class Account:
    """The account of the file, with all of its rights but those that are taken away."""

    def __init__(self) -> None:
        self.taken: set[Grant] = set()

    def __call__(self, *asked: str) -> bool:
        return any(grant.covers(*asked) for grant in grants() if grant not in self.taken)


@pytest.fixture(scope="module")
def account() -> Account:
    return Account()


@pytest.fixture(scope="module")
def as_the_account(
    tmp_path_factory: pytest.TempPathFactory, account: Account
) -> Iterator[tuple[Api, Wanted]]:
    """The API of a cluster with flannel, and what a session wants there that changes the overlay."""
    folder = tmp_path_factory.mktemp("cluster")
    told = wanted(folder, overlay="vxlan,host-gw")
    place = replace(told.inventory.cluster, namespace="kubelb")
    told = replace(told, inventory=replace(told.inventory, cluster=place))
    (folder / "api").mkdir()
    with cluster(folder / "api") as running, Api(running.kubeconfig, on_event=print) as admin:
        for name in ("kubelb", "kube-flannel"):
            admin.create(NAMESPACES, {"metadata": {"name": name}})
        body = {"metadata": {"name": "kube-flannel-cfg"}, "data": {"net-conf.json": FLANNEL}}
        admin.create(CONFIG_MAPS, body, "kube-flannel")
        with (
            guarded(running.kubeconfig, folder / "account", account),
            Api(folder / "account", on_event=print) as api,
        ):
            yield api, told


def missing(api: Api, told: Wanted) -> list[str]:
    checks = cluster_checks.judge(cluster_checks.ask(api, told), told)
    return [check.found for check in checks if check.verdict == "fail" and check.check == "rbac"]


def test_with_all_rights_none_is_missed(as_the_account: tuple[Api, Wanted], account: Account) -> None:
    account.taken.clear()
    assert missing(*as_the_account) == []


@pytest.mark.parametrize(
    "grant", grants(), ids=lambda grant: f"{grant.verb} {grant.resource} {grant.name}".strip()
)
def test_every_verb_of_the_file_is_named_when_it_is_taken_away(
    as_the_account: tuple[Api, Wanted], account: Account, grant: Grant
) -> None:
    account.taken = {grant}
    what = f"{grant.resource}.{grant.group}" if grant.group else grant.resource
    assert missing(*as_the_account) == [
        f"may not {grant.verb} {what}{f' {grant.name}' if grant.name else ''}"
    ]


def bench(folder: Path, lab: Lab) -> None:
    text = inventory_of(lab).replace(f'"{lab.kubeconfig}"', f'"{folder / "account"}"')
    (folder / "kubelb.toml").write_text(text)
    (folder / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (folder / "pytest.ini").write_text("[pytest]\n")


def session(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *options],
        cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


def unused(door: Door) -> set[tuple[str, str]]:
    return {
        (grant.verb, grant.resource)
        for grant in grants()
        if not any(grant.covers(*asked) for asked in door.passed)
    }


def test_a_session_in_the_lab_runs_with_exactly_these_rights_and_uses_every_one(
    lab: Lab, tmp_path: Path
) -> None:
    bench(tmp_path, lab)
    with Api(lab.kubeconfig, None, on_event=print) as api:
        # A session of before has made the Lease, which stays: then nobody makes it again.
        if (made := api.find(LEASES, LEASE, "kubelb")) is not None:
            api.delete(LEASES, made)
    with guarded(lab.kubeconfig, tmp_path / "account", Account()) as door:
        done = session(tmp_path, "--kubelb-pods=2", "--kubelb-overlay=vxlan,host-gw")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    assert unused(door) <= TO_WAIT_FOR_ANOTHER
    # What the preflight asks beyond the Role is told as not checked, and stops nothing.
    (record,) = tmp_path.glob(".kubelb/*/record.jsonl")
    events = [json.loads(line) for line in record.read_text().splitlines()]
    (preflight,) = [line["details"] for line in events if line.get("name") == "preflight"]
    assert "3 warnings (-v says which)." in done.stdout
    assert {each["check"] for each in preflight["warnings"]} == {"namespace", "quota", "clusterip"}
    assert {(verb, resource) for verb, _, resource, _, _ in door.refused} == {
        ("get", "namespaces"), ("list", "resourcequotas"), ("list", "pods"), ("list", "services"),
    }  # fmt: skip


def test_a_session_without_one_of_them_ends_before_anything_is_made_and_names_the_verb(
    lab: Lab, tmp_path: Path
) -> None:
    bench(tmp_path, lab)
    account = Account()
    account.taken = {
        grant for grant in grants() if (grant.verb, grant.resource) == ("patch", "deployments/scale")
    }
    with guarded(lab.kubeconfig, tmp_path / "account", account) as door:
        done = session(tmp_path, "--kubelb-pods=1", "--kubelb-backend=proxy")
    assert done.returncode == 1, done.stdout
    said = " ".join(done.stdout.split())
    assert "the testbed is not ready: rbac of namespace kubelb: may not patch deployments/scale.apps;" in said
    assert "resources: [deployments/scale], verbs: [patch]" in said
    assert not {verb for verb, _, resource, _, _ in door.passed if resource != "leases"} & {
        "create",
        "delete",
    }
