"""Bring the testbed from the point it is at to the next one, changing only what differs.

Touches it through its parts.

A point is ready when the cluster has exactly its pods, the load balancer forwards to exactly those, and each of
them has answered the benchmarker through the load balancer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_kubelb import readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_kubelb.backends.base import Backend
    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.cluster.overlay import Overlay
    from pytest_kubelb.cluster.workload import Workload
    from pytest_kubelb.matrix import Point
    from pytest_kubelb.testbed.hosts import Host

SCALE_TIMEOUT_S = 180.0
ANSWER_TIMEOUT_S = 30.0

# The same for every backend: at a full link, seven bytes more per request look like a slower load balancer.
HOST_HEADER = "kubelb.test"


@dataclass(frozen=True)
class Target:
    """A point that is ready to be measured."""

    point: Point
    url: str
    host_header: str
    endpoints: tuple[Endpoint, ...]

    @property
    def address(self) -> str:
        """The `address:port` that wrk is pointed at."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or 80}"


class Convergence:
    """Where the testbed is, and how to get it elsewhere. Not for use by several threads."""

    def __init__(
        self,
        benchmarker: Host,
        workload: Workload,
        overlay: Overlay,
        tune: Callable[[str], None],
        backends: Mapping[str, Backend],
        on_converged: Callable[[Point, Mapping[str, float]], None],
    ) -> None:
        """`tune` brings the hosts to the profile of that name; `on_converged` is told the seconds of each step."""
        self._benchmarker = benchmarker
        self._workload = workload
        self._overlay = overlay
        self._tune = tune
        self._backends = backends
        self._on_converged = on_converged
        self._at: Point | None = None
        self._endpoints: tuple[Endpoint, ...] = ()
        self._leaving: dict[str, set[str]] = {name: set() for name, each in backends.items() if each.follows}
        """For each backend that follows the cluster, addresses that pods had since it was proven last."""
        self._programmed: dict[str, tuple[Endpoint, ...]] = {}

    def converge(self, point: Point) -> Target:
        """Return when `point` is ready; raises TestbedError when it cannot be made so.

        After an error nothing is assumed of where the testbed is: the next call does every step.
        """
        before, self._at = self._at, None
        if before is not None and before.provisioning != point.provisioning:
            before = None  # a new pass provisions anew
        seconds: dict[str, float] = {}
        if before is None or before.overlay != point.overlay:
            # Pods keep the MTU of the overlay they were made on.
            if self._endpoints:
                self._timed(seconds, "scale_down_s", lambda: self._scale(0))
            self._timed(seconds, "overlay_s", lambda: self._overlay.set(point.overlay))
        if before is None or before.tuning != point.tuning:
            self._timed(seconds, "tune_s", lambda: self._tune(point.tuning))
        if before is None or len(self._endpoints) != point.pods:
            self._timed(seconds, "scale_s", lambda: self._scale(point.pods))
        backend = self._backends[point.backend]
        if before is None:
            self._programmed.clear()
        if self._programmed.get(point.backend) != self._endpoints:
            self._timed(seconds, "program_s", lambda: self._program(point.backend))
        if before is None or before.backend != point.backend:
            self._timed(seconds, "activate_s", backend.activate)
        addresses = [endpoint.ip for endpoint in self._endpoints]
        leaving = self._leaving.get(point.backend, set())
        self._timed(
            seconds,
            "prove_s",
            lambda: readiness.prove(
                self._benchmarker,
                backend.url,
                HOST_HEADER,
                addresses,
                timeout_s=ANSWER_TIMEOUT_S,
                leaving=leaving,
            ),
        )
        leaving.clear()
        self._at = point
        self._on_converged(point, seconds)
        return Target(point, backend.url, HOST_HEADER, self._endpoints)

    def doubt(self) -> bool:
        """Take nothing for granted any more: the next point does every step, as after an error.

        Tells whether anything was taken for granted until now.
        """
        before, self._at = self._at, None
        return before is not None

    def _scale(self, pods: int) -> None:
        before, self._endpoints = self._endpoints, ()
        for leaving in self._leaving.values():
            leaving.update(endpoint.ip for endpoint in before)
        self._endpoints = self._workload.scale(pods, timeout_s=SCALE_TIMEOUT_S)

    def _program(self, name: str) -> None:
        self._programmed.pop(name, None)
        self._backends[name].program(self._endpoints)
        self._programmed[name] = self._endpoints

    @staticmethod
    def _timed(seconds: dict[str, float], name: str, step: Callable[[], object]) -> None:
        started = time.monotonic()
        step()
        seconds[name] = round(time.monotonic() - started, 4)
