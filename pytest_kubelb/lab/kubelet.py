"""The kubelets of the lab: from a Pod object to a running pod and back. Touches what the pod runtime touches.

The work is done in threads, because a thread is what enters a network namespace; the event loop stays free for the API.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pytest_kubelb.lab import topology
from pytest_kubelb.lab.api.kubelet import PodFailure
from pytest_kubelb.lab.api.objects import KubeObject
from pytest_kubelb.lab.pods import PodRuntime, PodStartError, PodTask

IMAGE = "nginx"
DEFAULT_COMMAND = ("nginx", "-g", "daemon off;")
START_TIMEOUT_S = 10.0
THREADS = 8
# What the ServiceAccount admission of a real API server adds to every pod. The lab's pods get no token: they are nginx,
# and nothing in them asks the API.
API_ACCESS_VOLUME = "kube-api-access-"


class LabKubelet:
    """Every node's kubelet in one.

    `mtu` gives that of the pods' interfaces, which depends on the overlay; `daemons` are images that are not run as
    pods but by a function of the lab, which gives the pod's address.
    """

    def __init__(
        self, mtu: Callable[[], int], daemons: Mapping[str, Callable[[KubeObject], Awaitable[str]]]
    ) -> None:
        self._mtu = mtu
        self._daemons = daemons
        self._runtime = PodRuntime()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="kubelet")

    async def start(self, pod: KubeObject) -> str:
        """Start the pod and give its address; raises PodFailure with the reason a kubelet would give."""
        daemon = self._daemons.get(_image_name(pod["spec"]["containers"][0]["image"]))
        if daemon is not None:
            return await daemon(pod)
        task = self._task(pod)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, self._runtime.start, task, START_TIMEOUT_S)
        except PodStartError as error:
            raise PodFailure(error.reason, str(error)) from error

    async def stop(self, pod: KubeObject) -> None:
        """Stop the pod; one that never started is no error."""
        await asyncio.get_running_loop().run_in_executor(
            self._pool, self._runtime.stop, pod["metadata"]["uid"]
        )

    def _task(self, pod: KubeObject) -> PodTask:
        spec = pod["spec"]
        container = spec["containers"][0]
        _check_image(container["image"])
        security = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        ports = container.get("ports") or [{"containerPort": 80}]
        probe = container.get("readinessProbe", {}).get("httpGet", {})
        words = [*container.get("command", []), *container.get("args", [])]
        return PodTask(
            uid=pod["metadata"]["uid"],
            node=topology.node(spec["nodeName"]),
            command=tuple(words or DEFAULT_COMMAND),
            environment={each["name"]: each.get("value", "") for each in container.get("env", [])},
            empty_dirs=_empty_dirs(spec, container),
            sysctls={each["name"]: each["value"] for each in security.get("sysctls", [])},
            user=security.get("runAsUser", 0),
            group=security.get("runAsGroup", 0),
            port=ports[0]["containerPort"],
            probe_path=probe.get("path", "/"),
            mtu=self._mtu(),
        )


def _image_name(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _check_image(image: str) -> None:
    if _image_name(image) != IMAGE:
        raise PodFailure("ErrImagePull", f'failed to pull image "{image}": the lab has no image but {IMAGE}')


def _empty_dirs(spec: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[str, ...]:
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
    mounts = [
        mount
        for mount in container.get("volumeMounts") or []
        if not mount["name"].startswith(API_ACCESS_VOLUME)
        or "projected" not in volumes.get(mount["name"], {})
    ]
    for mount in mounts:
        if "emptyDir" not in volumes.get(mount["name"], {}):
            raise PodFailure(
                "CreateContainerConfigError",
                f'volume "{mount["name"]}": the lab mounts emptyDir volumes only',
            )
    return tuple(mount["mountPath"] for mount in mounts)
