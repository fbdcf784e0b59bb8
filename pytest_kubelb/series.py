"""All runs of one point: made, recorded, and made again where the baseline makes them suspect.

Touches the testbed and the record through what it is given.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_kubelb import recording, sampling, stash
from pytest_kubelb.errors import KubelbError, TestbedError
from pytest_kubelb.measuring import lost
from pytest_kubelb.observing import Observed
from pytest_kubelb.outcomes import Outcomes
from pytest_kubelb.record.sample import Sample, Series

if TYPE_CHECKING:
    import pytest

    from pytest_kubelb.convergence import Target
    from pytest_kubelb.fixtures import Testbed
    from pytest_kubelb.settings import Settings


_PROVISIONED: Final = frozenset({"errors", "pods_changed", "route_changed", "stalled"})
"""Signals that what the point was made of may be there no more, beside those of the path."""
DOUBTED: Final = "doubted"
"""The event that the next point is made from the ground up, and why."""


class PointRuns:
    """The runs of one item at one point."""

    def __init__(self, config: pytest.Config, testbed: Testbed, target: Target, settings: Settings) -> None:
        self._config = config
        self._testbed = testbed
        self._target = target
        self._settings = settings
        self._comparison = config.stash.get(stash.COMPARISON, None)
        self._progress = config.stash.get(stash.PROGRESS, None)
        self._keeping = config.stash.get(stash.KEEPING, None)
        self._earlier = config.stash.get(stash.OUTCOMES, Outcomes()).provisionings(target.point.axes())

    def make(self) -> Series:
        """Make and record the runs; when the baseline calls for it, again under a fresh provisioning.

        Ends early when the testbed is lost, which it then counts as.
        """
        self._look_at_rest()
        point = self._target.point
        series = Series(point.axes(), self._provisioning(self._target), self._settings.tolerance)
        if self._comparison:
            self._comparison.loaded(series.point, series.samples)
        while (
            self._comparison
            and not self._testbed.broken
            and self._comparison.wants_more(series, self._earlier, self._settings.max_drop)
        ):
            again = len(series.measured_anew) + 1
            # Beyond the passes, and apart for each of them.
            number = point.provisioning + again * self._settings.passes
            target = self._testbed.converge(replace(point, provisioning=number))
            if target is None:
                break
            series = replace(series, measured_anew=(*series.measured_anew, self._provisioning(target)))
        return series

    def _look_at_rest(self) -> None:
        observer = self._testbed.in_order().observer
        try:
            if observer:
                observer.look_at_rest(self._target)
        except TestbedError as error:
            self._testbed.break_(error)

    def _provisioning(self, target: Target) -> tuple[Sample, ...]:
        prior = self._comparison.prior(target.point.axes()) if self._comparison else None
        with self._progress.measuring() if self._progress else nullcontext():
            return sampling.sample(
                lambda index, warmup: self._run(target, index, warmup), self._settings, prior
            )

    def _still_ours(self, made: Observed) -> Observed:
        """Give the run; failed, and the session broken, when the testbed was lost while it ran.

        Somebody else took it, or a host was started again.
        """
        if self._testbed.broken:
            return made
        held = self._testbed.in_order()
        try:
            held.lock.check()
            if held.observer and held.observer.restarted:
                raise held.observer.restarted
        except TestbedError as error:
            self._testbed.break_(error)
            return replace(made, sample=replace(made.sample, validity="failed", reason=str(error)))
        return made

    def _doubt_after(self, sample: Sample) -> None:
        """Have the next point made from the ground up where this run gives reason to."""
        held = self._testbed.held
        if held is None or self._testbed.broken is not None or not _may_have_come_apart(sample):
            return
        if held.convergence.doubt():
            details = {"point": dict(sample.point), "run": sample.run, "why": sample.reason}
            recording.note(self._config.stash[stash.WRITER], DOUBTED, details)

    def _run(self, target: Target, index: int, warmup: bool) -> Sample | None:
        if self._testbed.broken:
            return None
        held = self._testbed.in_order()
        run = partial(
            self._config.hook.pytest_kubelb_run_load,
            config=self._config,
            load=held.load,
            target=target,
            settings=self._settings,
            number=index,
            warmup=warmup,
        )
        try:
            held.lock.check()
            made = (
                held.observer.around(target, self._settings, run) if held.observer else Observed(run(), None)
            )
        except TestbedError as error:
            self._testbed.break_(error)
            made = Observed(lost(target, error, number=index), None)
        except KeyboardInterrupt as interrupt:
            cause = TestbedError(f"interrupted by {str(interrupt) or 'SIGINT'} while it ran")
            with suppress(KubelbError):  # a full disk does not stop the putting back
                self._config.stash[stash.WRITER].append(lost(target, cause, number=index))
            raise
        made = self._still_ours(made)
        if self._keeping:
            self._keeping.run(made, held.load.printed)
        try:
            self._config.stash[stash.WRITER].append(made.sample)
            if made.evidence is not None:
                self._config.stash[stash.EVIDENCE].append(made.evidence)
            self._doubt_after(made.sample)
        except KubelbError as error:  # the disk is full: measuring on would lose every run
            self._testbed.break_(error)
        if self._progress:
            self._progress.run_finished(made.sample)
        return made.sample


def _may_have_come_apart(sample: Sample) -> bool:
    """Tell whether the run gives reason to make the next point from the ground up: pods or tables may have changed."""
    return sample.validity == "failed" or any(
        each.effect != "none" and (each.kind == "path" or each.signal in _PROVISIONED)
        for each in sample.findings
    )
