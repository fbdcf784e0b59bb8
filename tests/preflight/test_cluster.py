"""The cluster's checks, against the lab's API with an account that may do what the documented Role says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.flannel import AS_PUBLISHED
from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.resources import CONFIG_MAPS, SERVICES, Json, Resource
from pytest_kubelb.preflight import access, cluster
from tests.lab.api.cluster import cluster as started
from tests.preflight.made import wanted

if TYPE_CHECKING:
    from pytest_kubelb.preflight.check import Check
    from tests.lab.api.cluster import Cluster

RBAC = Path(__file__).parents[2] / "deploy" / "rbac.yaml"
FLANNEL = '{"Network": "172.16.0.0/16", "Backend": {"Type": "vxlan"}}'


class Account:
    """An authorizer: everything for the administrator; for bob everything but what is taken away."""

    def __init__(self) -> None:
        self.denied: set[tuple[str, str, str]] = set()
        """(verb, resource, namespace); the verb `*` is any."""

    def __call__(
        self, user: str, verb: str, _group: str, resource: str, subresource: str, namespace: str
    ) -> bool:
        what = f"{resource}/{subresource}" if subresource else resource
        return user != "bob" or not {(verb, what, namespace), ("*", what, namespace)} & self.denied


def objects(api: Api) -> None:
    for namespace in ("bench", "kube-flannel"):
        api.create(Resource("", "v1", "namespaces"), {"metadata": {"name": namespace}})
    flannel = {"metadata": {"name": "kube-flannel-cfg"}, "data": {"net-conf.json": FLANNEL}}
    api.create(CONFIG_MAPS, flannel, "kube-flannel")


def bobs(running: Cluster) -> Path:
    content = yaml.safe_load(running.kubeconfig.read_text())
    content["users"][0]["user"] = {"token": "bobs-token"}
    mine = running.kubeconfig.with_name("bob")
    mine.write_text(yaml.safe_dump(content))
    return mine


def judged(folder: Path, account: Account, *made: tuple[Resource, Json], **options: str) -> list[Check]:
    """Give bob's checks in a cluster in which the administrator made these objects."""
    folder.joinpath("api").mkdir()
    with started(folder / "api", account) as running:
        with Api(running.kubeconfig, on_event=print) as admin:
            objects(admin)
            for resource, body in made:
                admin.create(resource, body, "bench")
        with Api(bobs(running), on_event=print) as api:
            told = wanted(folder, **options)
            return list(cluster.judge(cluster.ask(api, told), told))


def failing(checks: list[Check]) -> list[tuple[str, str, str]]:
    return [(each.verdict, each.check, each.found) for each in checks if each.verdict != "ok"]


def test_with_all_rights_in_an_empty_namespace_nothing_is_wrong(tmp_path: Path) -> None:
    checks = judged(tmp_path, Account())
    assert not failing(checks)
    assert ("room", "40 pods are wanted, room for 660 (660 allocatable on 6 nodes, 0 running)") in [
        (each.check, each.found) for each in checks
    ]


@pytest.mark.parametrize(
    ("denied", "found", "remedy"),
    [
        (
            ("patch", "deployments/scale", "bench"),
            "may not patch deployments/scale.apps",
            'add to the account\'s Role: {apiGroups: ["apps"], resources: [deployments/scale], verbs: [patch]}',
        ),
        (
            ("watch", "nodes", ""),
            "may not watch nodes",
            'add to the account\'s ClusterRole: {apiGroups: [""], resources: [nodes], verbs: [watch]}',
        ),
        (
            ("get", "leases", "bench"),
            "may not get leases.coordination.k8s.io kubelb",
            "add to the account's Role: "
            '{apiGroups: ["coordination.k8s.io"], resources: [leases], resourceNames: [kubelb], verbs: [get]}',
        ),
    ],
)
def test_a_verb_that_is_taken_away_is_named_with_the_rule_that_gives_it(
    tmp_path: Path, denied: tuple[str, str, str], found: str, remedy: str
) -> None:
    account = Account()
    account.denied.add(denied)
    (check,) = [each for each in judged(tmp_path, account) if each.verdict == "fail"]
    assert (check.check, check.found, check.remedy) == ("rbac", found, remedy)


