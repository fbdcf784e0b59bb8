"""Pods that cannot be: the sentence has the cluster's own reason, and comes as soon as the cluster knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.resources import DEPLOYMENTS, PODS, Json, Target
from pytest_kubelb.cluster.watch import Watcher
from pytest_kubelb.errors import TestbedError

from .conftest import QUOTAS
from .subject import NO_SUCH_IMAGE, require

if TYPE_CHECKING:
    from pytest_kubelb.cluster.workload import Workload

    from .conftest import Contract

KNOWN_WITHIN_S = 120.0
"""A bound for clusters that are slow to know; the tests end with the reason itself."""


def with_pods(contract: Contract, spec: Json) -> Workload:
    """Deploy, with these fields in the pods' spec."""
    workload = contract.workload()
    workload.deploy()
    contract.api.patch(DEPLOYMENTS, "kubelb", {"spec": {"template": {"spec": spec}}}, contract.namespace)
    return workload


@pytest.mark.usefixtures("controllers")
def test_a_quota_that_refuses_pods_is_reported_with_its_name(contract: Contract) -> None:
    require(contract.api, ("create", QUOTAS, contract.namespace))
    quota: Json = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "2"}}}
    contract.api.create(QUOTAS, quota, contract.namespace)
    with Watcher(contract.api, [Target(QUOTAS, contract.namespace)]) as watcher:
        watcher.wait_for(lambda state: (state[0] or {}).get("small", {}).get("status", {}).get("hard"), 30)
    workload = contract.workload()
    workload.deploy()
    with pytest.raises(
        TestbedError, match=r"pods are refused: FailedCreate: .*exceeded quota: small"
    ) as caught:
        workload.scale(3, timeout_s=KNOWN_WITHIN_S)
    assert "requested: pods=1, used: pods=2, limited: pods=2" in str(caught.value)
    assert len(contract.names(PODS)) == 2


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"nodeSelector": {"kubelb.dev/no-such-node": "true"}}, "didn't match Pod's node affinity/selector"),
        ({"resources": {"requests": {"memory": "1Pi"}}}, "Insufficient memory"),
    ],
    ids=["no node of that label", "no node of that size"],
)
def test_pods_without_room_are_reported_as_unschedulable(contract: Contract, spec: Json, said: str) -> None:
    if "resources" in spec:
        (container,) = contract.manifest().deployment()["spec"]["template"]["spec"]["containers"]
        spec = {"containers": [{**container, **spec}]}
    workload = with_pods(contract, spec)
    with pytest.raises(TestbedError, match=r"Unschedulable: 0/\d+ nodes are available: ") as caught:
        workload.scale(2, timeout_s=KNOWN_WITHIN_S)
    assert said in str(caught.value)


@pytest.mark.usefixtures("pods")
def test_an_image_that_cannot_be_pulled_is_reported_with_the_pods_own_reason(contract: Contract) -> None:
    workload = contract.workload(image=NO_SUCH_IMAGE)
    workload.deploy()
    with pytest.raises(
        TestbedError, match=r"to 2 pods cannot succeed: pod kubelb-\S+: (ErrImagePull|ImagePullBackOff): "
    ) as caught:
        workload.scale(2, timeout_s=KNOWN_WITHIN_S)
    assert NO_SUCH_IMAGE in str(caught.value)


@pytest.mark.usefixtures("pods")
def test_pods_come_once_the_cause_is_gone(contract: Contract) -> None:
    workload = contract.workload(image=NO_SUCH_IMAGE)
    workload.deploy()
    with pytest.raises(TestbedError, match=r"ErrImagePull|ImagePullBackOff"):
        workload.scale(1, timeout_s=KNOWN_WITHIN_S)
    workload.delete()
    mended = contract.workload()
    mended.deploy()
    assert contract.scale(mended, 1) == 1


@pytest.mark.usefixtures("controllers")
def test_the_time_out_says_how_many_are_ready(contract: Contract) -> None:
    workload = with_pods(contract, {"schedulingGates": [{"name": "kubelb.dev/never"}]})
    with pytest.raises(
        TestbedError, match=r"to 1 pods: 0 are ready after 2 s and the cluster names no reason"
    ):
        workload.scale(1, timeout_s=2)
