"""The matrix: points, their ids, their order, and what a sweep will take. Pure: touches nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise, product
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
    provisioning: int = 1
    """1.. : the pass of the sweep. Not an axis: it says which set-up from nothing the point belongs to."""

    def axes(self) -> dict[str, str | int]:
        """Give what tells this cell from the others, as the marker and the record name it."""
        return {"backend": self.backend, "pods": self.pods, "overlay": self.overlay}


@dataclass(frozen=True)
class Measurement:
    """One item's share of the plan: a point and what is run at it."""

    point: Point
    runs: int
    warmup: int
    duration_s: int


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

    @property
    def points(self) -> int:
        """Number of points."""
        return len(self.each)

    def __str__(self) -> str:
        return (
            f"{self.points} {'point' if self.points == 1 else 'points'}, {self.runs} runs with warm-up, "
            f"about {_clock(self.eta_s)} ({_clock(self.wrk_s)} of it inside wrk)"
        )


def grid(
    backends: Iterable[str], pods: Iterable[int], overlays: Iterable[str], passes: int = 1
) -> tuple[Point, ...]:
    """Give every point once, in the order pass, overlay, backend, pods."""
    cells = product(range(1, passes + 1), overlays, backends, pods)
    return tuple(Point(backend, count, overlay, number) for number, overlay, backend, count in cells)


def pods_label(pods: int, most: int) -> str:
    """Give `pods04`: zero-padded to two digits, or as many as `most` needs, so that text sorts as numbers."""
    return f"pods{pods:0{max(2, len(str(most)))}d}"


def ids(points: Sequence[Point]) -> list[str]:
    """Give one id for each point, unique among them: `ipvs-vxlan-pods04`, `ipvs-pods04`, `ipvs-pods04-pass2`.

    The overlay and the pass are shown only where they vary: backend and pods always are.
    """
    most = max((point.pods for point in points), default=1)
    overlays = {point.overlay for point in points}
    passes = {point.provisioning for point in points}

    def label(point: Point) -> str:
        parts = [point.backend, pods_label(point.pods, most)]
        if len(overlays) > 1:
            parts.insert(1, point.overlay)
        if len(passes) > 1:
            parts.append(f"pass{point.provisioning}")
        return "-".join(parts)

    return [label(point) for point in points]


def ordered(points: Collection[Point], order: str, seed: int) -> tuple[Point, ...]:
    """Give `points`, any subset of a matrix, each once, in the `order` paired, block or random.

    Passes always follow one another, since each is provisioned anew. Backends and overlays rank as they
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
                one_pass, key=lambda p: (rank.overlay[p.overlay], rank.backend[p.backend], p.pods)
            )
        else:
            visit += _snake(one_pass, rank, reverse=number % 2 == 0)
    return tuple(visit)


def plan(measurements: Sequence[Measurement]) -> Plan:
    """Give the number of points and runs and the seconds that `measurements`, in this order, will take."""
    runs = sum(each.runs + each.warmup for each in measurements)
    wrk_s = float(sum((each.runs + each.warmup) * each.duration_s for each in measurements))
    points = [each.point for each in measurements]
    each = dict.fromkeys(replace(point, provisioning=1) for point in points)
    changes = sum(before != after for before, after in pairwise(points))
    switches = sum(a.overlay != b.overlay for a, b in pairwise(points))
    start_s = START_S + CONVERGE_S if points else 0.0
    return Plan(
        each=tuple(each),
        runs=runs,
        wrk_s=wrk_s,
        eta_s=wrk_s + runs * RUN_S + changes * CONVERGE_S + switches * OVERLAY_S + start_s,
    )


def _snake(points: Sequence[Point], rank: _Rank, *, reverse: bool) -> list[Point]:
    """Walk the overlays, in each the pods up and down in turn, at each the backends AB, BA, AB ...

    Neighbours in a whole matrix differ in one thing. Backends lie back to back at each pod count, and each
    goes first as often as the other, so that a steady drift favours neither; `reverse` starts with BA.
    """
    visit: list[Point] = []
    for index, overlay in enumerate(sorted({p.overlay for p in points}, key=rank.overlay.__getitem__)):
        here = [point for point in points if point.overlay == overlay]
        # An overlay starts where the one before it ended: at the same pods.
        for pods in sorted({point.pods for point in here}, reverse=index % 2 == 1):
            there = sorted((p for p in here if p.pods == pods), key=lambda p: rank.backend[p.backend])
            if visit and visit[-1].backend in (there[0].backend, there[-1].backend):
                reverse = visit[-1].backend != there[0].backend
            visit += there[::-1] if reverse else there
    return visit


@dataclass(frozen=True)
class _Rank:
    """Which overlay, and which backend, comes before another."""

    overlay: dict[str, int]
    backend: dict[str, int]

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Rank:
        overlays = dict.fromkeys(point.overlay for point in points)
        backends = dict.fromkeys(point.backend for point in points)
        return cls(
            {name: index for index, name in enumerate(overlays)},
            {name: index for index, name in enumerate(backends)},
        )


def _draw(point: Point, seed: int) -> tuple[float, str]:
    name = f"{point.provisioning}/{point.overlay}/{point.backend}/{point.pods}"
    # Seeded on purpose, so that the order can be had again.
    return random.Random(f"{seed}/{name}").random(), name  # noqa: S311


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    shown = [f"{hours} h"] if hours else []
    shown += [f"{minutes} min"] if minutes or hours else []
    return " ".join([*shown, f"{rest} s"]) if not hours else " ".join(shown)
