"""The scale subresource: a Deployment or ReplicaSet seen as an autoscaling/v1 Scale. Pure."""

from pytest_kubelb.lab.api.go_types import found_of
from pytest_kubelb.lab.api.objects import KubeObject, with_spec
from pytest_kubelb.lab.api.resources import Resource
from pytest_kubelb.lab.api.selectors import selector_text
from pytest_kubelb.lab.api.status import UndecodableError, bad_request, invalid, invalid_value

SCALE = Resource("autoscaling", "v1", "scales", "Scale")


def scale_of(obj: KubeObject) -> KubeObject:
    """Give the Scale of a workload. As in the real API a count of zero is left out of its spec."""
    metadata, replicas = obj["metadata"], obj["spec"]["replicas"]
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status = {
        "replicas": obj.get("status", {}).get("replicas", 0),
        "selector": selector_text(obj["spec"]["selector"]),
    }
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: metadata[field] for field in fields},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def with_scale(obj: KubeObject, scale: KubeObject) -> KubeObject:
    """Give a copy of a workload scaled as `scale` says, expecting the version that `scale` carries.

    Raises:
        ApiError: 422 for a negative count, 400 for one that is no integer or a body that is no Scale.

    """
    if scale.get("kind", "Scale") != "Scale":
        raise bad_request('the body of the request cannot be handled as a Scale in version "autoscaling/v1"')
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    name = obj["metadata"]["name"]
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        found = found_of(replicas, number_wanted=True)
        raise UndecodableError(
            'Scale in version "v1" cannot be handled as a Scale',
            f"json: cannot unmarshal {found} into Go struct field ScaleSpec.spec.replicas of type int32",
        )
    if replicas < 0:
        raise invalid(
            SCALE, name, [invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")]
        )
    version = (scale.get("metadata") or {}).get("resourceVersion") or obj["metadata"]["resourceVersion"]
    return {**with_spec(obj, replicas=replicas), "metadata": {**obj["metadata"], "resourceVersion": version}}
