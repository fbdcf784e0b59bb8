"""Switching flannel's backend, against the embedded control plane.

Flannel itself is played here: what a flanneld does with its configuration is the lab's to test.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.overlay import (
    BACKEND_ANNOTATION,
    BEFORE_ANNOTATION,
    Overlay,
    backend_type,
    with_backend_type,
)
from pytest_kubelb.cluster.resources import CONFIG_MAPS, DAEMON_SETS, NODES, Json, Target
from pytest_kubelb.cluster.watch import Watcher
from pytest_kubelb.errors import TestbedError

from .conftest import NAMESPACES, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

NET_CONF = '{\n  "Network": "172.16.0.0/16",\n  "Backend": {"Type": "vxlan", "VNI": 7}\n}\n'


class Flanneld(threading.Thread):
    """Writes the backend type to the nodes' annotations whenever the DaemonSet is restarted."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._api = bench.api
        self.restarts = -1
        self.ended = threading.Event()

    def run(self) -> None:
        seen: set[int] = set()
        with Watcher(self._api, [Target(DAEMON_SETS, "kube-flannel")]) as watcher:
            while not self.ended.is_set():
                try:
                    generation = watcher.wait_for(
                        lambda state: next(
                            (
                                int(one["metadata"]["generation"])
                                for one in (state[0] or {}).values()
                                if one["metadata"]["generation"] not in seen
                            ),
                            None,
                        ),
                        0.1,
                    )
                except TimeoutError:
                    continue
                seen.add(generation)
                self.restarts += 1
                self._annotate()

    def _annotate(self) -> None:
        found = self._api.find(CONFIG_MAPS, "kube-flannel-cfg", "kube-flannel")
        assert found is not None
        annotation = {BACKEND_ANNOTATION: backend_type(found["data"]["net-conf.json"])}
        for node in self._api.list(Target(NODES))["items"]:
            self._api.patch(NODES, node["metadata"]["name"], {"metadata": {"annotations": annotation}})


def install(bench: Bench) -> None:
    bench.api.create(NAMESPACES, {"metadata": {"name": "kube-flannel"}})
    config: Json = {"metadata": {"name": "kube-flannel-cfg"}, "data": {"net-conf.json": NET_CONF, "cni": "x"}}
    bench.api.create(CONFIG_MAPS, config, "kube-flannel")
    template = {
        "metadata": {"labels": {"app": "flannel"}},
        "spec": {"containers": [{"name": "kube-flannel", "image": "flannel"}], "hostNetwork": True},
    }
    daemon_set: Json = {
        "metadata": {"name": "kube-flannel-ds"},
        "spec": {"selector": {"matchLabels": {"app": "flannel"}}, "template": template},
    }
    bench.api.create(DAEMON_SETS, daemon_set, "kube-flannel")


@pytest.fixture
def flanneld(bench: Bench) -> Iterator[Flanneld]:
    install(bench)
    thread = Flanneld(bench)
    thread.start()
    yield thread
    thread.ended.set()
    thread.join()


def configuration(bench: Bench) -> dict[str, str]:
    found = bench.api.find(CONFIG_MAPS, "kube-flannel-cfg", "kube-flannel")
    assert found is not None
    data: dict[str, str] = found["data"]
    return data


def test_the_backend_is_changed_on_every_node_and_put_back_byte_for_byte(
    bench: Bench, flanneld: Flanneld
) -> None:
    before = objects(bench)
    overlay = Overlay(bench.api, identity="ann@laptop pid 1 session a", namespace="bench")
    overlay.set("vxlan", timeout_s=10)
    assert flanneld.restarts == 0
    overlay.set("host-gw", timeout_s=10)
    assert overlay.read() == "host-gw"
    assert json.loads(configuration(bench)["net-conf.json"])["Backend"] == {"Type": "host-gw", "VNI": 7}
    nodes = bench.api.list(Target(NODES))["items"]
    assert {node["metadata"]["annotations"][BACKEND_ANNOTATION] for node in nodes} == {"host-gw"}
    overlay.restore(timeout_s=10)
    overlay.restore(timeout_s=10)
    assert configuration(bench) == {"net-conf.json": NET_CONF, "cni": "x"}
    assert flanneld.restarts == 2
    assert objects(bench) == before


def objects(bench: Bench) -> list[Json]:
    """Give flannel's objects without what the API counts in them."""
    found = []
    for resource, name in ((CONFIG_MAPS, "kube-flannel-cfg"), (DAEMON_SETS, "kube-flannel-ds")):
        item = bench.api.find(resource, name, "kube-flannel")
        assert item is not None
        metadata = {key: item["metadata"].get(key) or None for key in ("annotations", "labels")}
        template = item.get("spec", {}).get("template", {})
        annotations = template.get("metadata", {}).get("annotations") or None
        found.append(
            {**metadata, "data": item.get("data"), "template": annotations, "spec": template.get("spec")}
        )
    return found


def test_after_a_crash_the_cluster_says_who_changed_the_overlay_and_it_is_put_back_byte_for_byte(
    bench: Bench, flanneld: Flanneld
) -> None:
    before = objects(bench)
    crashed = Overlay(bench.api, identity="ann@laptop pid 1 session a", namespace="bench")
    crashed.set("host-gw", timeout_s=10)
    crashed.set("vxlan", timeout_s=10)
    crashed.set("host-gw", timeout_s=10)
    other = Overlay(bench.api, identity="bob@desk pid 2 session b", namespace="bench")
    with pytest.raises(
        TestbedError, match=r"as ann@laptop pid 1 session a has set it since .*`kubelb restore`"
    ):
        other.set("vxlan", timeout_s=10)
    changed = other.changed()
    assert changed is not None
    assert (changed.by, changed.namespace, changed.configuration) == (
        "ann@laptop pid 1 session a", "bench", NET_CONF,
    )  # fmt: skip
    other.take_over(changed)
    other.restore(timeout_s=10)
    assert objects(bench) == before
    assert other.changed() is None
    assert flanneld.restarts > 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"by": 1, "namespace": "", "since": "", "configuration": ""}']
)
def test_an_annotation_that_is_not_ours_is_an_error(bench: Bench, text: str) -> None:
    install(bench)
    annotations = {"metadata": {"annotations": {BEFORE_ANNOTATION: text}}}
    bench.api.patch(CONFIG_MAPS, "kube-flannel-cfg", annotations, "kube-flannel")
    with pytest.raises(TestbedError, match="which is not understood"):
        Overlay(bench.api).changed()


def test_a_node_that_does_not_follow_is_named(bench: Bench) -> None:
    install(bench)
    annotation = {"metadata": {"annotations": {BACKEND_ANNOTATION: "vxlan"}}}
    bench.api.patch(NODES, "k05", annotation)
    with pytest.raises(TestbedError, match=r"overlay host-gw: after 0\.2 s k05 says vxlan"):
        Overlay(bench.api).set("host-gw", timeout_s=0.2)


def test_a_cluster_without_flannel_is_said_to_be(bench: Bench) -> None:
    with pytest.raises(TestbedError, match="ConfigMap kube-flannel-cfg in namespace kube-flannel has no"):
        Overlay(bench.api).read()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Backend": 1}', '{"Backend": {}}', "{"])
def test_a_configuration_without_a_backend_type_is_an_error(text: str) -> None:
    with pytest.raises(TestbedError, match=r"has no Backend\.Type"):
        backend_type(text)


def test_only_the_type_is_changed() -> None:
    changed = json.loads(with_backend_type(NET_CONF, "host-gw"))
    assert changed == {"Network": "172.16.0.0/16", "Backend": {"Type": "host-gw", "VNI": 7}}
