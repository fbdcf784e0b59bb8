"""A namespace that enforces the restricted Pod Security Standard takes our pods, and would not take others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.resources import DEPLOYMENTS, PODS, Json
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.errors import TestbedError

from .conftest import Contract, namespace_of_our_own, wait_for_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.cluster.client import Api

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture
def restricted(
    contract: Contract, admin: Api, lacks_controllers: str, namespaces_go: list[str]
) -> Iterator[Contract]:
    """Give a second namespace, which enforces the standard."""
    with namespace_of_our_own(admin, namespaces_go, RESTRICTED) as name:
        if not lacks_controllers:
            wait_for_account(admin, name)
        yield Contract(contract.subject, name, contract.api, contract.raw, contract.events)


def pod_of(contract: Contract) -> Json:
    template = contract.manifest().deployment()["spec"]["template"]
    return {**template, "metadata": {**template["metadata"], "name": "probe"}}


def place(contract: Contract) -> str:
    return f"/api/v1/namespaces/{contract.namespace}/pods"


@pytest.mark.usefixtures("controllers")
def test_our_pods_meet_the_restricted_standard(restricted: Contract) -> None:
    answer = restricted.raw("POST", place(restricted), pod_of(restricted), dryRun="All")
    assert answer.code == 201
    bare = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    answer = restricted.raw("POST", place(restricted), bare, dryRun="All")
    assert answer.refusal == (
        403,
        "Forbidden",
        'pods "bare" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
        ' (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities'
        ' (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or'
        ' container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set'
        ' securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    )


@pytest.mark.usefixtures("controllers")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"volumes": [{"name": "tmp", "hostPath": {"path": "/"}}]}, 'uses restricted volume type "hostPath"'),
        ({"hostPID": True, "hostIPC": True}, "host namespaces (hostPID=true, hostIPC=true)"),
        (
            {"securityContext": {"runAsNonRoot": True, "runAsUser": 0}},
            "runAsUser=0 (pod must not set runAsUser=0)",
        ),
        (
            {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}},
            "forbidden sysctls (net.core.somaxconn)",
        ),
    ],
    ids=["volume", "host", "root", "sysctl"],
)
def test_a_pod_that_asks_for_more_is_refused_with_what_it_asks_for(
    restricted: Contract, change: Json, said: str
) -> None:
    pod = pod_of(restricted)
    pod["spec"] = {**pod["spec"], **change}
    answer = restricted.raw("POST", place(restricted), pod, dryRun="All")
    assert answer.refusal[:2] == (403, "Forbidden")
    assert said in answer.body["message"]


@pytest.mark.usefixtures("controllers")
def test_the_refusal_of_a_pod_is_what_our_client_reports(restricted: Contract) -> None:
    body = restricted.manifest().deployment()
    for container in body["spec"]["template"]["spec"]["containers"]:
        del container["securityContext"]
    workload = Workload(restricted.api, restricted.manifest())
    restricted.api.create(DEPLOYMENTS, body, restricted.namespace)
    with pytest.raises(TestbedError, match=r"pods are refused: FailedCreate: .*violates PodSecurity"):
        workload.scale(1, timeout_s=60)
    assert restricted.names(PODS) == []


@pytest.mark.usefixtures("pods")
def test_our_pods_run_in_a_restricted_namespace(restricted: Contract) -> None:
    workload = restricted.workload()
    workload.deploy()
    assert restricted.scale(workload, 1) == 1
