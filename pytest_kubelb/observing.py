"""One run with the evidence around it: read the hosts, run, read them again, and say what the difference tells.

Touches the hosts and the cluster, for reading.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.evidence.delta import HostDelta, delta
from pytest_kubelb.evidence.findings.examine import examine
from pytest_kubelb.evidence.run import RunEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_kubelb.convergence import Target
    from pytest_kubelb.evidence.limits import Limits
    from pytest_kubelb.evidence.reading import Reading
    from pytest_kubelb.evidence.spec import NodeSpec
    from pytest_kubelb.evidence.watch import Watch
    from pytest_kubelb.record.finding import Finding
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.settings import Settings

    OnEvent = Callable[[str, Mapping[str, object]], None]  # the name of what happened, and its details

STILL_FRESH_S: Final = 1.0
"""A reading that is younger, of the same target, also serves as the one before the next run."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What does not change while a testbed is held."""

    roles: Mapping[str, tuple[str, ...]]
    """Role -> its hosts, those that are read."""
    specs: Mapping[str, NodeSpec]
    limits: Limits


@dataclass(frozen=True)
class _Look:
    """All hosts and the pods at one moment."""

    readings: Mapping[str, Reading]
    pods: Mapping[str, str]
    at_s: float


@dataclass(frozen=True)
class Observed:
    """A run, and what the hosts counted meanwhile."""

    sample: Sample
    evidence: Mapping[str, object] | None
    """The line for the session's evidence file; None where nothing could be read."""


class Observer:
    """Reads the evidence around runs. Not for use by several threads."""

    def __init__(
        self,
        watch: Watch,
        pods: Callable[[], Mapping[str, str]],
        drift: Callable[[Mapping[str, Reading]], tuple[Finding, ...]],
        known: Known,
        on_event: OnEvent,
    ) -> None:
        """`pods` gives pod name -> `node/address`; `drift` says which settings are not as the tuning left them.

        `on_event` is told, once for each tuning, the settings that were read.
        """
        self._watch = watch
        self._pods = pods
        self._drift = drift
        self._known = known
        self._on_event = on_event
        self._told: set[str] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="kubelb-pods")
        self._last: tuple[Target, _Look] | None = None

    def around(self, target: Target, settings: Settings, run: Callable[[], Sample]) -> Observed:
        """Give the sample of `run` with its findings, ceiling and validity, and what was read around it.

        A run that failed by itself keeps its reason. One after which a host cannot be read keeps its result and is
        failed. Raises TestbedError when a host cannot be read before the run.
        """
        before, self._last = self._before(target), None
        self._tell(target.point.tuning, before)
        sample = run()
        try:
            after = self._look(target)
        except TestbedError as error:
            reason = sample.reason or f"what the hosts counted is not known after the run: {error}"
            return Observed(replace(sample, validity="failed", reason=reason), None)
        self._last = (target, after)
        hosts = {name: delta(before.readings[name], reading) for name, reading in after.readings.items()}
        run_evidence = self._run_evidence(target, settings, sample, hosts, before, after)
        return Observed(self._judged(sample, run_evidence, after), _line(sample, hosts))

    def close(self) -> None:
        """End the threads and the remote questions."""
        self._pool.shutdown()
        self._watch.close()

    def _tell(self, tuning: str, look: _Look) -> None:
        if tuning not in self._told:
            self._told.add(tuning)
            hosts = {name: dict(reading.settings) for name, reading in look.readings.items()}
            self._on_event("settings", {"tuning": tuning, "hosts": hosts})

    def _before(self, target: Target) -> _Look:
        if self._last is not None:
            at, look = self._last
            if at is target and time.monotonic() - look.at_s <= STILL_FRESH_S:
                return look
        return self._look(target)

    def _look(self, target: Target) -> _Look:
        pods = self._pool.submit(self._pods)
        readings = self._watch.read(target.url)
        return _Look(readings, pods.result(), time.monotonic())

    def _run_evidence(
        self,
        target: Target,
        settings: Settings,
        sample: Sample,
        hosts: Mapping[str, HostDelta],
        before: _Look,
        after: _Look,
    ) -> RunEvidence:
        return RunEvidence(
            point=sample.point,
            backend=target.point.backend,
            service=f"{target.point.backend} {target.address}",
            endpoints=tuple(endpoint.ip for endpoint in target.endpoints),
            pods_before=before.pods,
            pods_after=after.pods,
            connections=settings.connections.at(target.point.pods),
            duration_s=settings.duration,
            wall_s=sample.wall_s,
            wrk_cpu_s=sample.wrk_cpu_s,
            result=sample.result,
            roles=self._known.roles,
            hosts=hosts,
            specs=self._known.specs,
            limits=self._known.limits,
        )

    def _judged(self, sample: Sample, run: RunEvidence, after: _Look) -> Sample:
        examined = examine(run)
        drifts = self._drift(after.readings)
        told = replace(
            sample,
            findings=(*drifts, *examined.findings),
            ceiling=examined.ceiling,
            wire_bytes_per_request=examined.wire_bytes_per_request,
        )
        if sample.validity == "failed":
            return told
        validity, reason = examined.validity, examined.reason
        if drifts and validity == "valid":
            validity, reason = drifts[0].effect, drifts[0].sentence
        if validity == "valid":
            return told
        # A warm-up run is not judged, but what happened in it is told.
        return replace(told, validity="warmup" if sample.validity == "warmup" else validity, reason=reason)


def _line(sample: Sample, hosts: Mapping[str, HostDelta]) -> dict[str, object]:
    return {
        "kind": "evidence",
        "point": dict(sample.point),
        "provisioning": sample.provisioning,
        "run": sample.run,
        "warmup": sample.validity == "warmup",
        "started": sample.started,
        "hosts": {name: each.to_json() for name, each in hosts.items()},
    }
