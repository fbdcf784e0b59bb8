"""The types of the fields that this control plane reads: what a typed server could not even decode is refused. Pure.

A real kube-apiserver decodes JSON into Go structs, so that nothing behind it ever sees a text where a number
belongs. This is that step for the fields used here; fields that are not listed may hold anything and are
kept. As in Go, null means absent. Types follow https://kubernetes.io/docs/reference/kubernetes-api/ (v1.36).
"""

import re
from datetime import UTC, datetime
from typing import Any

from pytest_kubelb.lab.api.go_types import found_of, integer_of, struct_of
from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.quantities import parse_quantity
from pytest_kubelb.lab.api.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    LEASES,
    PODS,
    REPLICASETS,
    RESOURCEQUOTAS,
    RESOURCES,
    Resource,
)
from pytest_kubelb.lab.api.status import ApiError, UndecodableError, bad_request

STRING, INT, BOOL, INT_OR_STRING, QUANTITY, MICRO_TIME = (
    "string",
    "int32",
    "bool",
    "intstr.IntOrString",
    "resource.Quantity",
    "v1.MicroTime",
)
_SCALARS: dict[str, tuple[type, ...]] = {
    STRING: (str,),
    INT: (int,),
    BOOL: (bool,),
    INT_OR_STRING: (int, str),
    QUANTITY: (int, float, str),
    MICRO_TIME: (str,),
}
_MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_MICRO_PATTERN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)", re.ASCII)
_AFTER_SECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_EVERY = "*"
"""As the only key of a shape: a map whose values all have one type."""

Shape = str | list[Any] | dict[str, Any]
"""A scalar's type, a list of one item's shape, or the shapes of a struct's fields."""

