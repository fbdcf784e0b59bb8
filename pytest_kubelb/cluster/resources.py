"""The Kubernetes resources in use: where the API keeps them, what RBAC calls them. Touches nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

Json = dict[str, Any]
"""A Kubernetes object as the API writes it."""


@dataclasses.dataclass(frozen=True)
class Resource:
    """A kind of object: its API group ("" is the core group), version and plural name."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path below the server's address; an empty namespace means a cluster-wide resource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = "".join(f"/{part}" for part in (self.plural, name, subresource) if part)
        return root + scope + tail


@dataclasses.dataclass(frozen=True)
class Target:
    """What one request is about: a resource, and where it applies a name, a subresource and selectors."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    labels: str = ""
    fields: str = ""

    @property
    def rbac_name(self) -> str:
        """The resource as a Role names it, for example `deployments/scale`."""
        return "/".join(part for part in (self.resource.plural, self.subresource) if part)

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.rbac_name}{name}{where}"


DEPLOYMENTS = Resource("apps", "v1", "deployments")
DAEMON_SETS = Resource("apps", "v1", "daemonsets")
SERVICES = Resource("", "v1", "services")
PODS = Resource("", "v1", "pods")
NODES = Resource("", "v1", "nodes")
NAMESPACES = Resource("", "v1", "namespaces")
CONFIG_MAPS = Resource("", "v1", "configmaps")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices")
LEASES = Resource("coordination.k8s.io", "v1", "leases")
