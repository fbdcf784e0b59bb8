"""One run with readings around it: what the tuning says of the hosts, together with what the evidence says.

The watch is a fake that gives made-up readings in turn, because which settings differ at which moment is what decides;
real readings are tested in tests/evidence, and whole sessions in tests/lab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pytest_kubelb.convergence import Target
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.evidence.limits import Limits
from pytest_kubelb.evidence.reading import Reading
from pytest_kubelb.load.command import Connections
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.matrix import Point
from pytest_kubelb.observing import Known, Observer
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.tuning.drift import drift

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_kubelb.evidence.watch import Watch
    from pytest_kubelb.observing import OnEvent
    from pytest_kubelb.record.finding import Finding
    from pytest_kubelb.settings import Settings


TARGET = Target(Point("ipvs", 1, "vxlan", "rps"), "http://192.168.0.111:8888/", "lb.test", ())
EXPECTED = {"rps_cpus eth0 rx-0": "1", "irq 25 virtio0-input.0": "0"}
CHANGED = {**EXPECTED, "rps_cpus eth0 rx-0": "0-1"}
RESULT = WrkResult(
    1000.0, 1000, 250_000, 1.0, Latency(80.0, 5.0, 200.0, {"50": 79.0}), SocketErrors(0, 0, 0, 0, 0)
)


class FewSettings:
    """Of the Settings, what a run needs."""

    connections = Connections(4, multiple_of_pods=True)
    duration = 1


class Readings:
    """Stands in for a Watch: gives the looks it was given, the last one again and again."""

    def __init__(self, *looks: Mapping[str, str] | TestbedError, boot_ids: tuple[str, ...] = ("a",)) -> None:
        self.looks = list(looks)
        self._boot_ids = list(boot_ids)
        self.read_count = 0

    def read(
        self,
        target: str,
        since: Mapping[str, Reading] | None = None,
        each: Callable[[str, Reading], None] | None = None,
    ) -> dict[str, Reading]:
        del since
        assert target in {TARGET.url, ""}
        at = self.read_count
        self.read_count += 1
        look = self.looks[min(at, len(self.looks) - 1)]
        if isinstance(look, TestbedError):
            raise look
        boot_id = self._boot_ids[min(at, len(self._boot_ids) - 1)]
        found = Reading(
            "k11",
            0.0,
            0.0,
            uptime_s=float(at),
            boot_id=boot_id,
            settings=look,
            missing=("ipvs: ip_vs is not loaded",),
        )
        if each is not None:
            each("k11", found)
        return {"k11": found}

    def close(self) -> None:
        pass


def run(validity: str = "valid") -> Sample:
    reason = "wrk ended" if validity == "failed" else None
    result = None if validity == "failed" else RESULT
    return Sample(TARGET.point.axes(), 1, 0, validity, reason, "2026-01-01T00:00:00Z", 1.0, "wrk", result)


def drifts(readings: Mapping[str, Reading]) -> tuple[Finding, ...]:
    found = (drift(name, EXPECTED, each.settings) for name, each in readings.items())
    return tuple(each for each in found if each is not None)


def observer(watch: Readings, limits: Limits | None = None) -> Observer:
    return watcher(watch, lambda *_: None, limits)


def watcher(watch: Readings, on_event: OnEvent, limits: Limits | None = None) -> Observer:
    known = Known({"load_balancer": ("k11",)}, {}, limits or Limits())
    return Observer(cast("Watch", watch), dict, drifts, known, on_event)


def observed(watching: Observer, validity: str = "valid") -> Sample:
    return watching.around(TARGET, cast("Settings", FewSettings()), lambda: run(validity)).sample


def drifts_of(sample: Sample) -> list[Finding]:
    return [each for each in sample.findings if each.signal == "tuning_drift"]


def test_a_run_without_drift_is_valid_and_its_evidence_is_a_line_of_the_file() -> None:
    seen = observer(Readings(EXPECTED)).around(TARGET, cast("Settings", FewSettings()), run)
    assert (seen.sample.validity, drifts_of(seen.sample)) == ("valid", [])
    assert seen.evidence is not None
    assert (seen.evidence["run"], seen.evidence["point"]) == (0, TARGET.point.axes())


@pytest.mark.parametrize(
    "looks",
    [(CHANGED, EXPECTED), (EXPECTED, CHANGED), (CHANGED, CHANGED)],
    ids=["before", "during", "all along"],
)
def test_a_drift_before_or_after_the_run_contaminates_it_and_is_told_once(
    looks: tuple[dict[str, str], ...],
) -> None:
    sample = observed(observer(Readings(*looks)))
    assert sample.validity == "contaminated"
    (finding,) = drifts_of(sample)
    assert "rps_cpus eth0 rx-0 is 0-1 (mask 3) and was set to 1 (mask 2)" in finding.sentence
    assert sample.reason == f"tuning_drift: {finding.sentence}"


def test_a_setting_that_no_profile_has_set_is_told_by_the_evidence() -> None:
    sample = observed(observer(Readings(EXPECTED, {**EXPECTED, "governor cpu0": "powersave"})))
    assert sample.validity == "contaminated"
    assert "governor cpu0 from absent to powersave" in str(sample.reason)


def test_a_host_that_was_started_again_is_told_as_that_and_not_as_a_drift() -> None:
    sample = observed(observer(Readings(EXPECTED, CHANGED, boot_ids=("a", "b"))))
    assert "the host was started again" in str(sample.reason)
    assert len(drifts_of(sample)) == 1


def test_after_a_host_was_started_again_no_run_is_made() -> None:
    watching = observer(Readings(EXPECTED, boot_ids=("a", "b")))
    observed(watching)
    assert "host k11 was started again while this session held it" in str(watching.restarted)
    with pytest.raises(TestbedError, match="k11 was started again"):
        observed(watching)


def test_one_that_did_not_answer_after_the_run_says_before_the_next_that_it_was_started_again() -> None:
    watching = observer(Readings(EXPECTED, TestbedError("k11 is gone"), EXPECTED, boot_ids=("a", "a", "b")))
    assert observed(watching).validity == "failed"
    with pytest.raises(TestbedError, match="k11 was started again"):
        observed(watching)


def test_a_host_that_was_started_again_between_two_points_is_told_on_request() -> None:
    watching = observer(Readings(EXPECTED, EXPECTED, EXPECTED, TestbedError("k11 is gone")))
    observed(watching)
    assert watching.look_for_restart() is None, "as it was"
    assert watching.look_for_restart() is None, "not known: it does not answer"
    watching = observer(Readings(EXPECTED, boot_ids=("a", "a", "b")))
    observed(watching)
    assert "k11 was started again" in str(watching.look_for_restart())


def test_the_limit_of_drift_holds_for_the_tuning_as_for_the_evidence() -> None:
    for limits in (Limits(tuning_drift=None), Limits(tuning_drift=1.0)):
        sample = observed(observer(Readings(EXPECTED, CHANGED), limits))
        assert (sample.validity, drifts_of(sample)) == ("valid", [])


def test_a_warm_up_run_stays_one_and_a_failed_run_keeps_its_reason() -> None:
    assert observed(observer(Readings(CHANGED)), "warmup").validity == "warmup"
    failed = observed(observer(Readings(CHANGED)), "failed")
    assert (failed.validity, failed.reason) == ("failed", "wrk ended")
    assert len(drifts_of(failed)) == 1


def test_a_host_that_is_lost_before_the_run_stops_it_and_afterwards_fails_it() -> None:
    with pytest.raises(TestbedError, match="k11 is gone"):
        observed(observer(Readings(TestbedError("k11 is gone"))))
    sample = observed(observer(Readings(EXPECTED, TestbedError("k11 is gone"))))
    assert sample.validity == "failed"
    assert sample.reason == "what the hosts counted is not known after the run: k11 is gone"
    assert sample.result == RESULT


def test_a_fresh_reading_also_serves_as_the_one_before_the_next_run() -> None:
    watch = Readings(EXPECTED)
    watching = observer(watch)
    observed(watching)
    observed(watching)
    assert watch.read_count == 3
    watching.around(
        Target(TARGET.point, TARGET.url, "another", ()), cast("Settings", FewSettings()), run
    )  # of another target: nothing is known from before
    assert watch.read_count == 5


def test_settings_and_what_is_counted_without_load_are_told_once_for_a_tuning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pytest_kubelb.observing.REST_S", 0.0)
    told: list[tuple[str, Mapping[str, object]]] = []
    watch = Readings(EXPECTED)
    watching = watcher(watch, lambda name, details: told.append((name, details)))
    watching.look_at_rest(TARGET)
    watching.look_at_rest(TARGET)
    assert [name for name, _ in told] == ["settings", "at_rest"]
    assert told[0][1] == {"tuning": "rps", "hosts": {"k11": EXPECTED}}
    observed(watching)  # the last look is fresh
    assert watch.read_count == 3
