"""Services: their addresses, their EndpointSlices, and what the lab's kube-proxy is told."""

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from pytest_kubelb.lab.api.resources import CONFIGMAPS

from .cluster import deployment, service, status_of, until
from .conftest import Kube


def test_a_cluster_ip_asked_for_is_given_and_others_come_from_the_upper_band(kube: Kube) -> None:
    assert (
        kube.core.create_namespaced_service("bench", service("a", "10.254.0.10")).spec.cluster_ip
        == "10.254.0.10"
    )
    assert kube.core.create_namespaced_service("bench", service("b")).spec.cluster_ips == ["10.254.1.1"]
    headless = kube.core.create_namespaced_service("bench", service("c", "None"))
    assert headless.spec.cluster_ip == "None"
    kube.core.delete_namespaced_service("a", "bench")
    kube.core.create_namespaced_service("bench", service("d", "10.254.0.10"))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.254.0.1", "failed to allocate IP 10.254.0.1: provided IP is already allocated"),
        (
            "10.253.0.1",
            "failed to allocate IP 10.253.0.1: the provided network does not match the current range",
        ),
        ("nonsense", "must be a valid IP address"),
    ],
)
def test_a_cluster_ip_that_cannot_be_had_is_invalid_with_the_reason(
    kube: Kube, address: str, why: str
) -> None:
    with pytest.raises(ApiException) as caught:
        kube.core.create_namespaced_service("bench", service(cluster_ip=address))
    assert caught.value.status == 422
    assert why in status_of(caught.value)["message"]


def test_a_cluster_ip_stays_when_left_out_and_cannot_be_changed(kube: Kube) -> None:
    made = kube.core.create_namespaced_service("bench", service())
    again = kube.core.replace_namespaced_service("web", "bench", service())
    assert again.spec.cluster_ip == made.spec.cluster_ip
    with pytest.raises(ApiException) as caught:
        kube.core.patch_namespaced_service("web", "bench", {"spec": {"clusterIP": "10.254.0.99"}})
    assert caught.value.status == 422
    assert "may not change once set" in status_of(caught.value)["message"]


def test_a_slice_is_labelled_owned_and_has_null_endpoints_without_pods(kube: Kube) -> None:
    made = kube.core.create_namespaced_service("bench", service())
    until(lambda: kube.discovery.list_namespaced_endpoint_slice("bench").items)
    (found,) = kube.discovery.list_namespaced_endpoint_slice("bench").items
    assert found.metadata.labels == {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "web",
    }
    assert found.metadata.owner_references[0].uid == made.metadata.uid
    assert (found.address_type, found.endpoints, found.ports) == ("IPv4", None, None)
    kube.core.delete_namespaced_service("web", "bench")
    until(lambda: not kube.discovery.list_namespaced_endpoint_slice("bench").items)


def test_more_than_a_hundred_endpoints_take_several_slices(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=205))
    kube.wait_ready(205)
    until(lambda: len(kube.endpoints()) == 205)
    sizes = [len(s.endpoints) for s in kube.discovery.list_namespaced_endpoint_slice("bench").items]
    assert sorted(sizes) == [5, 100, 100]
    kube.scale(2)
    kube.wait_pods(2)
    until(lambda: len(kube.endpoints()) == 2)


def test_named_target_ports_are_looked_up_in_each_pod(kube: Kube) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
    spec = {"selector": {"app": "web"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}
    kube.core.create_namespaced_service("bench", {"metadata": {"name": "web"}, "spec": spec})
    kube.apps.create_namespaced_deployment("bench", body)
    until(lambda: kube.endpoints())
    (found,) = kube.discovery.list_namespaced_endpoint_slice("bench").items
    assert [(p.name, p.port, p.protocol) for p in found.ports] == [("web", 8080, "TCP")]


def test_a_changed_slice_or_a_deleted_one_is_put_right(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=3))
    kube.wait_ready(3)
    (found,) = kube.discovery.list_namespaced_endpoint_slice("bench").items
    kube.discovery.delete_namespaced_endpoint_slice(found.metadata.name, "bench")
    until(lambda: len(kube.endpoints()) == 3)


def test_a_pod_that_is_going_is_not_ready_but_still_serving_in_its_slice(kube: Kube) -> None:
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment())
    kube.wait_ready(1)
    seen: list[dict[str, Any]] = []

    def note(_services: list[dict[str, Any]], slices: list[dict[str, Any]]) -> None:
        seen.extend(endpoint["conditions"] for s in slices for endpoint in s["endpoints"] or ())

    kube.cluster.run(lambda: kube.cluster.plane.controllers.on_services_changed(note))
    kube.scale(0)
    kube.wait_pods(0)
    assert {"ready": False, "serving": True, "terminating": True} in seen


def test_the_proxy_is_told_once_per_batch_with_everything_it_needs(kube: Kube) -> None:
    calls: list[tuple[int, int]] = []

    def note(services: list[dict[str, Any]], slices: list[dict[str, Any]]) -> None:
        calls.append((len(services), sum(len(s["endpoints"] or ()) for s in slices)))

    kube.cluster.run(lambda: kube.cluster.plane.controllers.on_services_changed(note))
    kube.core.create_namespaced_service("bench", service())
    kube.apps.create_namespaced_deployment("bench", deployment(replicas=40))
    kube.wait_ready(40)
    until(lambda: calls and calls[-1] == (2, 40))
    assert len(calls) <= 4


def test_flannel_hears_of_what_its_config_map_holds_and_of_nothing_else(kube: Kube) -> None:
    heard: list[Any] = []

    def listen() -> None:
        def note(obj: dict[str, Any] | None) -> None:
            heard.append(obj and obj["data"])

        kube.cluster.plane.controllers.on_object_changed(CONFIGMAPS, "bench", "kube-flannel-cfg", note)

    kube.cluster.run(listen)
    kube.core.create_namespaced_config_map(
        "bench", {"metadata": {"name": "kube-flannel-cfg"}, "data": {"a": "1"}}
    )
    kube.core.create_namespaced_config_map("bench", {"metadata": {"name": "another"}})
    kube.core.patch_namespaced_config_map("kube-flannel-cfg", "bench", {"metadata": {"labels": {"x": "y"}}})
    kube.core.patch_namespaced_config_map("kube-flannel-cfg", "bench", {"data": {"a": "2"}})
    kube.core.delete_namespaced_config_map("kube-flannel-cfg", "bench")
    until(lambda: heard and heard[-1] is None)
    assert heard == [{"a": "1"}, {"a": "2"}, None]
