"""Pod Security admission: what the label of a namespace lets its pods ask for. Pure.

The standards `baseline` and `restricted` of v1.36 in the words and the order of k8s.io/pod-security-admission
(https://kubernetes.io/docs/concepts/security/pod-security-standards/). Not looked at: SELinux and AppArmor
profiles, procMount, Windows, and hosts of probes; nothing in the lab would heed them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pytest_kubelb.lab.api.objects import KubeObject, labels_of
from pytest_kubelb.lab.api.status import Cause, invalid_value

ENFORCE = "pod-security.kubernetes.io/enforce"
LEVELS = ("privileged", "baseline", "restricted")

_VOLUMES = frozenset(
    {
        "name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
        "projected", "secret",
    }
)  # fmt: skip
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip
_SECCOMP = ("RuntimeDefault", "Localhost")
_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
        "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip

Check = Callable[[KubeObject], Iterator[str]]
"""Takes a pod's spec and gives what is wrong with it."""


def level_causes(namespace: KubeObject) -> Iterator[Cause]:
    """Give what is wrong with the level that a Namespace's label names."""
    level = labels_of(namespace).get(ENFORCE)
    if level is not None and level not in LEVELS:
        yield invalid_value(f"metadata.labels[{ENFORCE}]", level, f"must be one of {', '.join(LEVELS)}")


def why_insecure(namespace: KubeObject, pod: KubeObject) -> str | None:
    """Say how a pod violates the standard that its namespace enforces; None when it does not."""
    level = labels_of(namespace).get(ENFORCE, "privileged")
    spec = pod.get("spec") or {}
    found = [reason for check in _BY_LEVEL.get(level, ()) for reason in check(spec)]
    return f'violates PodSecurity "{level}:latest": {", ".join(found)}' if found else None


def _containers(spec: KubeObject) -> list[KubeObject]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _security(of: KubeObject) -> KubeObject:
    return of.get("securityContext") or {}


def _listed(kind: str, names: Sequence[str]) -> str:
    """Name things of a kind: `container "a"`, `containers "a", "b"`; empty when there is none."""
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"{kind}{'s' if len(names) > 1 else ''} {quoted}" if names else ""


def _those(spec: KubeObject, fails: Callable[[KubeObject], bool]) -> str:
    """Name the containers for whose security context this is so."""
    return _listed("container", [one.get("name", "") for one in _containers(spec) if fails(_security(one))])


def _host_namespaces(spec: KubeObject) -> Iterator[str]:
    used = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if used:
        yield f"host namespaces ({', '.join(used)})"


def _host_ports(spec: KubeObject) -> Iterator[str]:
    used = {
        one.get("name", ""): [port["hostPort"] for port in one.get("ports") or () if port.get("hostPort")]
        for one in _containers(spec)
    }
    who = _listed("container", [name for name, ports in used.items() if ports])
    ports = sorted({port for found in used.values() for port in found})
    if ports:
        verb = "use" if who.startswith("containers") else "uses"
        what = f"hostPort{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))}"
        yield f"hostPort ({who} {verb} {what})"


def _host_paths(spec: KubeObject) -> Iterator[str]:
    who = _listed("volume", [each["name"] for each in spec.get("volumes") or () if "hostPath" in each])
    if who:
        yield f"hostPath volumes ({who})"


def _privileged(spec: KubeObject) -> Iterator[str]:
    who = _those(spec, lambda security: bool(security.get("privileged")))
    if who:
        yield f"privileged ({who} must not set securityContext.privileged=true)"


def _sysctls(spec: KubeObject) -> Iterator[str]:
    names = [each["name"] for each in _security(spec).get("sysctls") or () if each["name"] not in _SYSCTLS]
    if names:
        yield f"forbidden sysctls ({', '.join(names)})"


def _escalation(spec: KubeObject) -> Iterator[str]:
    who = _those(spec, lambda security: security.get("allowPrivilegeEscalation") is not False)
    if who:
        what = "must set securityContext.allowPrivilegeEscalation=false"
        yield f"allowPrivilegeEscalation != false ({who} {what})"


