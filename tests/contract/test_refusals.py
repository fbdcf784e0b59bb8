"""What an API server refuses, in the words that people and our own errors pass on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES, Json, Resource, Target

from .raw import Raw
from .subject import require

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Contract

MERGE = "application/merge-patch+json"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def path(contract: Contract, plural: str, name: str = "") -> str:
    root = "/apis/apps/v1" if plural == "deployments" else "/api/v1"
    return f"{root}/namespaces/{contract.namespace}/{plural}" + (f"/{name}" if name else "")


def config_map() -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"v": "1"}}


def test_a_name_that_is_taken_is_a_conflict_of_its_own_kind(contract: Contract) -> None:
    for code in (201, 409):
        answer = contract.raw("POST", path(contract, "configmaps"), config_map())
        assert answer.code == code
    assert answer.refusal == (409, "AlreadyExists", 'configmaps "a" already exists')
    assert answer.body["details"] == {"name": "a", "kind": "configmaps"}
    with pytest.raises(ApiError, match=r'create configmaps .* 409 \(configmaps "a" already exists\)'):
        contract.api.create(CONFIG_MAPS, config_map(), contract.namespace)


def test_a_write_that_names_an_old_version_is_a_conflict(contract: Contract) -> None:
    made = contract.api.create(CONFIG_MAPS, config_map(), contract.namespace)
    contract.api.patch(CONFIG_MAPS, "a", {"data": {"v": "2"}}, contract.namespace)
    said = f'Operation cannot be fulfilled on configmaps "a": {MODIFIED}'
    place = path(contract, "configmaps", "a")
    assert contract.raw("PUT", place, made).refusal == (409, "Conflict", said)
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"v": "3"}}
    assert contract.raw("PATCH", place, stale, content_type=MERGE).refusal == (409, "Conflict", said)
    with pytest.raises(ApiError) as caught:
        contract.api.patch(CONFIG_MAPS, "a", stale, contract.namespace)
    assert caught.value.status == 409


def test_a_scale_that_names_an_old_version_is_a_conflict(contract: Contract) -> None:
    made = contract.api.create(DEPLOYMENTS, contract.manifest().deployment(), contract.namespace)
    contract.api.patch(DEPLOYMENTS, "kubelb", {"metadata": {"labels": {"other": "yes"}}}, contract.namespace)
    stale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {
            "name": "kubelb",
            "namespace": contract.namespace,
            "resourceVersion": made["metadata"]["resourceVersion"],
        },
        "spec": {"replicas": 1},
    }
    answer = contract.raw("PUT", path(contract, "deployments", "kubelb/scale"), stale)
    said = f'Operation cannot be fulfilled on deployments.apps "kubelb": {MODIFIED}'
    assert answer.refusal == (409, "Conflict", said)


def test_deleting_another_object_than_the_one_found_is_a_conflict(contract: Contract) -> None:
    contract.api.create(CONFIG_MAPS, config_map(), contract.namespace)
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "another"}}
    answer = contract.raw("DELETE", path(contract, "configmaps", "a"), options)
    assert answer.refusal[:2] == (409, "Conflict")
    assert (
        "the UID in the precondition (another) does not match the UID in record (" in answer.body["message"]
    )
    assert contract.names(CONFIG_MAPS).count("a") == 1


def test_what_is_not_there_is_not_found(contract: Contract) -> None:
    answer = contract.raw("GET", path(contract, "deployments", "none"))
    assert answer.refusal == (404, "NotFound", 'deployments.apps "none" not found')
    assert answer.body["details"] == {"name": "none", "group": "apps", "kind": "deployments"}
    assert contract.api.find(DEPLOYMENTS, "none", contract.namespace) is None
    scale = {"spec": {"replicas": 1}}
    answer = contract.raw("PATCH", path(contract, "deployments", "none/scale"), scale, content_type=MERGE)
    assert answer.refusal == (404, "NotFound", 'deployments.apps "none" not found')


def test_a_resource_that_is_not_served_is_not_found(contract: Contract) -> None:
    require(contract.api, ("list", Resource("apps", "v1", "nonesuch"), ""))
    answer = contract.raw("GET", "/apis/apps/v1/nonesuch")
    assert answer.refusal == (404, "NotFound", "the server could not find the requested resource")


def test_a_namespace_that_is_not_there_is_not_found_by_what_would_be_made_in_it(contract: Contract) -> None:
    require(contract.api, ("create", CONFIG_MAPS, "kubelb-none-such"), ("list", PODS, "kubelb-none-such"))
    body = config_map()
    answer = contract.raw("POST", "/api/v1/namespaces/kubelb-none-such/configmaps", body)
    assert answer.refusal == (404, "NotFound", 'namespaces "kubelb-none-such" not found')
    assert contract.api.list(Target(PODS, "kubelb-none-such"))["items"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"spec": {"replicas": -1}},
            'Deployment.apps "kubelb" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal'
            " to 0",
        ),
        (
            {"spec": {"selector": {"matchLabels": {"other": "yes"}}}},
            'spec.template.metadata.labels: Invalid value: {"app.kubernetes.io/managed-by":"pytest-kubelb",'
            '"app.kubernetes.io/name":"kubelb","kubelb.dev/session":"s1"}: `selector` does not match template'
            " `labels`",
        ),
        (
            {"metadata": {"name": "Upper"}},
            'Deployment.apps "Upper" is invalid: metadata.name: Invalid value: "Upper": a lowercase RFC 1123'
            " subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with"
            " an alphanumeric character (e.g. 'example.com', regex used for validation is"
            " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
        (
            {"metadata": {"labels": {"bad label": "x"}}},
            'metadata.labels: Invalid value: "bad label": name part must consist of alphanumeric characters',
        ),
    ],
    ids=["replicas", "selector", "name", "label"],
)
def test_a_deployment_that_breaks_the_rules_is_invalid(contract: Contract, change: Json, said: str) -> None:
    body = contract.manifest().deployment()
    for part, fields in change.items():
        body[part] = {**body[part], **fields}
    answer = contract.raw("POST", path(contract, "deployments"), body)
    assert answer.refusal[:2] == (422, "Invalid")
    assert said in answer.body["message"]
    assert contract.names(DEPLOYMENTS) == []


def test_a_negative_scale_is_invalid(contract: Contract) -> None:
    contract.api.create(DEPLOYMENTS, contract.manifest().deployment(), contract.namespace)
    place = path(contract, "deployments", "kubelb/scale")
    answer = contract.raw("PATCH", place, {"spec": {"replicas": -1}}, content_type=MERGE)
    assert answer.refusal == (
        422,
        "Invalid",
        'Scale.autoscaling "kubelb" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    )


def test_an_address_that_another_service_has_is_invalid(contract: Contract) -> None:
    first = contract.api.create(SERVICES, contract.manifest().service(), contract.namespace)
    second = contract.manifest(name="other").service()
    second["spec"]["clusterIP"] = first["spec"]["clusterIP"]
    answer = contract.raw("POST", path(contract, "services"), second)
    address = first["spec"]["clusterIP"]
    assert answer.refusal[:2] == (422, "Invalid")
    assert f"failed to allocate IP {address}: provided IP is already allocated" in answer.body["message"]


def test_the_selector_of_a_deployment_cannot_be_changed(contract: Contract) -> None:
    contract.api.create(DEPLOYMENTS, contract.manifest().deployment(), contract.namespace)
    change = {
        "spec": {
            "selector": {"matchLabels": {"app": "other"}},
            "template": {"metadata": {"labels": {"app": "other"}}},
        }
    }
    answer = contract.raw("PATCH", path(contract, "deployments", "kubelb"), change, content_type=MERGE)
    assert answer.refusal[:2] == (422, "Invalid")
    assert "spec.selector: Invalid value: " in answer.body["message"]
    assert "field is immutable" in answer.body["message"]


def test_a_field_of_the_wrong_type_is_a_bad_request(contract: Contract) -> None:
    body = contract.manifest().deployment()
    body["spec"]["replicas"] = "many"
    answer = contract.raw("POST", path(contract, "deployments"), body)
    assert answer.refusal[:2] == (400, "BadRequest")
    assert (
        "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        in (answer.body["message"])
    )


def test_an_unknown_field_is_dropped_and_refused_when_asked_to_be_strict(contract: Contract) -> None:
    body = contract.manifest().deployment()
    body["spec"]["replcas"] = 3
    answer = contract.raw("POST", path(contract, "deployments"), body, fieldValidation="Strict")
    assert answer.refusal[:2] == (400, "BadRequest")
    assert 'unknown field "spec.replcas"' in answer.body["message"]
    answer = contract.raw("POST", path(contract, "deployments"), body)
    assert answer.code == 201
    assert "replcas" not in answer.body["spec"]


def test_a_patch_to_an_unknown_field_is_refused_when_asked_to_be_strict(contract: Contract) -> None:
    contract.api.create(DEPLOYMENTS, contract.manifest().deployment(), contract.namespace)
    place, change = path(contract, "deployments", "kubelb"), {"spec": {"replcas": 3}}
    answer = contract.raw("PATCH", place, change, content_type=MERGE, fieldValidation="Strict")
    assert answer.refusal[:2] == (422, "Invalid")
    assert answer.body["message"].startswith(' "" is invalid: patch: Invalid value: "{')
    assert answer.body["message"].endswith('strict decoding error: unknown field "spec.replcas"')
    answer = contract.raw("PATCH", place, change, content_type=MERGE)
    assert answer.code == 200
    assert "replcas" not in answer.body["spec"]


def test_a_patch_of_an_unknown_kind_is_refused(contract: Contract) -> None:
    contract.api.create(CONFIG_MAPS, config_map(), contract.namespace)
    answer = contract.raw("PATCH", path(contract, "configmaps", "a"), {}, content_type="application/json")
    assert answer.refusal == (415, "UnsupportedMediaType", "415: Unsupported Media Type")


def test_nothing_is_written_when_asked_for_a_dry_run(contract: Contract) -> None:
    answer = contract.raw("POST", path(contract, "configmaps"), config_map(), dryRun="All")
    assert answer.code == 201
    assert answer.body["metadata"]["uid"]
    assert "resourceVersion" not in answer.body["metadata"]
    assert "a" not in contract.names(CONFIG_MAPS)


def test_a_token_that_nobody_was_given_is_refused(contract: Contract, tmp_path: Path) -> None:
    with Raw(contract.subject.stranger(tmp_path)) as raw:
        answer = raw("GET", path(contract, "configmaps"))
    assert answer.refusal == (401, "Unauthorized", "Unauthorized")
