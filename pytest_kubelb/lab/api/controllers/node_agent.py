"""Bound pods -> running pods: asks the kubelet to start and stop them and reports how it went.

Touches the API and the kubelet.

What several pods report in one tick of the loop is written in one go, so that a batch is one change of its
EndpointSlice.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.lab.api.cluster_api import ClusterApi
from pytest_kubelb.lab.api.deletion import DeleteOptions
from pytest_kubelb.lab.api.kubelet import Kubelet, PodFailure
from pytest_kubelb.lab.api.nodes import internal_ip
from pytest_kubelb.lab.api.object_table import Change
from pytest_kubelb.lab.api.objects import KubeObject, is_deleting, key_of, uid_of
from pytest_kubelb.lab.api.pod_status import failed_status, running_status
from pytest_kubelb.lab.api.recorder import Recorder
from pytest_kubelb.lab.api.resources import NODES, PODS
from pytest_kubelb.lab.api.status import ApiError

_COMPONENT = "kubelet"
_LONGEST_BACKOFF_S = 300.0


@dataclass
class _Running:
    """What the agent has in hand for one pod."""

    pod: KubeObject
    task: "asyncio.Task[None] | None" = None
    retry: asyncio.TimerHandle | None = None
    failures: int = 0
    stopping: bool = False
    forgotten: bool = field(default=False)
    """Taken out of the store by force: nothing is left to report to."""


class NodeAgent:
    """All kubelets of the cluster in one."""

    def __init__(
        self,
        api: ClusterApi,
        recorder: Recorder,
        kubelet: Kubelet,
        wake: Callable[[], None],
        *,
        backoff_s: float = 10.0,
    ) -> None:
        """`wake` runs the controllers.

        `backoff_s` is the time to the first retry, doubled each time up to five minutes.
        """
        self._api = api
        self._store = api.store
        self._recorder = recorder
        self._kubelet = kubelet
        self._wake = wake
        self._backoff_s = backoff_s
        self._running: dict[str, _Running] = {}
        self._todo: dict[str, KubeObject] = {}
        self._outcomes: deque[tuple[str, str | PodFailure]] = deque()

    def observe(self, change: Change) -> None:
        """Note that a pod was bound to a node, is to go, or was taken away."""
        if change.resource != PODS:
            return
        pod = change.object
        uid = uid_of(pod)
        if change.kind == "DELETED" and uid in self._running:
            self._running[uid].forgotten = True
        if pod["spec"].get("nodeName") and (
            uid not in self._running or is_deleting(pod) or change.kind == "DELETED"
        ):
            self._todo[uid] = pod

    def reconcile(self) -> bool:
        """Write what pods reported; start and stop those that are noted."""
        todo, self._todo = self._todo, {}
        busy = bool(todo or self._outcomes)
        while self._outcomes:
            uid, outcome = self._outcomes.popleft()
            try:
                self._report(uid, outcome)
            except ApiError as error:
                if error.code >= 500:  # the server's fault: to be said again when it answers
                    self._outcomes.append((uid, outcome))
                self._todo = todo | self._todo
                raise
        for uid, pod in todo.items():
            known = self._running.get(uid)
            if known is None and not is_deleting(pod) and self._store.by_uid(uid) is not None:
                self._start(pod)
            elif known is not None and not known.stopping and (is_deleting(pod) or known.forgotten):
                self._stop(known)
            elif known is None:
                self._remove(pod)
        return busy

    def container_failed(self, uid: str, failure: PodFailure) -> None:
        """For the lab: the container of a running pod has died or no longer answers.

        It is started again after the back-off.
        """
        self._outcomes.append((uid, failure))
        self._wake()

    async def stop(self) -> None:
        """Stop every pod; the store is left as it is."""
        held = list(self._running.values())
        for known in held:
            if not known.stopping:
                self._stop(known)
        await asyncio.gather(
            *(known.task for known in held if known.task is not None), return_exceptions=True
        )

    def _start(self, pod: KubeObject) -> None:
        if self._store.find(NODES, "", pod["spec"]["nodeName"]) is None:
            return  # bound by hand to a node that is not there: no kubelet looks after it
        known = self._running.setdefault(uid_of(pod), _Running(pod))
        known.retry = None
        known.task = asyncio.get_running_loop().create_task(
            self._run(known), name=f"start {pod['metadata']['name']}"
        )

    def _start_again(self, uid: str) -> None:
        found = self._store.by_uid(uid)  # as it is now: its image may have been corrected
        if found is not None:
            self._running[uid].pod = found[1]
            self._start(found[1])

    async def _run(self, known: _Running) -> None:
        outcome: str | PodFailure
        try:
            outcome = await self._kubelet.start(known.pod)
        except PodFailure as failure:
            outcome = failure
        except (
            KubelbError,
            ApiError,
            OSError,
        ) as error:  # what a broken lab raises: shown as a real kubelet shows a broken runtime
            outcome = PodFailure("CreateContainerError", str(error))
        self._outcomes.append((uid_of(known.pod), outcome))
        self._wake()

    def _stop(self, known: _Running) -> None:
        known.stopping = True
        if known.retry is not None:
            known.retry.cancel()
        starting = known.task if known.task is not None and not known.task.done() else None
        if not known.forgotten:
            self._recorder.normal(
                _COMPONENT, known.pod, "Killing", "Stopping container " + _container_names(known.pod)
            )
        known.task = asyncio.get_running_loop().create_task(
            self._end(known, starting), name=f"stop {known.pod['metadata']['name']}"
        )

    async def _end(self, known: _Running, starting: "asyncio.Task[None] | None") -> None:
        if starting is not None:  # not cancelled: what it has begun in a thread would go on behind our back
            await asyncio.wait([starting])
        try:
            await self._kubelet.stop(known.pod)
        except (PodFailure, KubelbError, OSError) as error:
            self._recorder.warning(_COMPONENT, known.pod, "FailedKillPod", f"error killing pod: {error}")
        uid = uid_of(known.pod)
        del self._running[uid]
        found = self._store.by_uid(uid)
        if found is not None:
            self._todo[uid] = found[1]
            self._wake()

    def _remove(self, pod: KubeObject) -> None:
        found = self._store.by_uid(uid_of(pod))
        if found is not None and is_deleting(found[1]):
            self._api.delete(PODS, *key_of(pod), DeleteOptions(grace_s=0, uid=uid_of(pod)))

    def _report(self, uid: str, outcome: str | PodFailure) -> None:
        known, found = self._running.get(uid), self._store.by_uid(uid)
        if known is None or known.stopping or found is None:
            return
        pod = found[1]
        node = self._store.find(NODES, "", pod["spec"]["nodeName"])
        host_ip = internal_ip(node) if node is not None else ""
        if isinstance(outcome, str):
            known.failures = 0
            pod_ip = host_ip if pod["spec"].get("hostNetwork") else outcome
            self._api.write_status(PODS, pod, running_status(pod, pod_ip, host_ip))
            self._recorder.normal(_COMPONENT, pod, "Started", "Started container " + _container_names(pod))
            return
        was_running = pod.get("status", {}).get("phase") == "Running"
        status = failed_status(pod, outcome, host_ip, restarts=int(was_running))
        self._api.write_status(PODS, pod, status)
        self._recorder.warning(_COMPONENT, pod, _EVENT_REASONS.get(outcome.reason, "Failed"), outcome.message)
        delay_s = min(self._backoff_s * 2**known.failures, _LONGEST_BACKOFF_S)
        known.failures += 1
        known.retry = asyncio.get_running_loop().call_later(delay_s, self._start_again, uid)


_EVENT_REASONS = {"CrashLoopBackOff": "BackOff", "ImagePullBackOff": "BackOff", "Unhealthy": "Unhealthy"}


def _container_names(pod: KubeObject) -> str:
    return ", ".join(container["name"] for container in pod["spec"]["containers"])
