"""What the server fills in: the objects that we make as they are read back, and the scale subresource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.cluster.resources import DEPLOYMENTS, PODS, SERVICES, Json, Target
from pytest_kubelb.cluster.watch import Watcher

if TYPE_CHECKING:
    from .conftest import Contract


def lacking(expected: Any, found: Any, where: str = "") -> list[str]:
    """Give where `found` is not what is expected; what it has beyond that is the cluster's own affair."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [line for key in expected for line in lacking(expected[key], found.get(key), f"{where}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for index, pair in pairs for line in lacking(*pair, f"{where}[{index}]")]
    return [] if expected == found else [f"{where}: {found!r}, not {expected!r}"]


CONTAINER: Json = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
    "readinessProbe": {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
}
POD_SPEC: Json = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 5,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}


def test_a_deployment_is_read_back_with_the_defaults_of_its_kind(contract: Contract) -> None:
    sent = contract.manifest().deployment()
    made = contract.api.create(DEPLOYMENTS, sent, contract.namespace)
    assert lacking(sent, made) == []
    expected: Json = {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"generation": 1},
        "spec": {
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 0,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
            "template": {"spec": {**POD_SPEC, "containers": [CONTAINER]}},
        },
    }
    assert lacking(expected, made) == []
    assert {"uid", "resourceVersion", "creationTimestamp"} <= set(made["metadata"])


def test_a_service_is_read_back_with_the_defaults_of_its_kind(contract: Contract) -> None:
    sent = contract.manifest().service()
    made = contract.api.create(SERVICES, sent, contract.namespace)
    assert lacking(sent, made) == []
    address = made["spec"]["clusterIP"]
    expected = {
        "spec": {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ipFamilyPolicy": "SingleStack",
            "clusterIPs": [address],
        },
        "status": {"loadBalancer": {}},
    }
    assert lacking(expected, made) == []
    assert "generation" not in made["metadata"]


def test_an_address_that_is_asked_for_is_given(contract: Contract) -> None:
    first = contract.api.create(SERVICES, contract.manifest().service(), contract.namespace)
    contract.api.delete(SERVICES, first)
    again = contract.manifest(name="again").service()
    again["spec"]["clusterIP"] = first["spec"]["clusterIP"]
    made = contract.api.create(SERVICES, again, contract.namespace)
    assert made["spec"]["clusterIP"] == first["spec"]["clusterIP"]


def test_the_scale_of_a_deployment_is_another_view_of_it(contract: Contract) -> None:
    made = contract.api.create(DEPLOYMENTS, contract.manifest().deployment(), contract.namespace)
    scale = f"/apis/apps/v1/namespaces/{contract.namespace}/deployments/kubelb/scale"
    zero = contract.raw("GET", scale).body
    assert (zero["kind"], zero["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert zero["metadata"]["uid"] == made["metadata"]["uid"]
    assert zero["spec"].get("replicas", 0) == 0
    assert zero["status"]["selector"] == "app.kubernetes.io/name=kubelb,kubelb.dev/session=s1"
    gated = {"spec": {"template": {"spec": {"schedulingGates": [{"name": "kubelb.dev/never"}]}}}}
    contract.api.patch(DEPLOYMENTS, "kubelb", gated, contract.namespace)
    three = contract.api.patch(
        DEPLOYMENTS, "kubelb", {"spec": {"replicas": 3}}, contract.namespace, subresource="scale"
    )
    assert three["spec"] == {"replicas": 3}
    found = contract.api.find(DEPLOYMENTS, "kubelb", contract.namespace)
    assert found is not None
    assert found["spec"]["replicas"] == 3
    assert found["metadata"]["generation"] == 3


@pytest.mark.usefixtures("controllers")
def test_a_pod_says_why_it_waits_and_whose_it_is(contract: Contract) -> None:
    body = contract.manifest().deployment()
    body["spec"]["replicas"] = 1
    body["spec"]["template"]["spec"]["schedulingGates"] = [{"name": "kubelb.dev/never"}]
    contract.api.create(DEPLOYMENTS, body, contract.namespace)
    with Watcher(contract.api, [Target(PODS, contract.namespace)]) as watcher:
        (pod,) = watcher.wait_for(lambda state: list((state[0] or {}).values()) or None, 30)
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["controller"]) == ("ReplicaSet", True)
    assert pod["metadata"]["name"].startswith(f"{owner['name']}-")
    assert pod["metadata"]["labels"]["pod-template-hash"] == owner["name"].removeprefix("kubelb-")
    assert (
        lacking({**POD_SPEC, "enableServiceLinks": False, "serviceAccountName": "default"}, pod["spec"]) == []
    )
    tolerated = {(each["key"], each["effect"]) for each in pod["spec"]["tolerations"]}
    assert {
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    } <= tolerated
    status = pod["status"]
    assert (status["phase"], status["qosClass"]) == ("Pending", "Burstable")
    (scheduled,) = [each for each in status["conditions"] if each["type"] == "PodScheduled"]
    assert (scheduled["status"], scheduled["reason"]) == ("False", "SchedulingGated")


@pytest.mark.usefixtures("pods")
def test_a_pod_whose_gates_are_opened_is_scheduled(contract: Contract) -> None:
    template = contract.manifest().deployment()["spec"]["template"]
    template["metadata"]["name"] = "gated"
    template["spec"]["schedulingGates"] = [{"name": "kubelb.dev/never"}]
    contract.api.create(PODS, template, contract.namespace)
    contract.api.patch(PODS, "gated", {"spec": {"schedulingGates": None}}, contract.namespace)
    with Watcher(contract.api, [Target(PODS, contract.namespace)]) as watcher:
        node = watcher.wait_for(
            lambda state: (state[0] or {}).get("gated", {}).get("spec", {}).get("nodeName"), 60
        )
    assert node
