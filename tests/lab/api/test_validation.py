"""What users get wrong is refused with 422 and the causes a real server gives."""

import itertools
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from .cluster import deployment, status_of
from .conftest import Kube


def changed(**spec: Any) -> dict[str, Any]:
    body = deployment()
    body["spec"] |= spec
    return body


def container(**fields: Any) -> dict[str, Any]:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0] |= fields
    return body


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (
            deployment("Web"),
            "metadata.name",
            'Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of',
        ),
        (changed(replicas=-1), "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        (
            changed(selector={"matchLabels": {"app": "x"}}),
            "spec.template.metadata.labels",
            'Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ),
        (changed(selector={}), "spec.selector", "Required value"),
        (container(image=""), "spec.template.spec.containers[0].image", "Required value"),
        (
            container(name="A"),
            "spec.template.spec.containers[0].name",
            'Invalid value: "A": a lowercase RFC 1123 label',
        ),
        (
            container(ports=[{"containerPort": 70000}]),
            "spec.template.spec.containers[0].ports[0].containerPort",
            "Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            "spec.template.spec.containers[0].resources.requests",
            'Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            deployment(restartPolicy="Never"),
            "spec.template.spec.restartPolicy",
            'Unsupported value: "Never": supported values: "Always"',
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
def test_a_deployment_that_breaks_a_rule_is_invalid_with_its_cause(
    kube: Kube, body: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(ApiException) as caught:
        kube.apps.create_namespaced_deployment("bench", body)
    status = status_of(caught.value)
    assert (status["code"], status["reason"], status["details"]["kind"]) == (422, "Invalid", "Deployment")
    cause = status["details"]["causes"][0]
    assert cause["field"] == field
    assert cause["message"].startswith(message)
    assert status["message"].startswith(f'Deployment.apps "{body["metadata"]["name"]}" is invalid: ')


def test_a_selector_is_immutable(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))
    body = deployment(replicas=0)
    body["spec"]["selector"]["matchLabels"] = {"app": "other"}
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(ApiException) as caught:
        kube.apps.replace_namespaced_deployment("web", "bench", body)
    assert caught.value.status == 422
    assert "spec.selector: Invalid value: " in status_of(caught.value)["message"]
    assert "field is immutable" in status_of(caught.value)["message"]


def test_a_patch_to_a_scale_below_zero_or_to_text_is_invalid(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))
    for replicas in (-1, "four"):
        with pytest.raises(ApiException) as caught:
            kube.apps.patch_namespaced_deployment_scale("web", "bench", {"spec": {"replicas": replicas}})
        assert caught.value.status == 422


def test_a_pods_image_may_change_and_little_else(kube: Kube) -> None:
    spec = deployment()["spec"]["template"]["spec"]
    kube.core.create_namespaced_pod("bench", {"metadata": {"name": "one"}, "spec": spec})
    kube.core.patch_namespaced_pod(
        "one", "bench", {"spec": {"containers": [{"name": "nginx", "image": "nginx:2"}]}}
    )
    with pytest.raises(ApiException) as caught:
        kube.core.patch_namespaced_pod("one", "bench", {"spec": {"restartPolicy": "Never"}})
    assert caught.value.status == 422
    assert "pod updates may not change fields other than" in status_of(caught.value)["message"]


def test_a_name_in_the_body_must_be_the_one_on_the_url(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))
    with pytest.raises(ApiException) as caught:
        kube.apps.replace_namespaced_deployment("web", "bench", deployment("other"))
    assert caught.value.status == 400
    assert (
        "the name of the object (other) does not match the name on the URL (web)"
        in status_of(caught.value)["message"]
    )


def test_generated_names_are_unique_and_begin_with_the_base(kube: Kube) -> None:
    names = {
        kube.core.create_namespaced_config_map("bench", {"metadata": {"generateName": "run-"}}).metadata.name
        for _ in range(20)
    }
    assert len(names) == 20
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


def test_a_generated_name_that_is_taken_is_generated_again(
    kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = itertools.chain("aaaaa", "aaaaa", itertools.repeat("b"))
    monkeypatch.setattr("pytest_kubelb.lab.api.registry.secrets.choice", lambda _: next(letters))
    body = {"metadata": {"generateName": "run-"}}
    names = [kube.core.create_namespaced_config_map("bench", body).metadata.name for _ in range(2)]
    assert names == ["run-aaaaa", "run-bbbbb"]
