"""No body, however odd, gets past the types: it is created, refused with a Status, and the controllers go on."""

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import DEPLOYMENTS, SERVICES, Resource
from pytest_kubelb.lab.api.shapes import check_shape
from pytest_kubelb.lab.api.status import ApiError

from .cluster import deployment, service
from .conftest import Kube

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 100),
    st.floats(allow_nan=False),
    st.sampled_from(["", "x", "10%", "abc%", "-1", "Recreate", "10.254.0.1", "é", "a" * 300]),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.just({})), max_size=2),
    st.dictionaries(st.sampled_from(["name", "key", "operator", "a"]), st.text(max_size=3), max_size=2),
)


def full_deployment() -> KubeObject:
    """Give a Deployment with every field that something looks at."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["odd"]}]},
        "matchLabelKeys": ["app"],
    }
    terms = [{"matchExpressions": [{"key": "kubernetes.io/os", "operator": "Exists"}]}]
    body = deployment(
        "odd",
        replicas=2,
        nodeSelector={"kubernetes.io/os": "linux"},
        tolerations=[{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
        topologySpreadConstraints=[spread],
        affinity={
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        },
    )
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"cpu": "100m"}, "requests": {"memory": "1Mi"}}
    container["readinessProbe"] = {"periodSeconds": 1}
    body["spec"]["strategy"] = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1},
    }
    body["spec"] |= {"minReadySeconds": 0, "revisionHistoryLimit": 1, "paused": False}
    body["metadata"]["annotations"] = {"a": "b"}
    return body


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of every value in a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def with_value(body: KubeObject, path: tuple[Any, ...], value: Any) -> KubeObject:
    """Give a copy with another value at a path."""
    changed: Any = copy.deepcopy(body)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return dict(changed)


def post(kube: Kube, path: str, body: KubeObject) -> int:
    host = kube.client.configuration.host
    headers = {
        "Authorization": f"Bearer {next(iter(kube.cluster.tokens))}",
        "Content-Type": "application/json",
    }
    answer = kube.client.rest_client.pool_manager.request(
        "POST", host + path, body=json.dumps(body), headers=headers
    )
    assert json.loads(answer.data)["kind"], answer.data
    return int(answer.status)


@pytest.mark.parametrize(
    ("collection", "body"),
    [
        ("/apis/apps/v1/namespaces/bench/deployments", full_deployment()),
        ("/api/v1/namespaces/bench/services", service("odd")),
    ],
    ids=["deployment", "service"],
)
def test_an_odd_value_anywhere_is_taken_or_refused_and_the_controllers_go_on(
    kube: Kube, collection: str, body: KubeObject
) -> None:
    failures: list[dict[str, Any]] = []
    kube.cluster.run(
        lambda: asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
    )

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(list(places(body))), odd)
    def check(path: tuple[Any, ...], value: Any) -> None:
        code = post(kube, collection, with_value(body, path, value))
        kube.apps.delete_collection_namespaced_deployment("bench")
        for found in kube.core.list_namespaced_service("bench").items:
            kube.core.delete_namespaced_service(found.metadata.name, "bench")
        assert code in (201, 400, 404, 422)
        assert not failures

    check()


@pytest.mark.parametrize(
    ("resource", "path", "value", "message"),
    [
        (
            DEPLOYMENTS,
            ("spec", "replicas"),
            "4",
            "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENTS,
            ("spec", "replicas"),
            True,
            "cannot unmarshal bool into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENTS,
            ("metadata", "labels"),
            {"a": 1},
            "cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            DEPLOYMENTS,
            ("spec", "replicas"),
            2**31,
            "cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            SERVICES,
            ("spec", "ports"),
            {},
            "cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort",
        ),
        (SERVICES, ("kind",), "Pod", 'Pod in version "v1" cannot be handled as a Service'),
    ],
)
def test_a_value_of_a_wrong_type_is_named_with_its_place(
    resource: Resource, path: tuple[str, ...], value: Any, message: str
) -> None:
    body = deployment() if resource == DEPLOYMENTS else service()
    with pytest.raises(ApiError, match="cannot") as caught:
        check_shape(resource, with_value(body, path, value))
    assert caught.value.code == 400
    assert message in caught.value.message


def test_null_means_absent() -> None:
    body = {**deployment(), "metadata": {"name": "a", "labels": None, "annotations": {"x": None}}}
    assert check_shape(DEPLOYMENTS, body)["metadata"] == {"name": "a", "annotations": {}}
