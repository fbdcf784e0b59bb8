"""What clients ask first: the version, the groups and the resources that are served. Pure."""

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    PODS,
    REPLICASETS,
    RESOURCES,
    SERVICES,
    SUBRESOURCE_VERBS,
    Resource,
)

GIT_VERSION = "v1.36.2+kubelb-lab"
"""The version whose behaviour is emulated; what follows the plus says that it is the lab's."""

_CATEGORY_ALL = (PODS, SERVICES, DEPLOYMENTS, REPLICASETS, DAEMONSETS)


def version_info() -> KubeObject:
    """Give what `/version` answers."""
    return {
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def discovery_document(path: str) -> KubeObject | None:
    """Give the discovery document at `/api`, `/apis`, `/api/v1` or `/apis/GROUP[/VERSION]`, else None."""
    parts = path.strip("/").split("/")
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        groups = sorted({resource.group for resource in RESOURCES if resource.group})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in groups]}
    if parts[0] == "apis" and len(parts) == 2 and any(resource.group == parts[1] for resource in RESOURCES):
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1])}
    if parts[0] in ("api", "apis"):
        return _resource_list("/".join(parts[1:]), core=parts[0] == "api")
    return None


def _group(group: str) -> KubeObject:
    versions = sorted({resource.version for resource in RESOURCES if resource.group == group})
    entries = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": entries, "preferredVersion": entries[0]}


def _resource_list(group_version: str, *, core: bool) -> KubeObject | None:
    served = [r for r in RESOURCES if r.api_version == group_version and (r.group == "") is core]
    if not served:
        return None
    rows = [row for resource in served for row in _rows(resource)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows}


def _rows(resource: Resource) -> list[KubeObject]:
    row: KubeObject = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource in _CATEGORY_ALL:
        row["categories"] = ["all"]
    rows = [row]
    for subresource in resource.subresources:
        sub: KubeObject = {
            "name": f"{resource.plural}/{subresource}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(SUBRESOURCE_VERBS[subresource]),
        }
        foreign = {
            "scale": ("autoscaling", "v1", "Scale"),
            "eviction": ("policy", "v1", "Eviction"),
            "binding": ("", "v1", "Binding"),
        }.get(subresource)
        if foreign is not None:
            sub |= dict(zip(("group", "version", "kind"), foreign, strict=True))
        rows.append(sub)
    return rows
