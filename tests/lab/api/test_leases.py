"""Leases, as the real API server serves them: made by PUT too, and exact in their times."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.refusal import ApiError
from pytest_kubelb.cluster.resources import LEASES

from .cluster import Cluster, Watch, cluster, status_of
from .conftest import Kube, connect

MOMENT = "2026-03-01T10:00:00.000001Z"


def lease(name: str = "lock", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, **spec}}


def refusal(call: Any, *args: Any) -> dict[str, Any]:
    with pytest.raises(ApiException) as caught:
        call(*args)
    return status_of(caught.value)


def test_a_lease_that_is_not_there_is_made_by_put(kube: Kube) -> None:
    made = kube.coordination.replace_namespaced_lease_with_http_info("lock", "bench", lease())
    assert made[1] == 201
    assert kube.coordination.read_namespaced_lease("lock", "bench").spec.holder_identity == "me"


def test_a_put_that_names_the_uid_of_what_is_gone_is_a_conflict(kube: Kube) -> None:
    made = kube.coordination.create_namespaced_lease("bench", lease())
    kube.coordination.delete_namespaced_lease("lock", "bench")
    status = refusal(kube.coordination.replace_namespaced_lease, "lock", "bench", made)
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert (
        f"Precondition failed: UID in precondition: {made.metadata.uid}, UID in object meta: "
        in status["message"]
    )


def test_who_may_not_create_may_not_create_by_put(tmp_path: Any) -> None:
    running: Cluster
    with cluster(tmp_path, lambda user, verb, *_: user != "bob" or verb != "create") as running:
        connect(running).core.create_namespace({"metadata": {"name": "bench"}})
        bob = connect(running, "bobs-token")
        status = refusal(bob.coordination.replace_namespaced_lease, "lock", "bench", lease())
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert 'cannot create resource "leases" in API group "coordination.k8s.io"' in status["message"]


def test_a_stale_version_is_a_conflict_for_put_and_for_patch(kube: Kube) -> None:
    stale = kube.coordination.create_namespaced_lease("bench", lease())
    kube.coordination.patch_namespaced_lease("lock", "bench", {"spec": {"renewTime": MOMENT}})
    for call in (kube.coordination.replace_namespaced_lease, kube.coordination.patch_namespaced_lease):
        status = refusal(call, "lock", "bench", stale)
        assert (status["code"], status["reason"]) == (409, "Conflict")


def test_a_patch_of_a_lease_that_is_not_there_makes_none(kube: Kube) -> None:
    assert refusal(kube.coordination.patch_namespaced_lease, "lock", "bench", {"spec": {}})["code"] == 404


def test_durations_are_positive_and_transitions_not_negative(kube: Kube) -> None:
    body = lease(leaseDurationSeconds=0, leaseTransitions=-1)
    status = refusal(kube.coordination.create_namespaced_lease, "bench", body)
    assert status["message"] == (
        'Lease.coordination.k8s.io "lock" is invalid: [spec.leaseDurationSeconds: Invalid value: 0: must be '
        "greater than 0, spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0]"
    )


@pytest.mark.parametrize(
    "text", ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.123Z", "2026-13-01T10:00:00.000000Z", "now", ""]
)
def test_a_time_without_exactly_six_digits_of_a_second_cannot_be_read(kube: Kube, text: str) -> None:
    # Our client sends what it is given; the official one makes a good time of what it can.
    with Api(kube.cluster.kubeconfig, on_event=print) as api, pytest.raises(ApiError) as caught:
        api.create(LEASES, lease(renewTime=text), "bench")
    assert caught.value.status == 400
    assert f'parsing time "{text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse' in str(caught.value)


def test_a_time_of_another_zone_is_given_back_in_utc(kube: Kube) -> None:
    with Api(kube.cluster.kubeconfig, on_event=print) as api:
        made = api.create(LEASES, lease(acquireTime="2026-03-01T12:00:00.000001+02:00"), "bench")
    assert made["spec"]["acquireTime"] == MOMENT


def test_the_fields_of_coordinated_leader_election_are_dropped_while_its_gate_is_closed(kube: Kube) -> None:
    body = lease(strategy="OldestEmulationVersion", preferredHolder="you")
    made = kube.coordination.create_namespaced_lease("bench", body)
    assert (made.spec.strategy, made.spec.preferred_holder) == (None, None)


def test_a_watch_of_one_name_tells_each_change_and_the_end(kube: Kube) -> None:
    first = kube.coordination.create_namespaced_lease("bench", lease())
    kube.coordination.create_namespaced_lease("bench", lease("another"))
    kube.coordination.patch_namespaced_lease("lock", "bench", {"spec": {"renewTime": MOMENT}})
    kube.coordination.delete_namespaced_lease("lock", "bench")
    stream = Watch().stream(
        kube.coordination.list_namespaced_lease,
        "bench",
        field_selector="metadata.name=lock",
        resource_version=first.metadata.resource_version,
        timeout_seconds=1,
    )
    assert [(event["type"], event["object"].metadata.name) for event in stream] == [
        ("MODIFIED", "lock"),
        ("DELETED", "lock"),
    ]
