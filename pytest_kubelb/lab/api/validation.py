"""The rules an object must keep, as the API server checks them. Pure: objects in, causes out.

Only what users get wrong with the kinds served here. Source:
k8s.io/kubernetes/pkg/apis/{core,apps}/validation, v1.36.
"""

import re
from collections.abc import Iterator
from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.pod_security import level_causes
from pytest_kubelb.lab.api.quantities import parse_quantity
from pytest_kubelb.lab.api.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    PODS,
    REPLICASETS,
    RESOURCEQUOTAS,
    SERVICES,
    Resource,
)
from pytest_kubelb.lab.api.status import (
    Cause,
    forbidden_value,
    invalid_value,
    required_value,
    unsupported_value,
)
from pytest_kubelb.lab.api.validation_pods import (
    DNS_LABEL,
    DNS_LABEL_RULE,
    label_causes,
    pod_spec_causes,
    pod_update_causes,
)
from pytest_kubelb.lab.api.validation_workloads import workload_causes

_SUBDOMAIN = rf"{DNS_LABEL}(\.{DNS_LABEL})*"

_NAME_RULES: dict[str, tuple[re.Pattern[str], int, str]] = {
    "label": (re.compile(DNS_LABEL), 63, DNS_LABEL_RULE),
    "subdomain": (
        re.compile(_SUBDOMAIN),
        253,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
        "and must start and end with an alphanumeric character "
        f"(e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')",
    ),
}

SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_SERVED_TYPES = SERVICE_TYPES[:2]
"""NodePort and LoadBalancer are refused rather than accepted and ignored.

Nothing in the lab would serve them.
"""


def creation_causes(resource: Resource, obj: KubeObject) -> list[Cause]:
    """Everything that is wrong with a new object, defaults already filled in."""
    return [*_name_causes(resource, obj["metadata"].get("name", "")), *_object_causes(resource, obj)]


def update_causes(resource: Resource, new: KubeObject, old: KubeObject) -> list[Cause]:
    """Everything that is wrong with an object as the replacement of another one."""
    causes = list(_object_causes(resource, new))
    new_spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    if resource in (DEPLOYMENTS, REPLICASETS, DAEMONSETS) and new_spec.get("selector") != old_spec.get(
        "selector"
    ):
        causes.append(invalid_value("spec.selector", new_spec.get("selector"), "field is immutable"))
    if resource == SERVICES:
        causes.extend(_service_update_causes(new_spec, old_spec))
    if resource == PODS:
        causes.extend(pod_update_causes(new_spec, old_spec))
    if "addressType" in old and new.get("addressType") != old["addressType"]:
        causes.append(invalid_value("addressType", new.get("addressType"), "field is immutable"))
    if old.get("immutable") and any(
        new.get(field) != old.get(field) for field in ("data", "binaryData", "immutable")
    ):
        causes.append(forbidden_value("data", "field is immutable when `immutable` is set"))
    return causes


def _name_causes(resource: Resource, name: Any) -> Iterator[Cause]:
    if not name:
        yield required_value("metadata.name", "name or generateName is required")
        return
    pattern, longest, why = _NAME_RULES[resource.name_rule]
    if not isinstance(name, str) or not pattern.fullmatch(name):
        yield invalid_value("metadata.name", name, why)
    elif len(name) > longest:
        yield Cause("FieldValueTooLong", "metadata.name", f"Too long: may not be more than {longest} bytes")


def _object_causes(resource: Resource, obj: KubeObject) -> Iterator[Cause]:
    yield from _metadata_causes(obj["metadata"])
    spec = obj.get("spec") or {}
    if resource == NAMESPACES:
        yield from level_causes(obj)
    elif resource == PODS:
        yield from pod_spec_causes(spec, "spec")
    elif resource in (DEPLOYMENTS, REPLICASETS, DAEMONSETS):
        yield from workload_causes(resource, spec)
    elif resource == SERVICES:
        yield from _service_causes(spec)
    elif resource == LEASES:
        yield from _lease_causes(spec)
    elif resource == RESOURCEQUOTAS:
        yield from _quota_causes(spec)


def _metadata_causes(metadata: KubeObject) -> Iterator[Cause]:
    yield from label_causes(metadata.get("labels") or {}, "metadata.labels")
    for index, reference in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(field):
                yield invalid_value(f"metadata.ownerReferences[{index}].{field}", "", "must not be empty")


def _lease_causes(spec: KubeObject) -> Iterator[Cause]:
    # Source: k8s.io/kubernetes/pkg/apis/coordination/validation
    for field, least, rule in (
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    ):
        if spec.get(field, least) < least:
            yield invalid_value(f"spec.{field}", spec[field], rule)


def _quota_causes(spec: KubeObject) -> Iterator[Cause]:
    for name, value in (spec.get("hard") or {}).items():
        if parse_quantity(value) is None:
            yield invalid_value(f"spec.hard[{name}]", value, "must be a quantity")


def _service_causes(spec: KubeObject) -> Iterator[Cause]:
    if spec.get("type") not in SERVICE_TYPES:
        yield unsupported_value("spec.type", spec.get("type"), SERVICE_TYPES)
    elif spec["type"] not in _SERVED_TYPES:
        yield forbidden_value("spec.type", f"nothing in the lab serves {spec['type']}")
    yield from label_causes(spec.get("selector") or {}, "spec.selector")
    ports = spec.get("ports") or ()
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and spec.get("type") == "ClusterIP":
        yield required_value("spec.ports")
    for index, port in enumerate(ports):
        number, target = port.get("port"), port.get("targetPort")
        for field, value in (("port", number), ("targetPort", target)):
            if field == "targetPort" and isinstance(value, str):
                continue  # a name, resolved against each pod
            if value is None or not 1 <= value <= 65535:
                yield invalid_value(
                    f"spec.ports[{index}].{field}", value, "must be between 1 and 65535, inclusive"
                )
        if len(ports) > 1 and not port.get("name"):
            yield required_value(f"spec.ports[{index}].name")
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            yield unsupported_value(
                f"spec.ports[{index}].protocol", port.get("protocol"), ("SCTP", "TCP", "UDP")
            )


def _service_update_causes(new: KubeObject, old: KubeObject) -> Iterator[Cause]:
    if old.get("clusterIP") and new.get("clusterIP") != old["clusterIP"]:
        yield invalid_value(
            "spec.clusterIPs[0]", new.get("clusterIPs") or [new.get("clusterIP")], "may not change once set"
        )
