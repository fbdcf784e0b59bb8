"""The rules of a pod's spec, alone or inside a template. Pure: specs in, causes out.

Source: ValidatePodSpec and ValidatePodUpdate of k8s.io/kubernetes/pkg/apis/core/validation, v1.36.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.quantities import parse_quantity
from pytest_kubelb.lab.api.selectors import EXPRESSION_OPERATORS, is_label_key, is_label_value
from pytest_kubelb.lab.api.status import (
    Cause,
    bad_request,
    duplicate_value,
    forbidden_value,
    invalid_value,
    required_value,
    unsupported_value,
)

DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character "
    f"(e.g. 'my-name',  or '123-abc', regex used for validation is '{DNS_LABEL}')"
)

_ALPHANUMERIC = (
    "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_LABEL_KEY = f"name part must consist of {_ALPHANUMERIC} (e.g. 'MyName',  or 'my.name',  or '123-abc', " + (
    "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE = (
    f"a valid label must be an empty string or consist of {_ALPHANUMERIC} (e.g. 'MyValue',  or "
    + ("'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')")
)

_LONGEST_LABEL = 63
_CONTAINER_NAME = re.compile(DNS_LABEL)
_MUTABLE = (
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "tolerations",
    "containers",
    "initContainers",
    "nodeName",
)


def check_count(value: int, field: str) -> Iterator[Cause]:
    """Give what is wrong with a count: it may not be negative."""
    if value < 0:
        yield invalid_value(field, value, "must be greater than or equal to 0")


def label_causes(labels: KubeObject, field: str) -> Iterator[Cause]:
    """Give what is wrong with a map of labels found at `field`."""
    for key, value in labels.items():
        if not is_label_key(key):
            yield invalid_value(field, key, _LABEL_KEY)
        if not is_label_value(value):
            yield invalid_value(field, value, _LABEL_VALUE)


def expression_causes(expressions: Iterable[KubeObject], field: str) -> Iterator[Cause]:
    """Give what is wrong with the `matchExpressions` found at `field`."""
    for index, expression in enumerate(expressions):
        where, key = f"{field}[{index}]", expression.get("key", "")
        if not is_label_key(key):
            yield invalid_value(f"{where}.key", key, _LABEL_KEY)
        operator, values = expression.get("operator"), expression.get("values") or ()
        if operator not in EXPRESSION_OPERATORS:
            yield invalid_value(f"{where}.operator", operator, "not a valid selector operator")
        elif operator in ("In", "NotIn") and not values:
            yield required_value(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Gt", "Lt") and len(values) != 1:
            yield required_value(
                f"{where}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"
            )


def pod_spec_causes(spec: KubeObject, field: str) -> Iterator[Cause]:
    """Everything that is wrong with the pod spec found at `field`."""
    containers = spec.get("containers")
    if not containers:
        yield required_value(f"{field}.containers")
        return
    names: set[str] = set()
    for index, container in enumerate(containers):
        where = f"{field}.containers[{index}]"
        yield from _container_causes(container, where)
        if container.get("name") in names:
            yield duplicate_value(f"{where}.name", container["name"])
        names.add(container.get("name", ""))
    policy = spec.get("restartPolicy")
    if policy not in ("Always", "OnFailure", "Never"):
        yield unsupported_value(f"{field}.restartPolicy", policy, ("Always", "OnFailure", "Never"))
    yield from check_count(
        spec.get("terminationGracePeriodSeconds", 0), f"{field}.terminationGracePeriodSeconds"
    )
    for key in spec.get("nodeSelector") or {}:
        if not is_label_key(key):
            yield invalid_value(
                f"{field}.nodeSelector",
                key,
                "name part must consist of alphanumeric characters, '-', '_' or '.'",
            )
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for index, term in enumerate(required.get("nodeSelectorTerms") or ()):
        where = f"{field}.affinity.nodeAffinity.required.nodeSelectorTerms[{index}]"
        for kind in ("matchExpressions", "matchFields"):
            yield from expression_causes(term.get(kind) or (), f"{where}.{kind}")
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        yield from _spread_causes(constraint, f"{field}.topologySpreadConstraints[{index}]")


def pod_update_causes(new: KubeObject, old: KubeObject) -> Iterator[Cause]:
    """Give what a change of a pod may not change: all but images, tolerations and two time limits."""

    def fixed(spec: KubeObject) -> list[Any]:
        rest = {name: value for name, value in spec.items() if name not in _MUTABLE}
        containers = [{k: v for k, v in c.items() if k != "image"} for c in spec.get("containers") or ()]
        return [rest, containers, spec.get("nodeName")]

    if fixed(new) != fixed(old):
        yield forbidden_value(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
            "`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )


def _container_causes(container: KubeObject, where: str) -> Iterator[Cause]:
    name, image = container.get("name"), container.get("image")
    if not name:
        yield required_value(f"{where}.name")
    elif not _CONTAINER_NAME.fullmatch(name) or len(name) > _LONGEST_LABEL:
        yield invalid_value(f"{where}.name", name, DNS_LABEL_RULE)
    if not image:
        yield required_value(f"{where}.image")
    elif image != image.strip():
        yield invalid_value(f"{where}.image", image, "must not have leading or trailing whitespace")
    for index, port in enumerate(container.get("ports") or ()):
        number = port.get("containerPort")
        if number is None or not 1 <= number <= 65535:
            yield invalid_value(
                f"{where}.ports[{index}].containerPort", number, "must be between 1 and 65535, inclusive"
            )
    yield from _quantity_causes(container.get("resources") or {}, f"{where}.resources")


def _quantity_causes(resources: KubeObject, where: str) -> Iterator[Cause]:
    for field in ("limits", "requests"):
        for name, value in (resources.get(field) or {}).items():
            amount = parse_quantity(value)
            if amount is None:
                raise bad_request(
                    "quantities must match the regular expression "
                    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' "
                    f"(found {value!r} at {where}.{field}.{name})"
                )
            if amount < 0:
                yield invalid_value(f"{where}.{field}[{name}]", value, "must be greater than or equal to 0")
            limit = parse_quantity((resources.get("limits") or {}).get(name))
            if field == "requests" and limit is not None and amount > limit:
                yield invalid_value(
                    f"{where}.requests",
                    value,
                    f"must be less than or equal to {name} limit of {resources['limits'][name]}",
                )


def _spread_causes(constraint: KubeObject, where: str) -> Iterator[Cause]:
    skew = constraint.get("maxSkew")
    if skew is None or skew <= 0:
        yield invalid_value(f"{where}.maxSkew", skew, "must be greater than zero")
    if not constraint.get("topologyKey"):
        yield required_value(f"{where}.topologyKey", "can not be empty")
    selector = constraint.get("labelSelector") or {}
    yield from expression_causes(
        selector.get("matchExpressions") or (), f"{where}.labelSelector.matchExpressions"
    )
    action = constraint.get("whenUnsatisfiable")
    if action not in ("DoNotSchedule", "ScheduleAnyway"):
        yield unsupported_value(f"{where}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
