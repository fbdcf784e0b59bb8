"""Fixtures: the embedded control plane over HTTPS, and our client on it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.cluster.client import Api
from pytest_kubelb.cluster.manifests import Manifest
from pytest_kubelb.cluster.resources import Resource
from pytest_kubelb.cluster.workload import Workload
from tests.lab.api.cluster import Cluster, cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMESPACES = Resource("", "v1", "namespaces")


@dataclasses.dataclass(frozen=True)
class Bench:
    """A cluster with an empty namespace `bench`, our client, and the events that it reported."""

    cluster: Cluster
    api: Api
    events: list[str]

    def workload(self, session: str = "s1", image: str = "nginx:1.22") -> Workload:
        return Workload(self.api, Manifest(session, "bench", image, cluster_ip="10.254.0.10"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    events: list[str] = []
    with cluster(tmp_path) as running, Api(running.kubeconfig, on_event=events.append) as api:
        api.create(NAMESPACES, {"metadata": {"name": "bench"}})
        yield Bench(running, api, events)
