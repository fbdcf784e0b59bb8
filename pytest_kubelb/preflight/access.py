"""What a session may do in the cluster, verb by verb. Touches the Kubernetes API, asking it who may do what.

Each right is one SelfSubjectAccessReview, which everybody may create and nothing keeps
(https://kubernetes.io/docs/reference/access-authn-authz/authorization/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.cluster import lease
from pytest_kubelb.cluster.resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    Json,
    Resource,
)
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.preflight.check import Check, fail, ok, split_sentence, warning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.cluster.flannel import Flannel

REVIEWS: Final = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_OWNED: Final = ("get", "list", "watch", "create", "delete")


@dataclass(frozen=True)
class Right:
    """One verb on one resource."""

    verb: str
    resource: Resource
    namespace: str = ""
    """Empty for a resource of the whole cluster."""
    name: str = ""
    """The one object that it is needed for; empty is any."""
    subresource: str = ""

    @property
    def what(self) -> str:
        """The resource as a Role names it, with its group: `deployments/scale.apps`."""
        plural = "/".join(part for part in (self.resource.plural, self.subresource) if part)
        return f"{plural}.{self.resource.group}" if self.resource.group else plural

    @property
    def where(self) -> str:
        """The scope of the Role that gives it."""
        return f"namespace {self.namespace}" if self.namespace else "cluster"

    def review(self) -> Json:
        """Give the question."""
        fields = {
            "verb": self.verb, "group": self.resource.group, "version": self.resource.version,
            "resource": self.resource.plural, "subresource": self.subresource, "namespace": self.namespace,
            "name": self.name,
        }  # fmt: skip
        asked = {key: value for key, value in fields.items() if value or key == "group"}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }


def rights(namespace: str, flannel: Flannel) -> list[Right]:
    """Give what every session does: lock and workload in its namespace, and reading the overlay and the nodes."""
    found = [Right(verb, resource, namespace) for resource in (DEPLOYMENTS, SERVICES) for verb in _OWNED]
    found.append(Right("patch", DEPLOYMENTS, namespace, subresource="scale"))
    found += [
        Right(verb, resource, namespace) for resource in (PODS, ENDPOINT_SLICES) for verb in ("list", "watch")
    ]
    found.append(Right("create", LEASES, namespace))
    found += [Right(verb, LEASES, namespace, lease.NAME) for verb in ("get", "list", "watch", "patch")]
    found.append(Right("get", CONFIG_MAPS, flannel.namespace, flannel.config_map))
    return [*found, *(Right(verb, NODES) for verb in ("list", "watch"))]


def overlay_rights(flannel: Flannel) -> list[Right]:
    """Give what a session does in addition when it changes the overlay."""
    return [
        Right("patch", CONFIG_MAPS, flannel.namespace, flannel.config_map),
        Right("patch", DAEMON_SETS, flannel.namespace, flannel.daemon_set),
    ]


def namespace_rights(namespace: str) -> list[Right]:
    """Give what a session does in addition when it may make its namespace."""
    return [Right("get", NAMESPACES, name=namespace), Right("create", NAMESPACES)]


def ask(api: Api, right: Right) -> bool | TestbedError:
    """Ask the API server for one right; the error when it does not answer that."""
    try:
        answer = api.create(REVIEWS, right.review())
    except TestbedError as error:
        return error
    return bool((answer.get("status") or {}).get("allowed"))


def judge(asked: Mapping[Right, bool | TestbedError], needed: Iterable[Right]) -> Iterator[Check]:
    """Give a check for each verb that is missing, and one for each resource of which none is."""
    allowed: dict[tuple[str, str], list[str]] = {}
    for right in needed:
        answer = asked[right]
        named = f" {right.name}" if right.name else ""
        if isinstance(answer, TestbedError):
            found, remedy = split_sentence(str(answer))
            yield warning("rbac", right.where, f"{right.verb} {right.what} not checked: {found}", remedy)
        elif answer:
            allowed.setdefault((right.where, right.what + named), []).append(right.verb)
        else:
            kind = "Role" if right.namespace else "ClusterRole"
            plural = "/".join(part for part in (right.resource.plural, right.subresource) if part)
            only = f", resourceNames: [{right.name}]" if right.name else ""
            rule = (
                f'apiGroups: ["{right.resource.group}"], resources: [{plural}]{only}, verbs: [{right.verb}]'
            )
            remedy = f"add to the account's {kind}: {{{rule}}}"
            yield fail("rbac", right.where, f"may not {right.verb} {right.what}{named}", remedy)
    for (where, what), verbs in allowed.items():
        yield ok("rbac", where, f"{what}: {', '.join(verbs)}")
