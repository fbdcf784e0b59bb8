"""The namespace of the workload, where a session may make it, and pods on the workers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.namespace import ensure
from pytest_kubelb.cluster.resources import NAMESPACES
from pytest_kubelb.cluster.workload import Workload
from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from .conftest import Bench


def test_a_namespace_that_is_missing_is_made_once_and_takes_restricted_pods_only(bench: Bench) -> None:
    assert ensure(bench.api, "mine")
    assert not ensure(bench.api, "mine")
    made = bench.api.find(NAMESPACES, "mine")
    assert made is not None
    labels = made["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["app.kubernetes.io/managed-by"] == "pytest-kubelb"


def test_a_namespace_that_is_there_is_left_as_it_is(bench: Bench) -> None:
    before = bench.api.find(NAMESPACES, "bench")
    assert not ensure(bench.api, "bench")
    assert bench.api.find(NAMESPACES, "bench") == before


def test_pods_run_on_the_nodes_that_are_named_and_nowhere_else(bench: Bench) -> None:
    workload = Workload(bench.api, Manifest("s1", "bench", "nginx:1.22", nodes=("k06", "k09")))
    workload.deploy()
    endpoints = workload.scale(6, timeout_s=30)
    assert sorted(endpoint.node for endpoint in endpoints) == ["k06"] * 3 + ["k09"] * 3
    workload.delete()


def test_pods_for_which_no_named_node_is_there_are_told_by_the_schedulers_own_words(bench: Bench) -> None:
    workload = Workload(bench.api, Manifest("s1", "bench", "nginx:1.22", nodes=("k99",)))
    workload.deploy()
    with pytest.raises(TestbedError, match="didn't match Pod's node affinity/selector"):
        workload.scale(1, timeout_s=30)