_STRINGS: Shape = {_EVERY: STRING}
_EXPRESSIONS: Shape = [{"key": STRING, "operator": STRING, "values": [STRING]}]
_SELECTOR: Shape = {"matchLabels": _STRINGS, "matchExpressions": _EXPRESSIONS}
_METADATA: Shape = {
    "name": STRING,
    "generateName": STRING,
    "namespace": STRING,
    "uid": STRING,
    "resourceVersion": STRING,
    "labels": _STRINGS,
    "annotations": _STRINGS,
    "finalizers": [STRING],
    "ownerReferences": [
        {"apiVersion": STRING, "kind": STRING, "name": STRING, "uid": STRING, "controller": BOOL}
    ],
}
_CONTAINER: Shape = {
    "name": STRING,
    "image": STRING,
    "ports": [{"name": STRING, "containerPort": INT, "protocol": STRING}],
    "env": [{"name": STRING, "value": STRING}],
    "resources": {"limits": {_EVERY: QUANTITY}, "requests": {_EVERY: QUANTITY}},
    "readinessProbe": {},
    "livenessProbe": {},
    "startupProbe": {},
    "command": [STRING],
    "args": [STRING],
}
_NODE_TERMS: Shape = {"nodeSelectorTerms": [{"matchExpressions": _EXPRESSIONS, "matchFields": _EXPRESSIONS}]}
_SPREAD: Shape = {
    "maxSkew": INT,
    "minDomains": INT,
    "topologyKey": STRING,
    "whenUnsatisfiable": STRING,
    "labelSelector": _SELECTOR,
    "matchLabelKeys": [STRING],
    "nodeAffinityPolicy": STRING,
    "nodeTaintsPolicy": STRING,
}
_POD_SPEC: Shape = {
    "nodeName": STRING,
    "schedulingGates": [{"name": STRING}],
    "nodeSelector": _STRINGS,
    "hostNetwork": BOOL,
    "hostname": STRING,
    "subdomain": STRING,
    "restartPolicy": STRING,
    "terminationGracePeriodSeconds": INT,
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "tolerations": [{"key": STRING, "operator": STRING, "value": STRING, "effect": STRING}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _NODE_TERMS}},
    "topologySpreadConstraints": [_SPREAD],
}
_STRATEGY: Shape = {
    "type": STRING,
    "rollingUpdate": {"maxSurge": INT_OR_STRING, "maxUnavailable": INT_OR_STRING},
}
_WORKLOAD: dict[str, Any] = {
    "replicas": INT,
    "minReadySeconds": INT,
    "revisionHistoryLimit": INT,
    "paused": BOOL,
    "selector": _SELECTOR,
    "template": {"metadata": _METADATA, "spec": _POD_SPEC},
    "strategy": _STRATEGY,
    "updateStrategy": _STRATEGY,
}
_SERVICE_SPEC: Shape = {
    "type": STRING,
    "clusterIP": STRING,
    "clusterIPs": [STRING],
    "selector": _STRINGS,
    "ports": [{"name": STRING, "port": INT, "targetPort": INT_OR_STRING, "protocol": STRING}],
    "publishNotReadyAddresses": BOOL,
}
_NODE_SPEC: Shape = {"unschedulable": BOOL, "taints": [{"key": STRING, "value": STRING, "effect": STRING}]}
_STATUS: Shape = {
    "phase": STRING,
    "podIP": STRING,
    "replicas": INT,
    "readyReplicas": INT,
    "availableReplicas": INT,
    "terminatingReplicas": INT,
    "conditions": [{"type": STRING, "status": STRING, "reason": STRING, "message": STRING}],
    "containerStatuses": [{"name": STRING, "restartCount": INT}],
    "addresses": [{"type": STRING, "address": STRING}],
    "allocatable": {_EVERY: QUANTITY},
}
_ENDPOINT: Shape = {"addresses": [STRING], "targetRef": {"name": STRING, "uid": STRING}, "nodeName": STRING}
_EVERY_KIND: dict[str, Any] = {"kind": STRING, "apiVersion": STRING, "metadata": _METADATA, "status": _STATUS}
_BY_PLURAL: dict[str, dict[str, Any]] = {
    PODS.plural: {"spec": _POD_SPEC},
    DEPLOYMENTS.plural: {"spec": _WORKLOAD},
    REPLICASETS.plural: {"spec": _WORKLOAD},
    DAEMONSETS.plural: {"spec": _WORKLOAD},
    "services": {"spec": _SERVICE_SPEC},
    "nodes": {"spec": _NODE_SPEC},
    "namespaces": {"spec": {"finalizers": [STRING]}},
    RESOURCEQUOTAS.plural: {"spec": {"hard": {_EVERY: QUANTITY}}},
    LEASES.plural: {
        "spec": {
            "holderIdentity": STRING,
            "leaseDurationSeconds": INT,
            "leaseTransitions": INT,
            "acquireTime": MICRO_TIME,
            "renewTime": MICRO_TIME,
            "strategy": STRING,
            "preferredHolder": STRING,
        }
    },
    "configmaps": {"data": _STRINGS, "binaryData": _STRINGS, "immutable": BOOL},
    "secrets": {"data": _STRINGS, "stringData": _STRINGS, "immutable": BOOL, "type": STRING},
    "endpointslices": {
        "addressType": STRING,
        "endpoints": [_ENDPOINT],
        "ports": [{"name": STRING, "port": INT, "protocol": STRING}],
    },
}


def check_shape(resource: Resource, obj: object) -> KubeObject:
    """Give the body of a request as an object of this resource, nulls in its metadata and spec left out.

    Raises:
        ApiError: 400 when it is something else, or when a field has a type that it cannot have.

    """
    if not isinstance(obj, dict):
        raise bad_request(
            f"the body of the request is not a {resource.kind}: json: cannot unmarshal it into an object"
        )
    kind, version = obj.get("kind") or resource.kind, obj.get("apiVersion") or resource.api_version
    title = f'{kind} in version "{str(version).rpartition("/")[2]}" cannot be handled as a {resource.kind}'
    if (kind, version) != (resource.kind, resource.api_version):
        raise UndecodableError(title, _why_another_kind(kind, version, resource))
    shape = _EVERY_KIND | ({"spec": {}} | _BY_PLURAL.get(resource.plural, {}))
    _Decoder(title, resource.kind).check((), obj, shape)
    clean = {field: _without_nulls(obj[field]) for field in ("metadata", "spec") if field in obj}
    return {**obj, "kind": kind, "apiVersion": version, "metadata": {}} | {
        f: v for f, v in clean.items() if v is not None
    }


