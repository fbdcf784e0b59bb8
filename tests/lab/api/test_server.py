"""What the server answers: discovery, who may come in, errors, patches, pages."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from .cluster import cluster, deployment, service, status_of
from .conftest import Kube, connect


def fetch(kubeconfig: Path, path: str, **headers: str) -> tuple[int, str]:
    """Give a plain GET, without the official client."""
    config = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(config["certificate-authority-data"]).decode()
    )
    request = urllib.request.Request(config["server"] + path, headers=headers)  # noqa: S310 -- https only, by the kubeconfig
    try:
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:  # noqa: S310 - as above
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_version_and_discovery_satisfy_the_official_client(kube: Kube) -> None:
    assert client.VersionApi(kube.client).get_code().minor == "36"
    assert {group.name for group in client.ApisApi(kube.client).get_api_versions().groups} >= {
        "apps",
        "discovery.k8s.io",
    }
    names = {row.name for row in kube.apps.get_api_resources().resources}
    assert {"deployments", "deployments/scale", "deployments/status", "daemonsets"} <= names


def test_health_and_version_need_no_token_and_everything_else_does(kube: Kube) -> None:
    path = kube.cluster.kubeconfig
    assert fetch(path, "/readyz") == (200, "ok")
    assert fetch(path, "/version")[0] == 200
    for asked in ("/api", "/api/v1/pods", "/nothing"):
        code, body = fetch(path, asked)
        assert (code, json.loads(body)["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic bobs-token", "Bearer b\xf6b"])
def test_a_token_that_nobody_was_given_is_unauthorized(kube: Kube, header: str) -> None:
    assert fetch(kube.cluster.kubeconfig, "/api/v1/pods", Authorization=header)[0] == 401


def test_a_withdrawn_token_is_unauthorized_from_then_on(kube: Kube) -> None:
    with kube.cluster.client("bobs-token") as bob:
        client.CoreV1Api(bob).list_node()
        del kube.cluster.tokens["bobs-token"]
        with pytest.raises(ApiException) as caught:
            client.CoreV1Api(bob).list_node()
    assert caught.value.status == 401


def test_forbidden_names_user_verb_resource_and_scope_as_the_real_one_does(tmp_path: Path) -> None:
    def only_read(user: str, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        return user != "bob" or (
            verb in ("get", "list") and namespace == "default" and not subresource and bool(group or resource)
        )

    with cluster(tmp_path, only_read) as running:
        bob = connect(running, "bobs-token")
        with bob.client:
            bob.core.list_namespaced_pod("default")
            with pytest.raises(ApiException) as caught:
                bob.apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 1}})
            assert status_of(caught.value) == {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": 'deployments.apps "web" is forbidden: User "bob" cannot patch '
                'resource "deployments/scale" in API group "apps" in the namespace "default"',
                "reason": "Forbidden",
                "details": {"name": "web", "group": "apps", "kind": "deployments"},
                "code": 403,
            }
            with pytest.raises(ApiException) as caught:
                bob.core.list_node()
            assert status_of(caught.value)["message"] == (
                'nodes is forbidden: User "bob" cannot list resource "nodes" '
                'in API group "" at the cluster scope'
            )
            reviews: Any = client.AuthorizationV1Api(bob.client)
            attributes = {
                "verb": "create",
                "group": "apps",
                "resource": "deployments",
                "namespace": "default",
            }
            for verb, allowed in (("create", False), ("get", True)):
                review = {"spec": {"resourceAttributes": attributes | {"verb": verb}}}
                assert reviews.create_self_subject_access_review(review).status.allowed is allowed


def test_what_is_not_there_is_a_404_with_its_name(kube: Kube) -> None:
    with pytest.raises(ApiException) as caught:
        kube.apps.read_namespaced_deployment("gone", "bench")
    status = status_of(caught.value)
    assert (status["code"], status["reason"], status["message"]) == (
        404,
        "NotFound",
        'deployments.apps "gone" not found',
    )
    with pytest.raises(ApiException) as caught:
        kube.core.create_namespaced_config_map("nowhere", {"metadata": {"name": "a"}})
    assert status_of(caught.value)["message"] == 'namespaces "nowhere" not found'


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/batch/v1/jobs", 404),
        ("GET", "/api/v1/pods/nameless", 404),
        ("GET", "/api/v1/namespaces/bench/pods/a/portforward", 404),
        ("GET", "/api/v1/namespaces/bench/nodes", 404),
        ("POST", "/api/v1/pods", 405),
        ("PUT", "/api/v1/namespaces/bench/pods", 405),
        ("DELETE", "/apis/apps/v1/namespaces/bench/deployments/web/scale", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
    ],
)
def test_paths_and_methods_that_are_not_served_are_refused(
    kube: Kube, method: str, path: str, code: int
) -> None:
    url = kube.client.configuration.host + path
    answer = kube.client.rest_client.pool_manager.request(method, url, headers=auth(kube))
    assert (answer.status, json.loads(answer.data)["code"]) == (code, code)


def auth(kube: Kube) -> dict[str, str]:
    return {"Authorization": f"Bearer {next(iter(kube.cluster.tokens))}", "Content-Type": "application/json"}


def test_creating_twice_is_already_exists(kube: Kube) -> None:
    kube.core.create_namespaced_config_map("bench", {"metadata": {"name": "a"}})
    with pytest.raises(ApiException) as caught:
        kube.core.create_namespaced_config_map("bench", {"metadata": {"name": "a"}})
    status = status_of(caught.value)
    assert (status["code"], status["reason"], status["message"]) == (
        409,
        "AlreadyExists",
        'configmaps "a" already exists',
    )


def test_a_stale_version_is_a_conflict_for_put_and_for_patch(kube: Kube) -> None:
    stale = kube.core.create_namespaced_config_map("bench", {"metadata": {"name": "a"}, "data": {"n": "1"}})
    kube.core.patch_namespaced_config_map("a", "bench", {"data": {"n": "2"}})
    stale.data = {"n": "3"}
    for call in (kube.core.replace_namespaced_config_map, kube.core.patch_namespaced_config_map):
        with pytest.raises(ApiException) as caught:
            call("a", "bench", stale)
        status = status_of(caught.value)
        assert (status["code"], status["reason"]) == (409, "Conflict")
        assert status["message"] == (
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )
    assert kube.core.read_namespaced_config_map("a", "bench").data == {"n": "2"}


def test_writing_the_same_again_keeps_the_version(kube: Kube) -> None:
    first = kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))
    kube.wait_ready(0)
    before = kube.apps.read_namespaced_deployment("web", "bench")
    again = kube.apps.patch_namespaced_deployment("web", "bench", {"spec": {"replicas": 0}})
    assert again.metadata.resource_version == before.metadata.resource_version
    assert again.metadata.generation == first.metadata.generation


def test_a_lease_cannot_be_replaced_without_a_version(kube: Kube) -> None:
    body = {"metadata": {"name": "lock"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}
    made = kube.coordination.create_namespaced_lease("bench", body)
    with pytest.raises(ApiException) as caught:
        kube.coordination.replace_namespaced_lease("lock", "bench", body)
    status = status_of(caught.value)
    assert status["message"].endswith(
        "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    )
    made.spec.holder_identity = "you"
    assert kube.coordination.replace_namespaced_lease("lock", "bench", made).spec.holder_identity == "you"


def test_all_three_kinds_of_patches_are_applied_and_server_side_apply_is_refused(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))

    def patch(body: Any, kind: str) -> Any:
        return kube.apps.patch_namespaced_deployment(
            "web", "bench", body, _content_type=f"application/{kind}"
        )

    patched = patch([{"op": "add", "path": "/metadata/labels/a~1b", "value": "x"}], "json-patch+json")
    assert patched.metadata.labels["a/b"] == "x"
    assert "a/b" not in patch({"metadata": {"labels": {"a/b": None}}}, "merge-patch+json").metadata.labels
    container = {"name": "nginx", "env": [{"name": "A", "value": "1"}]}
    merged = patch(
        {"spec": {"template": {"spec": {"containers": [container]}}}}, "strategic-merge-patch+json"
    )
    assert merged.spec.template.spec.containers[0].image == "nginx:1.22"
    with pytest.raises(ApiException) as caught:
        patch({"spec": {}}, "apply-patch+yaml")
    assert caught.value.status == 415


def test_a_dry_run_checks_and_writes_nothing(kube: Kube) -> None:
    answer = kube.core.create_namespaced_service("bench", service(), dry_run="All")
    assert answer.spec.cluster_ip.startswith("10.254.")
    assert not kube.core.list_namespaced_service("bench").items


def test_a_list_in_pages_is_one_snapshot_and_an_old_page_is_gone(kube: Kube) -> None:
    for n in range(5):
        kube.core.create_namespaced_config_map(
            "bench", {"metadata": {"name": f"m{n}", "labels": {"mine": "yes"}}}
        )
    first = kube.core.list_namespaced_config_map("bench", limit=2, label_selector="mine")
    kube.core.delete_namespaced_config_map("m3", "bench")
    token = first.metadata._continue
    rest = kube.core.list_namespaced_config_map("bench", limit=9, _continue=token, label_selector="mine")
    assert [item.metadata.name for item in [*first.items, *rest.items]] == ["m0", "m1", "m2", "m3", "m4"]
    assert first.metadata.remaining_item_count == 3
    for _ in range(32):
        kube.core.list_namespaced_config_map("bench", limit=1)
    with pytest.raises(ApiException) as caught:
        kube.core.list_namespaced_config_map("bench", _continue=token)
    assert (caught.value.status, status_of(caught.value)["reason"]) == (410, "Expired")


def test_a_list_at_exactly_a_forgotten_version_is_gone(kube: Kube) -> None:
    with pytest.raises(ApiException) as caught:
        kube.core.list_namespaced_config_map("bench", resource_version="1", resource_version_match="Exact")
    assert caught.value.status == 410


def test_selectors_pick_objects_and_nonsense_is_a_bad_request(kube: Kube) -> None:
    for name, tier in (("a", "web"), ("b", "db")):
        kube.core.create_namespaced_config_map(
            "bench", {"metadata": {"name": name, "labels": {"tier": tier}}}
        )

    def names(**selectors: str) -> list[str]:
        return [
            item.metadata.name for item in kube.core.list_namespaced_config_map("bench", **selectors).items
        ]

    assert names(label_selector="tier in (web,cache)") == ["a"]
    assert names(label_selector="tier,tier!=web") == ["b"]
    assert names(field_selector="metadata.name=b") == ["b"]
    for nonsense in ({"label_selector": "tier in web"}, {"field_selector": "data.x=1"}):
        with pytest.raises(ApiException) as caught:
            names(**nonsense)
        assert (caught.value.status, status_of(caught.value)["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"text"', b"1", b'{"metadata":1}', b'{"kind":"Pod"}', b"[" * 100_000]
)
def test_a_body_that_is_no_such_object_is_a_bad_request(kube: Kube, body: bytes) -> None:
    url = kube.client.configuration.host + "/api/v1/namespaces/bench/configmaps"
    answer = kube.client.rest_client.pool_manager.request("POST", url, body=body, headers=auth(kube))
    assert (answer.status, json.loads(answer.data)["kind"]) == (400, "Status")


def test_a_status_write_changes_only_the_status(kube: Kube) -> None:
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=0))
    found = kube.wait_ready(0)
    found.spec.replicas = 7
    found.status.collision_count = 3
    written = kube.apps.replace_namespaced_deployment_status("web", "bench", found)
    assert (written.spec.replicas, written.status.collision_count) == (0, 3)