def _added(spec: KubeObject, allowed: frozenset[str]) -> str:
    """Say which containers add which capabilities that they may not; empty when none does."""

    def beyond(security: KubeObject) -> set[str]:
        return set((security.get("capabilities") or {}).get("add") or ()) - allowed

    names = sorted(set().union(*(beyond(_security(one)) for one in _containers(spec))))
    quoted = ", ".join(f'"{name}"' for name in names)
    who = _those(spec, lambda security: bool(beyond(security)))
    return f"{who} must not include {quoted} in securityContext.capabilities.add" if names else ""


def _more_capabilities(spec: KubeObject) -> Iterator[str]:
    said = _added(spec, _CAPABILITIES)
    if said:
        yield f"non-default capabilities ({said})"


def _any_capabilities(spec: KubeObject) -> Iterator[str]:
    def keeps(security: KubeObject) -> bool:
        return "ALL" not in ((security.get("capabilities") or {}).get("drop") or ())

    who = _those(spec, keeps)
    kept = f'{who} must set securityContext.capabilities.drop=["ALL"]' if who else ""
    said = "; ".join(filter(None, (kept, _added(spec, frozenset({"NET_BIND_SERVICE"})))))
    if said:
        yield f"unrestricted capabilities ({said})"


def _volumes(spec: KubeObject) -> Iterator[str]:
    kinds = {each["name"]: sorted(set(each) - _VOLUMES) for each in spec.get("volumes") or ()}
    who = _listed("volume", [name for name, wrong in kinds.items() if wrong])
    wrong = sorted({kind for found in kinds.values() for kind in found})
    if wrong:
        verb = "use" if who.startswith("volumes") else "uses"
        yield f"restricted volume types ({who} {verb} {_listed('restricted volume type', wrong)})"


def _non_root(spec: KubeObject) -> Iterator[str]:
    pod = _security(spec).get("runAsNonRoot")
    bad = _those(spec, lambda security: security.get("runAsNonRoot") is False)
    unset = "" if pod else _those(spec, lambda security: security.get("runAsNonRoot") is None)
    everybody = "pod" if pod is False and (bad or unset) else ""
    who = " and ".join(filter(None, (everybody, bad)))
    if who:
        yield f"runAsNonRoot != true ({who} must not set securityContext.runAsNonRoot=false)"
    elif unset:
        yield f"runAsNonRoot != true (pod or {unset} must set securityContext.runAsNonRoot=true)"


def _user(spec: KubeObject) -> Iterator[str]:
    who = _those(spec, lambda security: security.get("runAsUser") == 0)
    everybody = "pod" if _security(spec).get("runAsUser") == 0 else ""
    if who or everybody:
        yield f"runAsUser=0 ({' and '.join(filter(None, (everybody, who)))} must not set runAsUser=0)"


def _profile(security: KubeObject) -> Any:
    return (security.get("seccompProfile") or {}).get("type")


def _unconfined(spec: KubeObject) -> Iterator[str]:
    who = _those(spec, lambda security: _profile(security) == "Unconfined")
    everybody = "pod" if _profile(_security(spec)) == "Unconfined" else ""
    if who or everybody:
        named = " and ".join(filter(None, (everybody, who)))
        yield f'seccompProfile ({named} must not set securityContext.seccompProfile.type to "Unconfined")'


def _seccomp(spec: KubeObject) -> Iterator[str]:
    unconfined = list(_unconfined(spec))
    yield from unconfined
    unset = _those(spec, lambda security: _profile(security) is None)
    if not unconfined and unset and _profile(_security(spec)) not in _SECCOMP:
        allowed = 'to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {unset} must set securityContext.seccompProfile.type {allowed})"


_BASELINE: tuple[Check, ...] = (
    _more_capabilities, _host_namespaces, _host_paths, _host_ports, _privileged, _unconfined, _sysctls,
)  # fmt: skip
_RESTRICTED: tuple[Check, ...] = (
    _host_namespaces, _host_ports, _privileged, _sysctls, _escalation, _any_capabilities, _volumes, _non_root,
    _user, _seccomp,
)  # fmt: skip
_BY_LEVEL: dict[str, tuple[Check, ...]] = {"baseline": _BASELINE, "restricted": _RESTRICTED}
