"""The matrix: points, their ids, their order, and what a sweep will take. Pure: touches nothing."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

# What a sweep costs besides wrk, in seconds. Estimates for the plan's ETA only, from the targets that perf/
# measures: lab ready <= 7 s, scaling 1 -> 40 pods <= 2 s over a whole sweep's steps, evidence and record
# around one run some tens of ms; an overlay is changed by restarting flannel on every node.
START_S = 7.0
CONVERGE_S = 0.5
OVERLAY_S = 5.0
RUN_S = 0.1


@dataclass(frozen=True)
class Point:
    """One cell of the matrix, one pytest item."""

    backend: str
    """`ipvs`, `proxy`, ..."""
    pods: int
    """1..n."""
    overlay: str
    """`vxlan`, `host-gw`."""
    tuning: str = "none"
    """Name of a tuning profile; `none` changes nothing."""
    provisioning: int = 1
    """1.. : the pass of the sweep. Not an axis: it says which set-up from nothing the point belongs to."""

    def axes(self) -> dict[str, str | int]:
        """Give what tells this cell from the others, as the marker and the record name it."""
        return {
            "backend": self.backend,
            "pods": self.pods,
            "overlay": self.overlay,
            "tuning": self.tuning,
        }


@dataclass(frozen=True)
class Measurement:
    """One item's share of the plan: a point and what is run at it."""

    point: Point
    runs: int
    warmup: int
    duration_s: int
    id: str = ""
    """As in the item's brackets."""


@dataclass(frozen=True)
class Step:
    """One visit of the plan: what is measured, and how the testbed gets there."""

    measurement: Measurement
    before: Point | None
    """The point of the step before; None for the first."""

    @property
    def changes(self) -> dict[str, tuple[str | int, str | int]]:
        """Axis -> (value before, value here), of those that differ; empty for the first step."""
        if self.before is None:
            return {}
        here = self.measurement.point.axes()
        return {
            axis: (value, here[axis]) for axis, value in self.before.axes().items() if value != here[axis]
        }

    @property
    def anew(self) -> bool:
        """Nothing is taken over from the step before: it is the first, or the first of a pass."""
        return self.before is None or self.before.provisioning != self.measurement.point.provisioning

    @property
    def runs(self) -> int:
        """Warm-up runs included."""
        return self.measurement.runs + self.measurement.warmup

    @property
    def wrk_s(self) -> float:
        """Seconds inside wrk."""
        return float(self.runs * self.measurement.duration_s)

    @property
    def converge_s(self) -> float:
        """Seconds from the step before to the first run, an estimate: see the constants of this module."""
        start_s = START_S if self.before is None else 0.0
        switch_s = OVERLAY_S if "overlay" in self.changes else 0.0
        return start_s + switch_s + (CONVERGE_S if self.anew or self.changes else 0.0)

    @property
    def eta_s(self) -> float:
        """Seconds in all, an estimate likewise."""
        return self.converge_s + self.wrk_s + self.runs * RUN_S


@dataclass(frozen=True)
class Plan:
    """What a session is going to do, before anything is touched."""

    each: tuple[Point, ...]
    """Every point once, whatever its passes, in the order of the first visit."""
    runs: int
    """Warm-up runs included."""
    wrk_s: float
    """Seconds inside wrk."""
    eta_s: float
    """Seconds in all, an estimate: see the constants of this module."""
    steps: tuple[Step, ...] = ()
    """Every item, in the order in which they are visited."""

    @property
    def points(self) -> int:
        """Number of points."""
        return len(self.each)

    @property
    def changes(self) -> dict[str, int]:
        """How often each axis is changed on the way, the most often changed first; passes are not counted."""
        counts = Counter(axis for step in self.steps for axis in step.changes)
        return dict(counts.most_common())

    def __str__(self) -> str:
        return (
            f"{self.points} {'point' if self.points == 1 else 'points'}, {self.runs} runs with warm-up, "
            f"about {clock(self.eta_s)} ({clock(self.wrk_s)} of it inside wrk)"
        )


def grid(
    backends: Iterable[str],
    pods: Iterable[int],
    overlays: Iterable[str],
    tunings: Iterable[str] = ("none",),
    passes: int = 1,
) -> tuple[Point, ...]:
    """Give every point once, in the order pass, overlay, tuning, backend, pods."""
    cells = product(range(1, passes + 1), overlays, tunings, backends, pods)
    return tuple(
        Point(backend, count, overlay, tuning, number) for number, overlay, tuning, backend, count in cells
    )


def pods_label(pods: int, most: int) -> str:
    """Give `pods04`: zero-padded to two digits, or as many as `most` needs, so that text sorts as numbers."""
    return f"pods{pods:0{max(2, len(str(most)))}d}"


