"""One run with the evidence around it: read the hosts, run, read them again, and say what the difference tells.

Touches the hosts and the cluster, for reading.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.evidence.delta import HostDelta, delta
from pytest_kubelb.evidence.findings.examine import examine, judge
from pytest_kubelb.evidence.run import RunEvidence
from pytest_kubelb.tuning.drift import SIGNAL as TUNING_DRIFT

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

REST_S: Final = 0.25
"""How long the hosts are looked at without load, once for each tuning of a session."""


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
    drifts: tuple[Finding, ...]
    """Settings that were not as the tuning left them."""
    at_s: float


@dataclass(frozen=True)
class Observed:
    """A run, and what the hosts counted meanwhile."""

    sample: Sample
    evidence: Mapping[str, object] | None
    """The line for the session's evidence file; None where nothing was read."""


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
        """`pods` gives pod name -> `node/address`; `drift` says which settings are not as the tuning left them."""
        self._watch = watch
        self._pods = pods
        self._drift = drift
        self._known = known
        self._on_event = on_event
        self._told: set[str] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="kubelb-pods")
        self._last: tuple[Target, _Look] | None = None
        self._boots: dict[str, str] = {}
        self.restarted: TestbedError | None = None
        """Says which host was started again since it was first read: it has lost what was set there."""

    def around(self, target: Target, settings: Settings, run: Callable[[], Sample]) -> Observed:
        """Give the sample of `run` with its findings, ceiling and validity, and what was read around it.

        A run that failed by itself keeps its reason. One after which a host cannot be read keeps its result and is
        failed. Raises TestbedError when a host cannot be read before the run, or was started again before it.
        """
        before, self._last = self._before(target), None
        if self.restarted:
            raise self.restarted
        sample = run()
        hosts: dict[str, HostDelta] = {}

        def compare(name: str, reading: Reading) -> None:
            hosts[name] = delta(before.readings[name], reading)

        try:
            after = self._look(target, since=before, each=compare)
        except TestbedError as error:
            reason = sample.reason or f"what the hosts counted is not known after the run: {error}"
            return Observed(replace(sample, validity="failed", reason=reason), None)
        self._last = (target, after)
        hosts = {name: hosts[name] for name in after.readings}  # in their order, not in that of the answers
        run_evidence = self._run_evidence(target, settings, sample, hosts, before, after)
        line = _line(sample, hosts) if hosts else None
        return Observed(self._judged(sample, run_evidence, before, after), line)

    def look_at_rest(self, target: Target) -> None:
        """Tell the settings under a tuning, and what the hosts count without load: once for each tuning.

        Raises TestbedError when a host cannot be read.
        """
        tuning = target.point.tuning
        if tuning in self._told:
            return
        self._told.add(tuning)
        first = self._look(target)
        settings = {name: dict(reading.settings) for name, reading in first.readings.items()}
        self._on_event("settings", {"tuning": tuning, "hosts": settings})
        time.sleep(REST_S)
        second = self._look(target, since=first)
        self._last = (target, second)
        counted = {
            name: delta(first.readings[name], reading).to_json() for name, reading in second.readings.items()
        }
        self._on_event("at_rest", {"tuning": tuning, "hosts": counted})

    def look_for_restart(self) -> TestbedError | None:
        """Give the sentence for a host that was started again since it was first read, when one answers so now."""
        with suppress(TestbedError):
            self._note_boots(self._watch.read(""))
        return self.restarted

    def close(self) -> None:
        """End the threads and the remote questions."""
        self._pool.shutdown()
        self._watch.close()

    def _before(self, target: Target) -> _Look:
        if self._last is not None:
            at, look = self._last
            if at is target and time.monotonic() - look.at_s <= STILL_FRESH_S:
                return look
        return self._look(target)

    def _look(
        self,
        target: Target,
        since: _Look | None = None,
        each: Callable[[str, Reading], None] | None = None,
    ) -> _Look:
        pods = self._pool.submit(self._pods)
        try:
            readings = self._watch.read(target.url, since.readings if since else None, each)
            at_s = time.monotonic()
        finally:
            wait([pods])  # the cluster's client is for one thread at a time
        self._note_boots(readings)
        return _Look(readings, pods.result(), self._drift(readings), at_s)

    def _note_boots(self, readings: Mapping[str, Reading]) -> None:
        for name, reading in readings.items():
            if reading.boot_id != self._boots.setdefault(name, reading.boot_id):
                self.restarted = TestbedError(
                    f"host {name} was started again while this session held it, and what was set there is gone; look"
                    " for the reason in its journal (`journalctl -b -1`), and resume the session when it is as it was"
                )

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

    def _judged(self, sample: Sample, run: RunEvidence, before: _Look, after: _Look) -> Sample:
        examined = examine(run)
        drifts = self._drifts(run, before, after)
        # Who changed a setting of the profile is told by the tuning, which has asked the host.
        told_on = {each.host for each in drifts}
        findings = (
            *drifts,
            *(each for each in examined.findings if each.signal != TUNING_DRIFT or each.host not in told_on),
        )
        if not run.hosts:  # nothing was asked for that could name a ceiling
            findings = tuple(each for each in findings if each.kind != "ceiling")
        told = replace(
            sample,
            findings=findings,
            ceiling=examined.ceiling if run.hosts else None,
            wire_bytes_per_request=examined.wire_bytes_per_request,
        )
        validity, reason = judge(findings)
        if sample.validity == "failed" or validity == "valid":
            return told
        # A warm-up run is not judged, but what happened in it is told.
        return replace(told, validity="warmup" if sample.validity == "warmup" else validity, reason=reason)

    def _drifts(self, run: RunEvidence, before: _Look, after: _Look) -> list[Finding]:
        if (limit := run.limits.tuning_drift) is None:
            return []
        by_host = {each.host: each for each in (*before.drifts, *after.drifts)}
        # A host that was started again has lost all its settings by that, which the evidence tells.
        lost = {name for name, each in run.hosts.items() if "boot_id" in each.changed}
        return [each for name, each in by_host.items() if name not in lost and each.value > limit]


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
