"""What the API has no field for: dropped everywhere, named where the client asks to be told."""

from typing import Any

import pytest

from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.lab.api.known_fields import check_validation, with_known_fields
from pytest_kubelb.lab.api.resources import CONFIGMAPS, DEPLOYMENTS, ENDPOINTSLICES, EVENTS, NODES, SERVICES
from pytest_kubelb.lab.api.status import ApiError

MANIFEST = Manifest("s1", "bench", "nginx:1.22")


def with_typos() -> dict[str, Any]:
    body = MANIFEST.deployment()
    body["metadata"]["nam"] = "x"
    body["spec"]["replcas"] = 1
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["imag"] = "x"
    container["ports"][0]["prt"] = 1
    return body


def test_our_own_objects_have_known_fields_only() -> None:
    for resource, body in ((DEPLOYMENTS, MANIFEST.deployment()), (SERVICES, MANIFEST.service())):
        assert with_known_fields(resource, body) == body
        check_validation(resource, {"fieldValidation": "Strict"}, body, verb="create")


def test_what_is_not_known_is_dropped_at_every_depth() -> None:
    assert with_known_fields(DEPLOYMENTS, with_typos()) == MANIFEST.deployment()


def test_below_what_is_not_listed_anything_is_kept() -> None:
    assert with_known_fields(CONFIGMAPS, {"data": {"any": "x"}}) == {"data": {"any": "x"}}
    labels = {"metadata": {"labels": {"any": "x"}}}
    assert with_known_fields(ENDPOINTSLICES, labels) == labels
    for resource in (EVENTS, NODES):
        assert with_known_fields(resource, {"any": 1}) == {"any": 1}


def test_who_asks_to_be_strict_is_told_each_place() -> None:
    with pytest.raises(ApiError) as caught:
        check_validation(DEPLOYMENTS, {"fieldValidation": "Strict"}, with_typos(), verb="create")
    assert caught.value.code == 400
    assert caught.value.message.startswith(
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "'
    )
    for place in ("metadata.nam", "spec.replcas", "spec.template.spec.containers[0].imag"):
        assert f'unknown field "{place}"' in caught.value.message
    assert 'unknown field "spec.template.spec.containers[0].ports[0].prt"' in caught.value.message


@pytest.mark.parametrize("asked", ["", "Ignore", "Warn"])
def test_nobody_else_is(asked: str) -> None:
    check_validation(DEPLOYMENTS, {"fieldValidation": asked}, with_typos(), verb="create")


def test_another_value_is_invalid() -> None:
    with pytest.raises(
        ApiError, match=r'^UpdateOptions\.meta\.k8s\.io "" is invalid: fieldValidation: '
    ) as caught:
        check_validation(DEPLOYMENTS, {"fieldValidation": "Odd"}, {}, verb="update")
    assert caught.value.code == 422
