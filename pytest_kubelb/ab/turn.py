"""One side when it is its turn: bring it up where the other has just been, prove it, run wrk. Touches the testbed.

Sides that lead to different places (ipvs and proxy, two ports) stay programmed side by side. Sides that lead to the
same one take it over from each other: what differs is changed in one batch that is read back.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_kubelb import measuring, readiness
from pytest_kubelb.convergence import ANSWER_TIMEOUT_S, HOST_HEADER, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kubelb.backends.base import Backend
    from pytest_kubelb.cluster.endpoints import Endpoint
    from pytest_kubelb.errors import TestbedError
    from pytest_kubelb.holding import OnEvent
    from pytest_kubelb.matrix import Point
    from pytest_kubelb.measuring import LoadGenerator
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.testbed.hosts import Host


class OpenSide:
    """A side whose pods run."""

    def __init__(
        self,
        letter: str,
        point: Point,
        benchmarker: Host,
        backend: Backend,
        load: LoadGenerator,
        endpoints: Sequence[Endpoint],
        tune: Callable[[str], None],
        check_lock: Callable[[], None],
        on_event: OnEvent,
    ) -> None:
        """`tune` brings the hosts to the tuning profile of that name, unless they are there.

        `check_lock` raises TestbedError when the testbed is not this session's any more.
        """
        self.letter = letter
        self._benchmarker = benchmarker
        self._backend = backend
        self._load = load
        self._tune = tune
        self._check_lock = check_lock
        self._on_event = on_event
        self._target = Target(point, backend.url, HOST_HEADER, tuple(endpoints))
        self._other: Backend = backend

    @property
    def axes(self) -> dict[str, str | int]:
        """The point of its samples: that of the matrix, and the side."""
        return {**self._target.point.axes(), "side": self.letter}

    def meet(self, other: OpenSide) -> None:
        """Know the side that it takes turns with."""
        self._other = other._backend

    def converge(self) -> None:
        """Return when each pod has answered through this side's way; raises TestbedError when one does not."""
        started = time.monotonic()
        self._tune(self._target.point.tuning)
        self._backend.take_over(self._other)
        self._backend.program(self._target.endpoints)
        self._backend.activate()
        programmed = time.monotonic()
        addresses = [endpoint.ip for endpoint in self._target.endpoints]
        readiness.prove(
            self._benchmarker, self._target.url, HOST_HEADER, addresses, timeout_s=ANSWER_TIMEOUT_S
        )
        seconds = {"program_s": programmed - started, "prove_s": time.monotonic() - programmed}
        self._on_event(
            "converged", {"point": self.axes, **{name: round(value, 4) for name, value in seconds.items()}}
        )

    def run(self, settings: Settings, *, number: int, warmup: bool) -> Sample:
        """Run wrk once. Raises TestbedError when the testbed is lost, also to another session meanwhile."""
        self._check_lock()
        sample = self._load.run(self._target, settings, number=number, warmup=warmup)
        self._check_lock()
        return replace(sample, point=self.axes)

    def lost(self, cause: TestbedError, *, number: int) -> Sample:
        """Give the sample of a run that the testbed took away."""
        return replace(measuring.lost(self._target, cause, number=number), point=self.axes)
