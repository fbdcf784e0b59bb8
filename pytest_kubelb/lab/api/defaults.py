"""What the API server fills in when a client leaves it out. Pure: an object in, a new one out.

Only the fields that this control plane, its clients or a comparison with a real cluster look at. Source: the
`SetDefaults_*` functions of k8s.io/kubernetes/pkg/apis/{core,apps}/v1, v1.36.
"""

from pytest_kubelb.lab.api.objects import KubeObject, merged_conditions
from pytest_kubelb.lab.api.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SERVICES,
    Resource,
)
from pytest_kubelb.lab.api.shapes import micro_time_in_utc

_TOLERATED_SECONDS = 300
_GATED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def with_defaults(resource: Resource, obj: KubeObject) -> KubeObject:
    """Give a copy of `obj`, whose fields have the types they must have, with the defaults of its kind."""
    spec = obj.get("spec") or {}
    if resource == PODS:
        return {**obj, "spec": _pod(spec)}
    if resource == NAMESPACES:
        return {**obj, "spec": {"finalizers": ["kubernetes"], **spec}}
    if resource == SERVICES:
        return {**obj, "spec": _service(spec)}
    if resource in (DEPLOYMENTS, REPLICASETS, DAEMONSETS):
        return {**obj, "spec": _workload(resource, spec)}
    if resource == LEASES:
        return {**obj, "spec": _lease(spec)}
    return obj


def initial_status(resource: Resource, obj: KubeObject) -> KubeObject | None:
    """Give the status a new object starts with, whatever the client sent; None for kinds without one."""
    if resource == PODS:
        status: KubeObject = {"phase": "Pending", "qosClass": _qos_class(obj["spec"])}
        if obj["spec"].get("schedulingGates"):
            status["conditions"] = merged_conditions((), [_GATED])
        return status
    if resource == NAMESPACES:
        return {"phase": "Active"}
    if resource == SERVICES:
        return {"loadBalancer": {}}
    if resource == DAEMONSETS:
        return {
            "currentNumberScheduled": 0,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": 0,
            "numberReady": 0,
        }
    if resource == REPLICASETS:
        return {"replicas": 0}
    return {} if "status" in resource.subresources else None


def _workload(resource: Resource, spec: KubeObject) -> KubeObject:
    filled = {**spec}
    if resource != DAEMONSETS:
        filled.setdefault("replicas", 1)
    if resource != REPLICASETS:
        filled.setdefault("revisionHistoryLimit", 10)
    if resource == DEPLOYMENTS:
        filled.setdefault("progressDeadlineSeconds", 600)
        filled["strategy"] = _strategy(filled.get("strategy"), {"maxUnavailable": "25%", "maxSurge": "25%"})
    if resource == DAEMONSETS:
        filled["updateStrategy"] = _strategy(
            filled.get("updateStrategy"), {"maxUnavailable": 1, "maxSurge": 0}
        )
    template = filled.get("template") or {}
    filled["template"] = {
        **template,
        "metadata": template.get("metadata") or {},
        "spec": _template(template.get("spec") or {}),
    }
    return filled


def _strategy(given: KubeObject | None, rolling: KubeObject) -> KubeObject:
    strategy = {"type": "RollingUpdate", **(given or {})}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {**rolling, **(strategy.get("rollingUpdate") or {})}
    return strategy


def _template(spec: KubeObject) -> KubeObject:
    filled = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        **spec,
    }
    for field in ("containers", "initContainers"):
        if field in filled:
            filled[field] = [_container(container) for container in filled[field]]
    return filled


def _pod(spec: KubeObject) -> KubeObject:
    filled = _template(spec)
    if filled.get("hostNetwork"):
        filled["containers"] = [_with_host_ports(container) for container in filled.get("containers") or ()]
    filled.setdefault("serviceAccountName", "default")
    filled.setdefault("serviceAccount", filled["serviceAccountName"])
    filled.setdefault("enableServiceLinks", True)
    filled.setdefault("priority", 0)
    filled.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = list(filled.get("tolerations") or ())
    for condition in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{condition}"
        if not any(
            t.get("key") in (key, None, "") and t.get("effect") in ("NoExecute", None, "")
            for t in tolerations
        ):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _TOLERATED_SECONDS,
                }
            )
    filled["tolerations"] = tolerations
    return filled


def _with_host_ports(container: KubeObject) -> KubeObject:
    """Give a container of a pod on the host's network: its ports are the host's."""
    if not container.get("ports"):
        return container
    ports = [{"hostPort": port["containerPort"], **port} for port in container["ports"]]
    return {**container, "ports": ports}


def _container(container: KubeObject) -> KubeObject:
    image = container.get("image", "")
    untagged = "@" not in image and ":" not in image.rsplit("/", 1)[-1]
    filled = {
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always" if untagged or image.endswith(":latest") else "IfNotPresent",
        **container,
    }
    if "ports" in filled:
        filled["ports"] = [{"protocol": "TCP", **port} for port in filled["ports"]]
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        if probe in filled:
            timing = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
            filled[probe] = timing | filled[probe]
            if filled[probe].get("httpGet"):
                filled[probe]["httpGet"] = {"scheme": "HTTP", **filled[probe]["httpGet"]}
    resources = filled["resources"]
    if "limits" in resources:
        filled["resources"] = {
            **resources,
            "requests": {**resources["limits"], **(resources.get("requests") or {})},
        }
    return filled


def _service(spec: KubeObject) -> KubeObject:
    filled = {"type": "ClusterIP", "sessionAffinity": "None", **spec}
    if "ports" in filled:
        filled["ports"] = [
            {"protocol": "TCP", "targetPort": port.get("port"), **port} for port in filled["ports"]
        ]
    if filled["type"] == "ExternalName":
        return filled
    filled.setdefault("internalTrafficPolicy", "Cluster")
    filled.setdefault("ipFamilies", ["IPv4"])
    filled.setdefault("ipFamilyPolicy", "SingleStack")
    return filled


def _lease(spec: KubeObject) -> KubeObject:
    # Without the feature gate CoordinatedLeaderElection, which is off by default, the server drops its two fields.
    kept = {name: value for name, value in spec.items() if name not in ("strategy", "preferredHolder")}
    for name in ("acquireTime", "renewTime"):
        if name in kept:
            kept[name] = micro_time_in_utc(kept[name])
    return kept


def _qos_class(spec: KubeObject) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(r.get("requests") or r.get("limits") for r in resources):
        return "BestEffort"
    complete = all(
        {"cpu", "memory"} <= set(r.get("limits") or ()) and r["limits"] == r.get("requests")
        for r in resources
    )
    return "Guaranteed" if complete else "Burstable"
