"""The rules of a pod's spec, alone or inside a template. Pure: specs in, causes out.

Source: ValidatePodSpec and ValidatePodUpdate of k8s.io/kubernetes/pkg/apis/core/validation, v1.36.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.quantities import parse_quantity
from pytest_kubelb.lab.api.selectors import (
    EXPRESSION_OPERATORS,
    LABEL_VALUE_RULE,
    NAME_PART_RULE,
    is_label_key,
    is_label_value,
)
from pytest_kubelb.lab.api.status import (
    Cause,
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_found_value,
    required_value,
    unsupported_value,
)

DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character "
    f"(e.g. 'my-name',  or '123-abc', regex used for validation is '{DNS_LABEL}')"
)

_LONGEST_LABEL = 63
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ENVIRONMENT_NAME = re.compile("[ -<>-~]+")
_ENVIRONMENT_RULE = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
)
_CONTAINER_NAME = re.compile(DNS_LABEL)
_MUTABLE = (
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "tolerations",
    "containers",
    "initContainers",
    "nodeName",
    "schedulingGates",
)


def check_count(value: int, field: str) -> Iterator[Cause]:
    """Give what is wrong with a count: it may not be negative."""
    if value < 0:
        yield invalid_value(field, value, "must be greater than or equal to 0")


def label_causes(labels: KubeObject, field: str) -> Iterator[Cause]:
    """Give what is wrong with a map of labels found at `field`."""
    for key, value in labels.items():
        if not is_label_key(key):
            yield invalid_value(field, key, NAME_PART_RULE)
        if not is_label_value(value):
            yield invalid_value(field, value, LABEL_VALUE_RULE)


def expression_causes(expressions: Iterable[KubeObject], field: str) -> Iterator[Cause]:
    """Give what is wrong with the `matchExpressions` found at `field`."""
    for index, expression in enumerate(expressions):
        where, key = f"{field}[{index}]", expression.get("key", "")
        if not is_label_key(key):
            yield invalid_value(f"{where}.key", key, NAME_PART_RULE)
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
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for index, container in enumerate(containers):
        where = f"{field}.containers[{index}]"
        yield from _container_causes(container, where)
        for position, mount in enumerate(container.get("volumeMounts") or ()):
            if mount.get("name") not in volumes:
                yield not_found_value(f"{where}.volumeMounts[{position}].name", mount.get("name", ""))
        if container.get("name") in names:
            yield duplicate_value(f"{where}.name", container["name"])
        names.add(container.get("name", ""))
    policy = spec.get("restartPolicy")
    if policy not in ("Always", "OnFailure", "Never"):
        yield unsupported_value(f"{field}.restartPolicy", policy, ("Always", "OnFailure", "Never"))
    yield from check_count(
        spec.get("terminationGracePeriodSeconds", 0), f"{field}.terminationGracePeriodSeconds"
    )
    yield from label_causes(spec.get("nodeSelector") or {}, f"{field}.nodeSelector")
    yield from _toleration_causes(spec.get("tolerations") or (), f"{field}.tolerations")
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
    policy = container.get("imagePullPolicy")
    if policy not in _PULL_POLICIES:
        yield unsupported_value(f"{where}.imagePullPolicy", policy, _PULL_POLICIES)
    yield from _environment_causes(container.get("env") or (), f"{where}.env")
    yield from _quantity_causes(container.get("resources") or {}, f"{where}.resources")


def _environment_causes(environment: Iterable[KubeObject], field: str) -> Iterator[Cause]:
    for index, variable in enumerate(environment):
        name = variable.get("name", "")
        if not name:
            yield required_value(f"{field}[{index}].name")
        elif not _ENVIRONMENT_NAME.fullmatch(name):
            yield invalid_value(f"{field}[{index}].name", name, _ENVIRONMENT_RULE)


def _toleration_causes(tolerations: Iterable[KubeObject], field: str) -> Iterator[Cause]:
    for index, toleration in enumerate(tolerations):
        key, operator = toleration.get("key", ""), toleration.get("operator") or "Equal"
        where = f"{field}[{index}]"
        if key and not is_label_key(key):
            yield invalid_value(f"{where}.key", key, NAME_PART_RULE)
        if not key and operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid_value(f"{where}.operator", operator, why)
        if operator == "Exists" and toleration.get("value"):
            why = "value must be empty when `operator` is 'Exists'"
            yield invalid_value(f"{where}.operator", toleration["value"], why)
        if operator not in ("Equal", "Exists"):
            yield unsupported_value(f"{where}.operator", operator, ("Equal", "Exists"))
        if toleration.get("effect") not in (None, "", *_EFFECTS):
            yield unsupported_value(f"{where}.effect", toleration["effect"], _EFFECTS)


def _quantity_causes(resources: KubeObject, where: str) -> Iterator[Cause]:
    for field in ("limits", "requests"):
        for name, value in (resources.get(field) or {}).items():
            amount = parse_quantity(value)
            if amount is None:
                continue  # refused where the types are checked
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
