"""The Go types that a real server names when a field cannot be decoded. Pure.

encoding/json says which struct has the field, and the way to it through the JSON without indices:
`cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32`.
"""

from collections.abc import Sequence

INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)

_LONG = ("terminationGracePeriodSeconds", "tolerationSeconds", "activeDeadlineSeconds", "generation")
"""The fields that are int64; all others of those that are checked are int32."""

_STRUCTS = {
    "metadata": "ObjectMeta",
    "ownerReferences": "OwnerReference",
    "template": "PodTemplateSpec",
    "containers": "Container",
    "initContainers": "Container",
    "env": "EnvVar",
    "resources": "ResourceRequirements",
    "tolerations": "Toleration",
    "taints": "Taint",
    "affinity": "Affinity",
    "nodeAffinity": "NodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution": "NodeSelector",
    "nodeSelectorTerms": "NodeSelectorTerm",
    "topologySpreadConstraints": "TopologySpreadConstraint",
    "labelSelector": "LabelSelector",
    "strategy": "DeploymentStrategy",
    "updateStrategy": "DaemonSetUpdateStrategy",
    "addresses": "NodeAddress",
    "containerStatuses": "ContainerStatus",
    "endpoints": "Endpoint",
    "targetRef": "ObjectReference",
}


def struct_of(kind: str, way: Sequence[str]) -> str:
    """Give the struct that `way`, the names of fields from the top of an object of this kind, leads to."""
    if not way:
        return kind
    name, above = way[-1], way[-2] if len(way) > 1 else ""
    if name in ("spec", "status"):
        return "PodSpec" if above == "template" else f"{kind}{name.capitalize()}"
    if name == "ports":
        return {"containers": "ContainerPort", "initContainers": "ContainerPort", "spec": "ServicePort"}.get(
            above, "EndpointPort"
        )
    if name == "selector":
        return "LabelSelector"
    if name == "conditions":
        return f"{kind}Condition"
    if name == "rollingUpdate":
        return "RollingUpdateDaemonSet" if above == "updateStrategy" else "RollingUpdateDeployment"
    if name in ("matchExpressions", "matchFields"):
        return "NodeSelectorRequirement" if "nodeSelectorTerms" in way else "LabelSelectorRequirement"
    return _STRUCTS.get(name, name[:1].upper() + name[1:])


def integer_of(field: str) -> tuple[str, range]:
    """Give the type of the integer in this field and what it can hold."""
    return ("int64", INT64) if field in _LONG else ("int32", INT32)


def found_of(value: object, *, number_wanted: bool) -> str:
    """Give what encoding/json calls a value; a number that does not fit a number's type is shown."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return f"number {value}" if number_wanted else "number"
    return {str: "string", dict: "object", list: "array", type(None): "null"}.get(type(value), "number")
