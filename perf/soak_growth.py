"""From what was counted after each run to a slope with its interval, and whether that is growth. Pure: touches nothing.

The slope is that of an ordinary least-squares line through the means of 20 blocks of runs, with Student's t for its
95 % interval (`testbed_figures.slope_of`), after the first fifth of the runs. Points of a sweep differ in what they
need (a pod is three processes), so each count is first freed of what its cell of the matrix adds to the mean of all.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

from perf.testbed_figures import BLOCKS, WARM_UP, slope_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from pytest_kubelb.record.sample import Sample

METHOD: Final = (
    f"OLS over the means of {BLOCKS} blocks, Student's t, after the first {WARM_UP:.0%} of the runs"
)
FEWEST_RUNS: Final = 1000
"""With fewer there is no verdict: pools, caches and the connections that the kernel remembers are still filling."""
# By how much each may grow in 1,000 runs before it matters: a sweep of seven hours has 2,500 runs of ten seconds, and
# 18,000 runs are the longest session that the reports are made for.
LIMITS: Final[Mapping[str, tuple[float, str]]] = {
    # No run is kept, and of an item what tests/surface/test_memory.py allows: its reports, properties and statistics,
    # 20 KiB at most. 1,000 runs of the soak are 200 items, so 3.9 MiB, and 160 bytes for each run.
    "rss_pytest": (4.0, "MiB"),
    "rss_holder": (4.0, "MiB"),
    "fds_pytest": (0.5, "descriptors"),
    "fds_holder": (0.5, "descriptors"),
    "threads_pytest": (0.5, "threads"),
    "threads_holder": (0.5, "threads"),
    "processes_lab": (0.5, "processes"),
    "conntrack_k11": (1000.0, "entries"),  # of 131,072
    "conntrack_k12": (1000.0, "entries"),
    "seconds_per_point": (0.02, "of the mean"),
}


def figures(samples: Sequence[Sample], counts: Sequence[Mapping[str, float]]) -> Iterator[dict[str, object]]:
    """Give the fields of one JSON line for each count, and for the seconds from one point to the next."""
    validity = Counter(sample.validity for sample in samples)
    about: dict[str, object] = {"runs": len(samples), "validity": dict(validity), "method": METHOD}
    cells = [tuple(sample.point.values()) for sample in samples]
    for name, (limit, unit) in LIMITS.items():
        if name == "seconds_per_point":
            of, seconds = _seconds(samples)
            mean = statistics.fmean(seconds)
            per_run = len(seconds) / len(samples)
            freed = [each / mean for each in without_cells(seconds, of)]
            yield growth(name, freed, per_run, limit, unit, {**about, "mean_s": round(mean, 3)})
        elif counts and name in counts[0]:
            values = [each[name] for each in counts]
            yield growth(name, without_cells(values, cells[: len(values)]), 1.0, limit, unit, about)
        else:
            why = {
                **about,
                "why": "it is not counted there: its network namespace has no connection tracking",
            }
            yield _line(name, None, limit, unit, None, why)


def growth(
    name: str, values: Sequence[float], per_run: float, limit: float, unit: str, about: Mapping[str, object]
) -> dict[str, object]:
    """Judge one row of values, of which there are `per_run` for each run.

    It grows when the whole interval is above zero and the slope above the limit; it does not when the whole interval is
    below the limit. Anything between is unclear: more runs would tell.
    """
    later = values[int(WARM_UP * len(values)) :]
    # A straight line through one value repeated has no error that could be estimated from it.
    found = slope_of(later) if len(set(later)) > 1 else (0.0, 0.0)
    slope, half = (each * 1000 * per_run for each in found)
    verdict = "unclear"
    if len(values) / per_run < FEWEST_RUNS:
        verdict = "too few runs"
    elif slope - half > 0 and slope > limit:
        verdict = "growth"
    elif slope + half <= limit:
        verdict = "none"
    details = {
        **about,
        "verdict": verdict,
        "interval_95": [_shown(slope - half), _shown(slope + half)],
        "first": round(values[0], 3),
        "last": round(values[-1], 3),
    }
    reached = {"growth": False, "none": True}.get(verdict)
    return _line(name, _shown(slope), limit, unit, reached, details)


def without_cells(values: Sequence[float], cells: Sequence[Hashable]) -> list[float]:
    """Give the values, each without what those of its cell have above the mean of all."""
    of_cell = defaultdict(list)
    for value, cell in zip(values, cells, strict=True):
        of_cell[cell].append(value)
    mean = statistics.fmean(values)
    above = {cell: statistics.fmean(own) - mean for cell, own in of_cell.items()}
    return [value - above[cell] for value, cell in zip(values, cells, strict=True)]


def _seconds(samples: Sequence[Sample]) -> tuple[list[Hashable], list[float]]:
    """Give for each point but the last its cell, and the seconds from its first run to the next one's."""
    firsts: list[tuple[Hashable, float]] = []
    place: object = None
    for sample in samples:
        cell = tuple(sample.point.values())
        if (cell, sample.provisioning) != place:
            place = (cell, sample.provisioning)
            firsts.append((cell, datetime.fromisoformat(sample.started).timestamp()))
    after = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(firsts)]
    return [cell for cell, _ in firsts[:-1]], after


def _shown(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _line(
    name: str,
    value: float | None,
    limit: float,
    unit: str,
    reached: bool | None,
    details: Mapping[str, object],
) -> dict[str, object]:
    return {
        "figure": f"soak_{name}",
        "value": value,
        "unit": f"{unit} per 1,000 runs",
        "at_least": None,
        "at_most": limit,
        "reached": reached,
        "details": dict(details),
    }
