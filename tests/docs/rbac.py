"""deploy/rbac.yaml as an authorizer: what its account may do, decided as Kubernetes' RBAC does. Reads that file.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.docs.conftest import DOCS

RBAC: Final = DOCS.parent / "deploy" / "rbac.yaml"


@dataclass(frozen=True)
class Grant:
    """One verb on one resource, as a rule gives it."""

    verb: str
    group: str
    resource: str
    """With its subresource: `deployments/scale`."""
    namespace: str
    """Empty for a ClusterRole."""
    name: str = ""
    """The one object that it is about; empty is any."""

    def covers(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        """Tell whether a request is allowed by this."""
        asked = (verb, group, resource)
        return (
            asked == (self.verb, self.group, self.resource)
            and self.namespace in ("", namespace)
            and self.name in ("", name)
        )


def documents() -> list[dict[str, Any]]:
    """Give every object of the file."""
    return list(yaml.safe_load_all(RBAC.read_text()))


def roles() -> list[dict[str, Any]]:
    """Give its Roles and ClusterRoles."""
    return [each for each in documents() if each["kind"] in ("Role", "ClusterRole")]


def grants() -> list[Grant]:
    """Give every verb on every resource that the file gives, each once."""
    return list(
        dict.fromkeys(
            Grant(verb, group, resource, role["metadata"].get("namespace", ""), name)
            for role in roles()
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        )
    )
