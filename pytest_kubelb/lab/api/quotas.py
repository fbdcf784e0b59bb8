"""ResourceQuota: what a namespace uses, and whether one object more is allowed.

Reads the store, touches nothing.

Counts pods, `count/<resource>`, services, and the sums of cpu and memory requests and limits of pods that are
not finished.
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from fractions import Fraction

from pytest_kubelb.lab.api.object_table import ObjectTable
from pytest_kubelb.lab.api.objects import KubeObject, key_of
from pytest_kubelb.lab.api.quantities import format_quantity, parse_quantity
from pytest_kubelb.lab.api.resources import PODS, RESOURCEQUOTAS, RESOURCES, Resource
from pytest_kubelb.lab.api.status import forbidden

_COUNTED = {resource.plural: resource for resource in RESOURCES if resource.namespaced}
_COMPUTE = {
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    "requests.cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
}


def check_quota(store: ObjectTable, resource: Resource, obj: KubeObject) -> None:
    """Raise 403 when creating `obj` would exceed a ResourceQuota of its namespace."""
    namespace, name = key_of(obj)
    for quota in store.all(RESOURCEQUOTAS, namespace):
        requested = {item: _usage(item, resource, obj) for item in quota["spec"].get("hard") or {}}
        requested = {item: amount for item, amount in requested.items() if amount}
        used = quota_used(store, quota)
        hard = {
            item: parse_quantity(limit) or Fraction(0)
            for item, limit in (quota["spec"].get("hard") or {}).items()
        }
        over = sorted(item for item, amount in requested.items() if used[item] + amount > hard[item])
        if over:
            asked, have, limit = (
                ",".join(f"{item}={format_quantity(amounts[item])}" for item in over)
                for amounts in (requested, used, hard)
            )
            title = quota["metadata"]["name"]
            why = f"exceeded quota: {title}, requested: {asked}, used: {have}, limited: {limit}"
            raise forbidden(resource, name, why)


def quota_used(store: ObjectTable, quota: KubeObject) -> dict[str, Fraction]:
    """Give what the namespace uses of each thing the quota limits, in base units."""
    used: dict[str, Fraction] = {}
    for item in quota["spec"].get("hard") or {}:
        resource = _counted_resource(item)
        objects = store.all(resource, quota["metadata"]["namespace"]) if resource is not None else []
        used[item] = sum((_usage(item, resource or PODS, obj) for obj in objects), Fraction(0))
    return used


def _counted_resource(item: str) -> Resource | None:
    if item in _COMPUTE:
        return PODS
    return _COUNTED.get(item.removeprefix("count/").split(".", 1)[0])


def _usage(item: str, resource: Resource, obj: KubeObject) -> Fraction:
    if _counted_resource(item) != resource:
        return Fraction(0)
    finished = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
    if item in _COMPUTE:
        field, name = _COMPUTE[item]
        amounts = (
            (c.get("resources") or {}).get(field, {}).get(name) for c in obj["spec"].get("containers") or ()
        )
        return (
            Fraction(0) if finished else sum((parse_quantity(a) or Fraction(0) for a in amounts), Fraction(0))
        )
    return Fraction(0) if finished and item == "pods" else Fraction(1)
