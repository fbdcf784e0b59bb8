"""Few rights: those of deploy/rbac.yaml are enough, and each one that is missing is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.lease import Lease
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import CONFIG_MAPS, PODS, Resource, Target
from pytest_kubelb.cluster.watch import Watcher
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight.access import Right, ask

from .raw import Raw

if TYPE_CHECKING:
    from .conftest import Contract
    from .subject import Rule

RBAC = Path(__file__).parents[2] / "deploy" / "rbac.yaml"


def rules() -> list[Rule]:
    """Give the rules of the Role for the workload and the lock."""
    documents = yaml.safe_load_all(RBAC.read_text())
    (role,) = (each for each in documents if each["kind"] == "Role" and each["metadata"]["name"] == "kubelb")
    found: list[Rule] = role["rules"]
    return found


def without(verb: str, resource: str) -> list[Rule]:
    """Give the same rules with one verb on one resource taken away."""
    left = [
        {**rule, "verbs": [each for each in rule["verbs"] if rule["resources"] != [resource] or each != verb]}
        for rule in rules()
    ]
    return [rule for rule in left if rule["verbs"]]


def session(api: Api, contract: Contract, pods: int) -> None:
    """Do what a session does: lock, deploy, scale, clean up, unlock."""
    lease = Lease(api, contract.namespace, "contract")
    lease.acquire(wait=False, on_held=print)
    workload = Workload(api, contract.manifest())
    try:
        workload.deploy()
        workload.scale(pods, timeout_s=contract.subject.pods_within_s)
    finally:
        workload.delete()
        lease.renew()
        lease.release()


@pytest.mark.usefixtures("controllers")
def test_the_rights_are_enough_for_a_session(contract: Contract, lacks_pods: str) -> None:
    account = contract.subject.account(contract.api, contract.namespace, rules())
    with Api(account, on_event=contract.events.append) as api:
        session(api, contract, pods=0 if lacks_pods else 2)
    assert contract.events == []


def test_what_the_preflight_is_told_is_what_the_rights_are(contract: Contract) -> None:
    account = contract.subject.account(contract.api, contract.namespace, without("watch", "pods"))
    asked = [
        Right(verb, Resource(rule["apiGroups"][0], "v1", plural), contract.namespace, name, subresource)
        for rule in rules()
        for plural, _, subresource in (each.partition("/") for each in rule["resources"])
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]
    with Api(account, on_event=print) as api:
        answers = {(right.verb, right.what): ask(api, right) for right in asked}
    assert [key for key, allowed in answers.items() if allowed is not True] == [("watch", "pods")]


@pytest.mark.usefixtures("controllers")
@pytest.mark.parametrize(
    ("verb", "resource", "group"),
    [
        ("create", "services", '""'),
        ("list", "deployments", "apps"),
        ("patch", "deployments/scale", "apps"),
        ("list", "endpointslices", "discovery.k8s.io"),
        ("create", "leases", "coordination.k8s.io"),
    ],
)
def test_a_right_that_is_missing_is_named(contract: Contract, verb: str, resource: str, group: str) -> None:
    account = contract.subject.account(contract.api, contract.namespace, without(verb, resource))
    with Api(account, on_event=print) as api, pytest.raises(TestbedError) as caught:
        session(api, contract, pods=0)
    said = str(caught.value)
    assert f"kubernetes: {verb} {resource} " in said
    assert f"allow verb {verb!r} on resource {resource!r} of API group {group}" in said
    assert (
        f'"system:serviceaccount:{contract.namespace}:kubelb-contract" cannot {verb} resource "{resource}"'
        in said
    )


def test_a_watch_that_is_forbidden_is_named_and_ends_the_wait(contract: Contract) -> None:
    account = contract.subject.account(contract.api, contract.namespace, without("watch", "pods"))
    with (
        Api(account, on_event=print) as api,
        Watcher(api, [Target(PODS, contract.namespace)]) as watcher,
        pytest.raises(
            TestbedError, match=r"^kubernetes: watch pods .* allow verb 'watch' on resource 'pods'"
        ),
    ):
        watcher.wait_for(lambda _: None, 60)


def test_what_is_forbidden_says_who_may_not_do_what(contract: Contract) -> None:
    namespace = contract.namespace
    account = contract.subject.account(contract.api, namespace, rules())
    with Raw(account) as raw:
        one = raw("GET", f"/api/v1/namespaces/{namespace}/configmaps/a")
        all_of_them = raw("GET", "/api/v1/nodes")
    who = f'User "system:serviceaccount:{namespace}:kubelb-contract"'
    assert one.refusal == (
        403,
        "Forbidden",
        f'configmaps "a" is forbidden: {who} cannot get resource "configmaps" in API group "" in the namespace'
        f' "{namespace}"',
    )
    assert one.body["details"] == {"name": "a", "kind": "configmaps"}
    assert all_of_them.refusal == (
        403,
        "Forbidden",
        f'nodes is forbidden: {who} cannot list resource "nodes" in API group "" at the cluster scope',
    )


def test_the_rights_are_no_more_than_that(contract: Contract) -> None:
    account = contract.subject.account(contract.api, contract.namespace, rules())
    with Api(account, on_event=print) as api:
        for target in (Target(CONFIG_MAPS, contract.namespace), Target(PODS, "kube-system")):
            with pytest.raises(ApiError, match="forbidden"):
                api.list(target)
        with pytest.raises(ApiError, match="forbidden"):
            api.create(PODS, {"metadata": {"name": "a"}}, contract.namespace)
