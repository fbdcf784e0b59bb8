"""The names of the fields that the API has: what is not among them is dropped, or refused on demand. Pure.

Listed for the objects that people write by hand here; below fields that are not listed anything is kept.
Source: https://kubernetes.io/docs/reference/kubernetes-api/ (v1.36). What `fieldValidation` means:
https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.api.resources import Resource
from pytest_kubelb.lab.api.status import UndecodableError, invalid_options, unsupported_value

Fields = dict[str, Any]
"""Name of each field -> the Fields below it, for a list those of its items; None where anything is kept."""


def _named(names: str, **inner: Fields) -> Fields:
    return {**dict.fromkeys(names.split()), **inner}


_METADATA = _named(
    "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation"
    " labels managedFields name namespace resourceVersion selfLink uid",
    ownerReferences=_named("apiVersion blockOwnerDeletion controller kind name uid"),
)
_SELECTOR = _named("matchLabels", matchExpressions=_named("key operator values"))
_PROBE = _named(
    "exec failureThreshold grpc initialDelaySeconds periodSeconds successThreshold tcpSocket"
    " terminationGracePeriodSeconds timeoutSeconds",
    httpGet=_named("host httpHeaders path port scheme"),
)
_CONTAINER = _named(
    "args command image imagePullPolicy lifecycle name resizePolicy restartPolicy restartPolicyRules stdin stdinOnce"
    " terminationMessagePath terminationMessagePolicy tty volumeDevices workingDir envFrom",
    env=_named("name value valueFrom"),
    livenessProbe=_PROBE,
    ports=_named("containerPort hostIP hostPort name protocol"),
    readinessProbe=_PROBE,
    resources=_named("claims limits requests"),
    securityContext=_named(
        "allowPrivilegeEscalation appArmorProfile capabilities privileged procMount readOnlyRootFilesystem"
        " runAsGroup runAsNonRoot runAsUser seLinuxOptions seccompProfile windowsOptions"
    ),
    startupProbe=_PROBE,
    volumeMounts=_named("mountPath mountPropagation name readOnly recursiveReadOnly subPath subPathExpr"),
)
_POD_SPEC = _named(
    "activeDeadlineSeconds automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks"
    " ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride"
    " imagePullSecrets nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName"
    " readinessGates resourceClaims resources restartPolicy runtimeClassName schedulerName schedulingGroup"
    " serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain"
    " terminationGracePeriodSeconds volumes",
    affinity=_named("nodeAffinity podAffinity podAntiAffinity"),
    containers=_CONTAINER,
    initContainers=_CONTAINER,
    schedulingGates=_named("name"),
    securityContext=_named(
        "appArmorProfile fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy"
        " seLinuxOptions seccompProfile supplementalGroups supplementalGroupsPolicy sysctls windowsOptions"
    ),
    tolerations=_named("effect key operator tolerationSeconds value"),
    topologySpreadConstraints=_named(
        "matchLabelKeys maxSkew minDomains nodeAffinityPolicy nodeTaintsPolicy topologyKey whenUnsatisfiable",
        labelSelector=_SELECTOR,
    ),
)
_TEMPLATE: Fields = {"metadata": _METADATA, "spec": _POD_SPEC}
_STRATEGY = _named("type", rollingUpdate=_named("maxSurge maxUnavailable"))
_SPECS: dict[str, Fields] = {
    "Pod": _POD_SPEC,
    "Deployment": _named(
        "minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit",
        selector=_SELECTOR,
        strategy=_STRATEGY,
        template=_TEMPLATE,
    ),
    "ReplicaSet": _named("minReadySeconds replicas", selector=_SELECTOR, template=_TEMPLATE),
    "DaemonSet": _named(
        "minReadySeconds revisionHistoryLimit",
        selector=_SELECTOR,
        template=_TEMPLATE,
        updateStrategy=_STRATEGY,
    ),
    "Service": _named(
        "allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy"
        " healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP"
        " loadBalancerSourceRanges publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig"
        " trafficDistribution type",
        ports=_named("appProtocol name nodePort port protocol targetPort"),
    ),
    "Lease": _named(
        "acquireTime holderIdentity leaseDurationSeconds leaseTransitions preferredHolder renewTime strategy"
    ),
    "ResourceQuota": _named("hard scopeSelector scopes"),
    "Namespace": _named("finalizers"),
}
_OTHERS: dict[str, Fields] = {
    "ConfigMap": _named("binaryData data immutable"),
    "Secret": _named("data immutable stringData type"),
    "ServiceAccount": _named("automountServiceAccountToken imagePullSecrets secrets"),
    "EndpointSlice": _named(
        "addressType ports",
        endpoints=_named("addresses conditions deprecatedTopology hints hostname nodeName targetRef zone"),
    ),
}


def check_validation(resource: Resource, query: Mapping[str, str], body: object, *, verb: str) -> None:
    """Raise 400 for fields that the API has not where `fieldValidation=Strict` asks so, 422 for another odd value."""
    asked = query.get("fieldValidation", "")
    if asked not in ("", "Ignore", "Strict", "Warn"):
        supported = ("", "Ignore", "Strict", "Warn")
        cause = unsupported_value("fieldValidation", asked, supported)
        raise invalid_options(f"{verb.capitalize()}Options", [cause])
    if asked != "Strict" or not isinstance(body, dict):
        return
    unknown = [f'unknown field "{path}"' for path in _unknown(body, _fields_of(resource), "")]
    if unknown:
        title = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        raise UndecodableError(title, f"strict decoding error: {', '.join(unknown)}")


def with_known_fields(resource: Resource, obj: KubeObject) -> KubeObject:
    """Give a copy without the fields that the API has not."""
    kept: KubeObject = _pruned(obj, _fields_of(resource))
    return kept


def _fields_of(resource: Resource) -> Fields | None:
    if resource.kind in _SPECS:
        return _named("apiVersion kind status", metadata=_METADATA, spec=_SPECS[resource.kind])
    if resource.kind in _OTHERS:
        return _named("apiVersion kind", metadata=_METADATA, **_OTHERS[resource.kind])
    return None


def _pruned(value: Any, fields: Fields | None) -> Any:
    if fields is None:
        return value
    if isinstance(value, list):
        return [_pruned(item, fields) for item in value]
    if isinstance(value, dict):
        return {name: _pruned(item, fields[name]) for name, item in value.items() if name in fields}
    return value


def _unknown(value: Any, fields: Fields | None, path: str) -> Iterator[str]:
    if fields is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, fields, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            where = f"{path}.{name}" if path else name
            if name in fields:
                yield from _unknown(item, fields[name], where)
            else:
                yield where