def _why_another_kind(kind: object, version: object, resource: Resource) -> str:
    if any((kind, version) == (other.kind, other.api_version) for other in RESOURCES):
        given, wanted = str(version).rpartition("/"), resource.group.partition(".")[0] or "core"
        return f"converting ({given[2]}.{kind}) to ({wanted}.{resource.kind}): unknown conversion"
    scheme = 'scheme "pkg/api/legacyscheme/scheme.go:30"'
    return f'no kind "{kind}" is registered for version "{version}" in {scheme}'


class _Decoder:
    """Walks one object along its shape; what does not fit is a 400 that begins with `title`."""

    def __init__(self, title: str, kind: str) -> None:
        self._title = title
        self._kind = kind

    def check(self, way: tuple[str, ...], value: Any, shape: Shape) -> None:
        """Check what is at `way`, the names of the fields that lead there."""
        if value is None:
            return
        if isinstance(shape, str):
            self._check_scalar(way, value, shape)
        elif isinstance(shape, list):
            self._check_list(way, value, shape)
        elif not isinstance(value, dict):
            raise self._undecodable(way, value, _type_of(self._kind, way, shape))
        elif _EVERY in shape:
            for inner in value.values():
                self.check(way, inner, shape[_EVERY])
        else:
            for name, inner in shape.items():
                self.check((*way, name), value.get(name), inner)

    def _check_list(self, way: tuple[str, ...], value: Any, shape: list[Any]) -> None:
        if not isinstance(value, list):
            raise self._undecodable(way, value, _type_of(self._kind, way, shape))
        for item in value:
            if item is None:
                raise self._undecodable(way, item, _type_of(self._kind, way, shape[0]))
            self.check(way, item, shape[0])

    def _check_scalar(self, way: tuple[str, ...], value: Any, shape: str) -> None:
        # To Python, but not to Go, true is a number.
        if not isinstance(value, _SCALARS[shape]) or (isinstance(value, bool) and shape != BOOL):
            raise self._undecodable(way, value, _type_of(self._kind, way, shape))
        if shape == INT and value not in integer_of(way[-1])[1]:
            raise self._undecodable(way, value, integer_of(way[-1])[0])
        if shape == MICRO_TIME:
            _check_micro_time(self._title, str(value))
        if shape == QUANTITY and parse_quantity(value) is None:
            raise UndecodableError(self._title, _QUANTITY_RULE)

    def _undecodable(self, way: tuple[str, ...], value: object, wanted: str) -> ApiError:
        field = ".".join((struct_of(self._kind, way[:-1]), *way))
        found = found_of(value, number_wanted=wanted.startswith("int"))
        return UndecodableError(
            self._title, f"json: cannot unmarshal {found} into Go struct field {field} of type {wanted}"
        )


def _type_of(kind: str, way: tuple[str, ...], shape: Shape) -> str:
    """Give the Go type of a field, as encoding/json writes it."""
    if shape in (INT, INT_OR_STRING):
        return integer_of(way[-1])[0]
    if isinstance(shape, str):
        return shape
    if isinstance(shape, list):
        return f"[]{_type_of(kind, way, shape[0])}"
    if _EVERY in shape:
        return "v1.ResourceList" if shape[_EVERY] == QUANTITY else f"map[string]{shape[_EVERY]}"
    return f"v1.{struct_of(kind, way)}"


def _check_micro_time(title: str, value: str) -> None:
    # metav1.MicroTime is read by time.Parse, which takes exactly six digits of a second.
    try:
        fits = _MICRO_PATTERN.fullmatch(value) and micro_time_in_utc(value)
    except (ValueError, OverflowError):
        fits = None
    if not fits:
        rest = _AFTER_SECONDS.sub("", value)
        raise UndecodableError(
            title, f'parsing time "{value}" as "{_MICRO_LAYOUT}": cannot parse "{rest}" as ".000000"'
        )


def micro_time_in_utc(value: str) -> str:
    """Give a MicroTime as the server writes it."""
    utc = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
