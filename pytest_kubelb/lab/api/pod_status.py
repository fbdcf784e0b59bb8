"""The status of a pod in each of its states, as a kubelet reports it. Pure."""

from pytest_kubelb.lab.api.kubelet import PodFailure
from pytest_kubelb.lab.api.objects import KubeObject, merged_conditions, timestamp

_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
_READINESS = ("Ready", "ContainersReady")


def running_status(pod: KubeObject, pod_ip: str, host_ip: str) -> KubeObject:
    """All containers run and answer."""
    started = timestamp()
    containers = [
        _container(pod, container, {"running": {"startedAt": started}}, ready=True)
        for container in pod["spec"]["containers"]
    ]
    return {
        "startTime": started,
        **_kept(pod),
        "phase": "Running",
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "podIP": pod_ip,
        "podIPs": [{"ip": pod_ip}],
        "conditions": _conditions(pod, {}),
        "containerStatuses": containers,
    }


def failed_status(pod: KubeObject, failure: PodFailure, host_ip: str, *, restarts: int = 0) -> KubeObject:
    """Give the containers wait for the reason of `failure`.

    A pod that ran before stays in the phase Running, as a real one does.
    """
    state = {"waiting": {"reason": failure.reason, "message": failure.message}}
    names = " ".join(container["name"] for container in pod["spec"]["containers"])
    why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"}
    containers = [
        _container(pod, container, state, ready=False, restarts=restarts)
        for container in pod["spec"]["containers"]
    ]
    return {
        "startTime": timestamp(),
        **_kept(pod),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "conditions": _conditions(pod, why),
        "containerStatuses": containers,
    }


def _kept(pod: KubeObject) -> KubeObject:
    return dict(pod.get("status", {}))


def _conditions(pod: KubeObject, why_not_ready: KubeObject) -> list[KubeObject]:
    new = [
        {"type": kind, "status": "False", **why_not_ready}
        if why_not_ready and kind in _READINESS
        else {"type": kind, "status": "True"}
        for kind in _CONDITIONS
    ]
    return merged_conditions(pod.get("status", {}).get("conditions") or (), new)


def _container(
    pod: KubeObject, container: KubeObject, state: KubeObject, *, ready: bool, restarts: int = 0
) -> KubeObject:
    before: KubeObject = next(
        (s for s in pod.get("status", {}).get("containerStatuses") or () if s["name"] == container["name"]),
        {},
    )
    status = {
        "name": container["name"],
        "image": container["image"],
        "imageID": container["image"] if ready else "",
        "ready": ready,
        "started": ready,
        "restartCount": before.get("restartCount", 0) + restarts,
        "state": state,
        "lastState": {},
    }
    if ready:
        status["containerID"] = f"netns://{pod['metadata']['uid']}"
    return status
