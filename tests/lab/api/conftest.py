"""Fixtures: a cluster per test, and the official client's APIs on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from .cluster import Cluster, Watch, cluster, until


@dataclass(frozen=True)
class Kube:
    """The official client on a fresh cluster, with a namespace `bench`."""

    cluster: Cluster
    client: Any
    core: Any
    apps: Any
    discovery: Any
    coordination: Any

    def scale(self, replicas: int, name: str = "web") -> None:
        """Scale through the scale subresource."""
        self.apps.patch_namespaced_deployment_scale(name, "bench", {"spec": {"replicas": replicas}})

    def wait_ready(self, replicas: int, name: str = "web") -> Any:
        """Watch the Deployment until exactly so many pods are ready and none other is left.

        Gives the Deployment.
        """
        stream = Watch()
        for event in stream.stream(
            self.apps.list_namespaced_deployment,
            "bench",
            field_selector=f"metadata.name={name}",
            timeout_seconds=10,
        ):
            found = event["object"]
            status = found.status
            if (
                status.observed_generation == found.metadata.generation
                and found.spec.replicas == replicas
                and (status.ready_replicas or 0)
                == (status.replicas or 0)
                == (status.updated_replicas or 0)
                == replicas
            ):
                stream.stop()
                return found
        raise AssertionError(f"{name} did not get {replicas} ready pods")

    def pods(self, selector: str = "app=web") -> list[Any]:
        """Give the pods that are there, those that are going included."""
        return list(self.core.list_namespaced_pod("bench", label_selector=selector).items)

    def endpoints(self, name: str = "web") -> list[Any]:
        """Give the endpoints of a Service, from all of its slices."""
        slices = self.discovery.list_namespaced_endpoint_slice(
            "bench", label_selector=f"kubernetes.io/service-name={name}"
        )
        return [endpoint for one in slices.items for endpoint in one.endpoints or ()]

    def wait_pods(self, count: int) -> list[Any]:
        """Wait until so many pods are left."""
        until(lambda: len(self.pods()) == count)
        return self.pods()


def connect(running: Cluster, token: str | None = None) -> Kube:
    made = running.client(token)
    return Kube(
        running,
        made,
        client.CoreV1Api(made),
        client.AppsV1Api(made),
        client.DiscoveryV1Api(made),
        client.CoordinationV1Api(made),
    )


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[Kube]:
    """Give a cluster of one control plane and six workers that nothing runs on yet."""
    with cluster(tmp_path) as running:
        connected = connect(running)
        connected.core.create_namespace({"metadata": {"name": "bench"}})
        with connected.client:
            yield connected
