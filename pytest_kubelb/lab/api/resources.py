"""The table of resources that the lab's API serves, and what sets one apart from another. Touches nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Resource:
    """One row of the table: a kind of object and how it is served.

    Each is there once: equal means the same.
    """

    group: str
    """API group, the empty string for core."""
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = (
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    )
    has_generation: bool = False
    """Whether metadata.generation counts the changes of its spec."""
    returns_deleted: bool = False
    """Whether DELETE answers with the object rather than with a Status."""
    unconditional_update: bool = True
    """Whether PUT may leave out metadata.resourceVersion."""
    created_by_update: bool = False
    """Whether PUT makes an object that is not there."""
    name_rule: str = "subdomain"
    """What a name must be: an RFC 1123 `subdomain` or an RFC 1123 `label`."""

    @property
    def api_version(self) -> str:
        """`apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Plural name with its group, as error messages write it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """Singular name in lower case, as kubectl accepts it."""
        return self.kind.lower()


NAMESPACES = Resource(
    "",
    "v1",
    "namespaces",
    "Namespace",
    namespaced=False,
    subresources=("status", "finalize"),
    short_names=("ns",),
    name_rule="label",
)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False, subresources=("status",), short_names=("no",))
PODS = Resource(
    "",
    "v1",
    "pods",
    "Pod",
    subresources=("status", "eviction", "binding"),
    short_names=("po",),
    has_generation=True,
    returns_deleted=True,
)
SERVICES = Resource(
    "",
    "v1",
    "services",
    "Service",
    subresources=("status",),
    short_names=("svc",),
    returns_deleted=True,
    name_rule="label",
)
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap", short_names=("cm",))
EVENTS = Resource("", "v1", "events", "Event", short_names=("ev",))
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICEACCOUNTS = Resource(
    "", "v1", "serviceaccounts", "ServiceAccount", short_names=("sa",), returns_deleted=True
)
RESOURCEQUOTAS = Resource(
    "",
    "v1",
    "resourcequotas",
    "ResourceQuota",
    subresources=("status",),
    short_names=("quota",),
    returns_deleted=True,
)
DEPLOYMENTS = Resource(
    "apps",
    "v1",
    "deployments",
    "Deployment",
    subresources=("status", "scale"),
    short_names=("deploy",),
    has_generation=True,
)
REPLICASETS = Resource(
    "apps",
    "v1",
    "replicasets",
    "ReplicaSet",
    subresources=("status", "scale"),
    short_names=("rs",),
    has_generation=True,
)
DAEMONSETS = Resource(
    "apps",
    "v1",
    "daemonsets",
    "DaemonSet",
    subresources=("status",),
    short_names=("ds",),
    has_generation=True,
)
ENDPOINTSLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", has_generation=True)
LEASES = Resource(
    "coordination.k8s.io", "v1", "leases", "Lease", unconditional_update=False, created_by_update=True
)
SERVICECIDRS = Resource(
    "networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", namespaced=False, subresources=("status",)
)
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)

RESOURCES: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    CONFIGMAPS,
    EVENTS,
    SECRETS,
    SERVICEACCOUNTS,
    RESOURCEQUOTAS,
    DEPLOYMENTS,
    REPLICASETS,
    DAEMONSETS,
    ENDPOINTSLICES,
    LEASES,
    SERVICECIDRS,
    SELF_SUBJECT_ACCESS_REVIEWS,
)

SUBRESOURCE_VERBS: dict[str, tuple[str, ...]] = {
    "status": ("get", "patch", "update"),
    "scale": ("get", "patch", "update"),
    "eviction": ("create",),
    "binding": ("create",),
    "finalize": ("update",),
}

_BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}


def find_resource(group: str, version: str, plural: str) -> Resource | None:
    """Give the resource served at this place of the API, or None."""
    return _BY_PATH.get((group, version, plural))