def test_changing_the_overlay_needs_rights_that_leaving_it_does_not(tmp_path: Path) -> None:
    account = Account()
    account.denied.add(("patch", "daemonsets", "kube-flannel"))
    for name, overlay, fails in (("same", "vxlan", 0), ("other", "vxlan,host-gw", 1)):
        (tmp_path / name).mkdir()
        checks = judged(tmp_path / name, account, overlay=overlay)
        assert len(failing(checks)) == fails


def test_what_the_documented_account_may_not_see_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    account = Account()
    account.denied |= {
        ("*", "pods", ""), ("*", "services", ""), ("*", "resourcequotas", "bench"), ("get", "namespaces", "bench"),
        ("get", "namespaces", ""),
    }  # fmt: skip
    told = failing(judged(tmp_path, account))
    assert {verdict for verdict, _, _ in told} == {"warning"}
    assert {check for _, check, _ in told} == {"quota", "namespace", "clusterip"}


def test_the_rights_that_are_asked_for_are_those_of_the_documented_account() -> None:
    documented = set()
    for document in yaml.safe_load_all(RBAC.read_text()):
        if document["kind"] not in ("Role", "ClusterRole"):
            continue
        namespace = document["metadata"].get("namespace", "")
        for rule in document["rules"]:
            documented |= {
                (verb, group, resource, namespace)
                for verb in rule["verbs"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
            }
    asked = {
        (
            right.verb,
            right.resource.group,
            right.what.removesuffix(f".{right.resource.group}"),
            right.namespace,
        )
        for right in (*access.rights("kubelb", AS_PUBLISHED), *access.overlay_rights(AS_PUBLISHED))
    }
    assert asked == documented


def test_a_session_that_is_there_is_a_warning_and_somebody_elses_service_a_failure(tmp_path: Path) -> None:
    ours = Manifest("s1", "bench", "nginx:1.22", cluster_ip="10.254.0.10").service()
    theirs: Json = {
        "metadata": {"name": "web"},
        "spec": {"clusterIP": "10.254.0.10", "ports": [{"port": 80}]},
    }
    for name, body, told in (
        ("ours", ours, ("warning", "leftovers", "Service kubelb of session s1")),
        ("theirs", theirs, ("fail", "clusterip", "10.254.0.10 is the address of Service bench/web")),
    ):
        (tmp_path / name).mkdir()
        assert failing(judged(tmp_path / name, Account(), (SERVICES, body))) == [told]


def test_a_lease_that_is_held_says_by_whom(tmp_path: Path) -> None:
    lease: Json = {
        "metadata": {"name": "kubelb"},
        "spec": {"holderIdentity": "s1 of ann on desk", "leaseDurationSeconds": 30,
                 "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:10.000000Z"},
    }  # fmt: skip
    leases = Resource("coordination.k8s.io", "v1", "leases")
    ((verdict, check, found),) = failing(judged(tmp_path, Account(), (leases, lease)))
    assert (verdict, check) == ("warning", "lock")
    assert found.startswith("held by s1 of ann on desk since 2026-01-01T00:00:00")


def test_an_api_server_that_is_away_is_one_failure(tmp_path: Path) -> None:
    told = wanted(tmp_path)
    with started(tmp_path) as running, Api(running.kubeconfig, on_event=print, retry_for_s=0.2) as api:
        running.run(lambda: running.tokens.clear())
        ((verdict, check, found),) = failing(list(cluster.judge(cluster.ask(api, told), told)))
    assert (verdict, check) == ("fail", "api")
    assert "401" in found


def test_a_namespace_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    told = wanted(tmp_path)
    (tmp_path / "api").mkdir()
    with started(tmp_path / "api") as running, Api(running.kubeconfig, on_event=print) as api:
        checks = list(cluster.judge(cluster.ask(api, told), told))
    (check,) = [each for each in checks if each.check == "namespace"]
    assert (check.verdict, check.found) == ("fail", "does not exist")
    assert check.remedy.startswith("run `kubectl create namespace bench`")
    (overlay,) = [each for each in checks if each.check == "overlay"]
    assert overlay.verdict == "fail"
