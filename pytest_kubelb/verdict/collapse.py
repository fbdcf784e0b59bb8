"""Collapses and stalls: where a path broke under load, and how long it was gone. Pure; touches nothing.

A collapse is a run below 0.8 of the median of its point. What breaks the path breaks it at one moment: the
run before carried its median until then and nothing afterwards, so a run of d seconds that reached the
fraction f of its median broke f d seconds after its start. The run after it cannot connect and waits; only
its wall time shows that, because wrk is retried until it answers, and its last d seconds are a whole run.
The outage lies between the two moments. On the published kube-proxy runs this gives 299 to 317 s for all
28 stalls, whatever the depth of the dip before: the model is checked by that agreement.

Nothing is said to have broken within a run that reached its median, nor is a stall laid to a run that ended long before
it: what happened between the runs of two logs was not seen.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

COLLAPSED_BELOW: Final = 0.8
"""Fraction of the point's median below which a run is called collapsed."""
BROKEN_BELOW: Final = 0.95
"""Fraction of the point's median from which a run is taken for whole, also when the next one stalled: a path that broke
in a run's last seconds leaves 0.92 on the published runs."""
_STALL_SHARE: Final = 0.25
_STALL_LEAST_S: Final = 5.0
_NEXT_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Timed:
    """One run that measured for its full duration."""

    point: Hashable
    """What tells its point from others."""
    rps: float
    started_s: float
    """Epoch."""
    wall_s: float
    """Seconds from its start to its end, retries included."""
    duration_s: float
    """Seconds it measured for, which are the last of them."""


@dataclass(frozen=True)
class Break:
    """A run that collapsed, or that is below `BROKEN_BELOW` and after which the next one stalled."""

    run: int
    """Its index in the runs that were given."""
    fraction: float
    """Its rps by the median of its point."""
    collapsed: bool
    """Whether it is below `COLLAPSED_BELOW`; a break in a run's last seconds leaves less of a dip."""
    stalled: int | None
    """Index of the next run, when that one stalled."""
    waited_s: float | None
    """How much longer than its duration the stalled run took."""
    outage_s: float | None
    """Seconds from the break to the moment from which the path carried again."""


def stall_limit_s(duration_s: float) -> float:
    """Give the wall time above which a run of `duration_s` stalled: a quarter, and at least 5 s, longer.

    wrk itself ends within a second of its time; whole seconds of a clock and a probe before it take 2 more.
    """
    return duration_s + max(_STALL_SHARE * duration_s, _STALL_LEAST_S)


def breaks(runs: Sequence[Timed]) -> list[Break]:
    """Give the breaks among the runs through one load balancer in one session, in the order of time.

    `runs` may be in any order; the next run is the next in time, whatever its point.
    """
    by_point: dict[Hashable, list[float]] = {}
    for run in runs:
        by_point.setdefault(run.point, []).append(run.rps)
    medians = {point: statistics.median(rps) for point, rps in by_point.items()}
    order = sorted(range(len(runs)), key=lambda index: runs[index].started_s)
    found = []
    for rank, index in enumerate(order):
        following = order[rank + 1] if rank + 1 < len(order) else None
        run, median = runs[index], medians[runs[index].point]
        fraction = run.rps / median if median > 0 else 1.0
        after = None if following is None else runs[following]
        if after is not None and fraction < BROKEN_BELOW and _waited(run, after):
            found.append(_stalled(index, run, fraction, following, after))
        elif fraction < COLLAPSED_BELOW:
            found.append(Break(index, fraction, True, None, None, None))
    return found


def _waited(run: Timed, after: Timed) -> bool:
    """Tell whether the next run stalled, by its own wall time, and began soon enough for `run` to tell why."""
    gap_s = after.started_s - (run.started_s + run.wall_s)
    return after.wall_s > stall_limit_s(after.duration_s) and gap_s <= max(run.duration_s, _NEXT_WITHIN_S)


def _stalled(index: int, run: Timed, fraction: float, following: int | None, after: Timed) -> Break:
    measured_from_s = run.started_s + run.wall_s - run.duration_s
    broke_s = measured_from_s + min(fraction, 1.0) * run.duration_s
    carried_s = after.started_s + after.wall_s - after.duration_s
    return Break(
        run=index,
        fraction=fraction,
        collapsed=fraction < COLLAPSED_BELOW,
        stalled=following,
        waited_s=after.wall_s - after.duration_s,
        outage_s=max(carried_s - broke_s, 0.0),
    )