def ids(points: Sequence[Point]) -> list[str]:
    """Give one id for each point, unique among them: `ipvs-vxlan-pods04`, `ipvs-rps-pods04`, `ipvs-pods04-pass2`.

    Overlay, tuning and pass are shown only where they vary: backend and pods always are.
    """
    most = max((point.pods for point in points), default=1)
    overlays = {point.overlay for point in points}
    tunings = {point.tuning for point in points}
    passes = {point.provisioning for point in points}

    def label(point: Point) -> str:
        parts = [point.backend]
        parts += [point.overlay] if len(overlays) > 1 else []
        parts += [point.tuning] if len(tunings) > 1 else []
        parts.append(pods_label(point.pods, most))
        if len(passes) > 1:
            parts.append(f"pass{point.provisioning}")
        return "-".join(parts)

    return [label(point) for point in points]


def ordered(points: Collection[Point], order: str, seed: int) -> tuple[Point, ...]:
    """Give `points`, any subset of a matrix, each once, in the `order` paired, block or random.

    Passes always follow one another, since each is provisioned anew. Backends, overlays and tunings rank as they
    first appear in `points`. The random order of two points depends on `seed` and on them alone, so that
    a selection is visited in the same order as within the whole sweep.
    """
    unique = tuple(dict.fromkeys(points))
    rank = _Rank.of(unique)
    visit: list[Point] = []
    for number in sorted({point.provisioning for point in unique}):
        one_pass = [point for point in unique if point.provisioning == number]
        if order == "random":
            visit += sorted(one_pass, key=lambda point: _draw(point, seed))
        elif order == "block":
            visit += sorted(
                one_pass,
                key=lambda p: (
                    rank.overlay[p.overlay],
                    rank.tuning[p.tuning],
                    rank.backend[p.backend],
                    p.pods,
                ),
            )
        else:
            visit += _snake(one_pass, rank, reverse=number % 2 == 0)
    return tuple(visit)


def plan(measurements: Sequence[Measurement]) -> Plan:
    """Give the number of points and runs and the seconds that `measurements`, in this order, will take."""
    points = [each.point for each in measurements]
    steps = tuple(map(Step, measurements, [None, *points]))
    return Plan(
        each=tuple(dict.fromkeys(replace(point, provisioning=1) for point in points)),
        runs=sum(step.runs for step in steps),
        wrk_s=sum(step.wrk_s for step in steps),
        eta_s=sum(step.eta_s for step in steps),
        steps=steps,
    )


def _snake(points: Sequence[Point], rank: _Rank, *, reverse: bool) -> list[Point]:
    """Walk the overlays, in each the pods up and down in turn, at each the tunings, the backends AB, BA, AB ...

    Neighbours in a whole matrix differ in one thing. Backends lie back to back at each pod count and tuning, and each
    goes first as often as the other, so that a steady drift favours neither; `reverse` starts with BA.
    """
    visit: list[Point] = []
    for index, overlay in enumerate(sorted({p.overlay for p in points}, key=rank.overlay.__getitem__)):
        here = [point for point in points if point.overlay == overlay]
        # An overlay starts where the one before it ended: at the same pods.
        for pods in sorted({point.pods for point in here}, reverse=index % 2 == 1):
            at_pods = [point for point in here if point.pods == pods]
            tunings = sorted({point.tuning for point in at_pods}, key=rank.tuning.__getitem__)
            # The next pod count starts with the tuning that the last one ended with.
            if visit and visit[-1].tuning == tunings[-1]:
                tunings.reverse()
            for tuning in tunings:
                there = sorted(
                    (p for p in at_pods if p.tuning == tuning), key=lambda p: rank.backend[p.backend]
                )
                if visit and visit[-1].backend in (there[0].backend, there[-1].backend):
                    reverse = visit[-1].backend != there[0].backend
                visit += there[::-1] if reverse else there
    return visit


@dataclass(frozen=True)
class _Rank:
    """Which overlay, tuning and backend comes before another."""

    overlay: dict[str, int]
    tuning: dict[str, int]
    backend: dict[str, int]

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Rank:
        overlays = dict.fromkeys(point.overlay for point in points)
        tunings = dict.fromkeys(point.tuning for point in points)
        backends = dict.fromkeys(point.backend for point in points)
        return cls(
            {name: index for index, name in enumerate(overlays)},
            {name: index for index, name in enumerate(tunings)},
            {name: index for index, name in enumerate(backends)},
        )


def _draw(point: Point, seed: int) -> tuple[float, str]:
    tuning = "" if point.tuning == "none" else f"{point.tuning}/"  # seeds of before the axis keep their order
    name = f"{point.provisioning}/{point.overlay}/{tuning}{point.backend}/{point.pods}"
    # Seeded on purpose, so that the order can be had again.
    return random.Random(f"{seed}/{name}").random(), name  # noqa: S311 - an order, no secret


def clock(seconds: float) -> str:
    """Give a time as people say it: `9 s`, `16 min 4 s`, `7 h 42 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    shown = [f"{hours} h"] if hours else []
    shown += [f"{minutes} min"] if minutes or hours else []
    return " ".join([*shown, f"{rest} s"]) if not hours else " ".join(shown)
