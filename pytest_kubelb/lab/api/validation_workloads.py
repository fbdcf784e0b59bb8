"""The rules of Deployments, ReplicaSets and DaemonSets. Pure: specs in, causes out.

Source: k8s.io/kubernetes/pkg/apis/apps/validation, v1.36.
"""

import re
from collections.abc import Iterator
from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import DAEMONSETS, DEPLOYMENTS, REPLICASETS, Resource
from pytest_kubelb.lab.api.selectors import selector_of, selects
from pytest_kubelb.lab.api.status import Cause, invalid_value, required_value, unsupported_value
from pytest_kubelb.lab.api.validation_pods import (
    check_count,
    expression_causes,
    label_causes,
    pod_spec_causes,
)

_STRATEGIES = {
    DEPLOYMENTS: ("strategy", ("Recreate", "RollingUpdate")),
    DAEMONSETS: ("updateStrategy", ("OnDelete", "RollingUpdate")),
}
_PERCENT = re.compile(r"[0-9]{1,3}%")


def workload_causes(resource: Resource, spec: KubeObject) -> Iterator[Cause]:
    """Everything that is wrong with the spec of a workload."""
    if resource != DAEMONSETS:
        yield from check_count(spec["replicas"], "spec.replicas")
    yield from check_count(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
    yield from check_count(spec.get("revisionHistoryLimit", 0), "spec.revisionHistoryLimit")
    if resource != REPLICASETS:
        yield from _strategy_causes(resource, spec)
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    yield from _selector_causes(spec.get("selector") or {}, labels)
    yield from label_causes(labels, "spec.template.metadata.labels")
    pod_spec = template.get("spec") or {}
    yield from pod_spec_causes(pod_spec, "spec.template.spec")
    policy = pod_spec.get("restartPolicy", "Always")
    if policy != "Always":
        yield unsupported_value("spec.template.spec.restartPolicy", policy, ["Always"])


def _selector_causes(selector: KubeObject, labels: KubeObject) -> Iterator[Cause]:
    mismatch = "`selector` does not match template `labels`"
    if not selector:
        yield required_value("spec.selector")
        yield invalid_value("spec.template.metadata.labels", labels, mismatch)
        return
    if not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield invalid_value("spec.selector", selector, "empty selector is invalid for deployment")
        return
    yield from label_causes(selector.get("matchLabels") or {}, "spec.selector.matchLabels")
    wrong = list(expression_causes(selector.get("matchExpressions") or (), "spec.selector.matchExpressions"))
    yield from wrong
    if not wrong and not selects(selector_of(selector), labels):
        yield invalid_value("spec.template.metadata.labels", labels, mismatch)


def _strategy_causes(resource: Resource, spec: KubeObject) -> Iterator[Cause]:
    field, kinds = _STRATEGIES[resource]
    strategy = spec[field]
    if strategy["type"] not in kinds:
        yield unsupported_value(f"spec.{field}.type", strategy["type"], kinds)
    if strategy["type"] != "RollingUpdate":
        return
    rolling = strategy["rollingUpdate"]
    for name in ("maxUnavailable", "maxSurge"):
        yield from _share_causes(rolling[name], f"spec.{field}.rollingUpdate.{name}")
    if all(str(rolling[name]).rstrip("%") == "0" for name in ("maxUnavailable", "maxSurge")):
        where = f"spec.{field}.rollingUpdate.maxUnavailable"
        yield invalid_value(where, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0")


def _share_causes(value: Any, field: str) -> Iterator[Cause]:
    if isinstance(value, int):
        yield from check_count(value, field)
    elif not _PERCENT.fullmatch(value):
        yield invalid_value(
            field,
            value,
            "a valid percent string must be a numeric string followed by an ending '%' "
            "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        )
    elif field.endswith("maxUnavailable") and int(value[:-1]) > 100:
        yield invalid_value(field, value, "must not be greater than 100%")
