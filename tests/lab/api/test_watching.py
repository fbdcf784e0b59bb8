"""Watches: what is told, in which order, and when the history no longer reaches back."""

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from .cluster import Watch, cluster
from .conftest import Kube, connect


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def told(kube: Kube, **options: Any) -> list[tuple[str, str]]:
    """Kind and name of every event of a watch that ends by itself after a second."""
    stream = Watch().stream(kube.core.list_namespaced_config_map, "bench", timeout_seconds=1, **options)
    return [(event["type"], event["raw_object"]["metadata"].get("name", "")) for event in stream]


def test_a_watch_from_a_lists_version_tells_exactly_what_came_after(kube: Kube) -> None:
    kube.core.create_namespaced_config_map("bench", config_map("before"))
    version = kube.core.list_namespaced_config_map("bench").metadata.resource_version
    kube.core.create_namespaced_config_map("bench", config_map("after"))
    kube.core.patch_namespaced_config_map("before", "bench", {"data": {"x": "1"}})
    kube.core.delete_namespaced_config_map("after", "bench")
    events = told(kube, resource_version=version)
    assert events == [("ADDED", "after"), ("MODIFIED", "before"), ("DELETED", "after")]


def test_a_watch_from_nowhere_begins_with_what_there_is(kube: Kube) -> None:
    kube.core.create_namespaced_config_map("bench", config_map("a", mine="yes"))
    assert told(kube, label_selector="mine") == [("ADDED", "a")]


def test_to_a_selector_an_object_that_begins_or_ceases_to_match_is_added_or_deleted(kube: Kube) -> None:
    kube.core.create_namespaced_config_map("bench", config_map("a"))
    version = kube.core.list_namespaced_config_map("bench").metadata.resource_version
    kube.core.patch_namespaced_config_map("a", "bench", {"metadata": {"labels": {"mine": "yes"}}})
    kube.core.patch_namespaced_config_map("a", "bench", {"metadata": {"labels": {"mine": None}}})
    kube.core.delete_namespaced_config_map("a", "bench")
    assert told(kube, label_selector="mine", resource_version=version) == [("ADDED", "a"), ("DELETED", "a")]


def test_a_deletion_carries_a_version_of_its_own(kube: Kube) -> None:
    made = kube.core.create_namespaced_config_map("bench", config_map("a"))
    kube.core.delete_namespaced_config_map("a", "bench")
    stream = Watch().stream(
        kube.core.list_namespaced_config_map,
        "bench",
        timeout_seconds=1,
        resource_version=made.metadata.resource_version,
    )
    (event,) = list(stream)
    assert int(event["object"].metadata.resource_version) > int(made.metadata.resource_version)


def test_a_watch_from_a_forgotten_version_is_expired_by_an_error_event(kube: Kube) -> None:
    version = kube.core.list_namespaced_config_map("bench").metadata.resource_version
    kube.core.create_namespaced_config_map("bench", config_map("a"))
    kube.cluster.run(kube.cluster.plane.store.compact)
    for old in (version, "1"):
        with pytest.raises(ApiException) as caught:
            told(kube, resource_version=old)
        assert caught.value.status == 410
        assert "Expired: too old resource version" in str(caught.value.reason)


def test_a_history_that_is_full_forgets_its_oldest_and_only_of_that_resource(tmp_path: Path) -> None:
    with cluster(tmp_path, history=5) as running:
        kube = connect(running)
        with kube.client:
            kube.core.create_namespace({"metadata": {"name": "bench"}})
            leases = kube.coordination.list_namespaced_lease("bench").metadata.resource_version
            version = kube.core.list_namespaced_config_map("bench").metadata.resource_version
            for n in range(9):
                kube.core.create_namespaced_config_map("bench", config_map(f"m{n}"))
            with pytest.raises(ApiException, match="410"):
                told(kube, resource_version=version)
            stream = Watch()
            options = {"resource_version": leases, "timeout_seconds": 1}
            assert not list(stream.stream(kube.coordination.list_namespaced_lease, "bench", **options))


def test_bookmarks_come_only_when_asked_for_and_carry_the_current_version(tmp_path: Path) -> None:
    with cluster(tmp_path, bookmark_interval_s=0.1) as running:
        kube = connect(running)
        with kube.client:
            kube.core.create_namespace({"metadata": {"name": "bench"}})
            version = kube.core.list_namespaced_config_map("bench").metadata.resource_version
            assert not [kind for kind, _ in told(kube, resource_version=version) if kind == "BOOKMARK"]
            events = list(
                Watch().stream(
                    kube.core.list_namespaced_config_map,
                    "bench",
                    resource_version=version,
                    allow_watch_bookmarks=True,
                    timeout_seconds=1,
                )
            )
            marks = [
                event["raw_object"]["metadata"]["resourceVersion"]
                for event in events
                if event["type"] == "BOOKMARK"
            ]
            assert marks
            assert int(marks[-1]) >= int(version)


def test_a_streaming_list_ends_its_initial_events_with_an_annotated_bookmark(kube: Kube) -> None:
    kube.core.create_namespaced_config_map("bench", config_map("a", mine="yes"))
    answer = kube.core.list_namespaced_config_map(
        "bench",
        watch=True,
        label_selector="mine",
        send_initial_events=True,
        resource_version_match="NotOlderThan",
        allow_watch_bookmarks=True,
        timeout_seconds=1,
        _preload_content=False,
    )
    events = [json.loads(line) for line in answer.data.splitlines()]
    assert [event["type"] for event in events[:2]] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_stopping_the_server_ends_its_watches(tmp_path: Path) -> None:
    with cluster(tmp_path) as running:
        kube = connect(running)
        answer = kube.core.list_node(watch=True, timeout_seconds=600, _preload_content=False)
    with kube.client:
        lines = answer.data.splitlines()
    assert len(lines) == 7
