"""What `kubelb import` prints of a session. Pure: values in, lines out."""

from __future__ import annotations

import statistics
import textwrap
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_kubelb.text.spelling import rate
from pytest_kubelb.verdict.ceiling import at_ceiling
from pytest_kubelb.verdict.collapse import COLLAPSED_BELOW, Break, Timed, breaks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.record.imports.samples import Cell, Measured
    from pytest_kubelb.verdict.ceiling import Ceiling
    from pytest_kubelb.verdict.repeatability import Repeatability

LEGEND: Final = (
    "valid, mean, CV and verdict: of the valid runs; median: of all runs that measured for their full time, stalled "
    "ones included, because leaving those out would leave the collapses before them in; requests/s."
)
_HEADINGS: Final = ("pods", "pass", "runs", "valid", "median", "mean", "CV", "verdict")
_FULL: Final = ("valid", "stalled")
_WIDTH: Final = 110
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


class Path(NamedTuple):
    """What shares a load balancer's table and its outages."""

    backend: str
    overlay: str
    labels: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.backend, f"({self.overlay})", self.labels)))


def tables(runs: Sequence[Measured], judged: Mapping[Cell, Repeatability]) -> list[str]:
    """Give a table for each backend, its breaks below it, and the ratio of the backends."""
    lines: list[str] = []
    full = ceilings(runs)
    for path in dict.fromkeys(_path(cell) for cell in judged):
        own = [run for run in runs if _path(run.cell) == path]
        here = ", ".join(str(cell.pods) for cell in full if _path(cell) == path)
        flat = textwrap.wrap(
            f"at a ceiling, by their spread, which says nothing about the load balancer: {here} pods",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="  ",
        )
        lines += [str(path), *_table(own, judged), *(flat if here else []), *_breaks(own), ""]
    return [*lines, *_ratios(runs, full), *textwrap.wrap(LEGEND, _WIDTH)]


def ceilings(runs: Sequence[Measured]) -> dict[Cell, Ceiling]:
    """Give the cells whose valid runs hardly vary at the highest level of all backends: they share a link."""
    rates: dict[Cell, list[float]] = {}
    for run in runs:
        if run.validity == "valid" and run.rps is not None:
            rates.setdefault(run.cell, []).append(run.rps)
    return at_ceiling(rates)


def validities(runs: Sequence[Measured]) -> str:
    """Give `420 runs: 392 valid, 28 stalled`."""
    words = [run.validity for run in runs]
    parts = [f"{words.count(word)} {word}" for word in dict.fromkeys(["valid", *sorted(words)])]
    return f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}: {', '.join(parts)}"


def full_rates(runs: Sequence[Measured]) -> dict[Cell, list[float]]:
    """Give the requests/s of all runs that measured for their full time, by cell."""
    rates: dict[Cell, list[float]] = {}
    for run in runs:
        if run.validity in _FULL and run.rps is not None:
            rates.setdefault(run.cell, []).append(run.rps)
    return rates


def breaks_of(runs: Sequence[Measured]) -> list[tuple[Measured, Break, Measured | None]]:
    """Give the runs of one path that collapsed or made the next one stall, each with that next one."""
    full = [run for run in runs if run.validity in _FULL and run.rps is not None]
    # Without its time a run stands where its file has it, and can neither stall nor be stalled.
    timed = [
        Timed(run.cell, run.rps or 0.0, run.started_s or 0.0, _wall_s(run), run.duration_s) for run in full
    ]
    return [(full[one.run], one, None if one.stalled is None else full[one.stalled]) for one in breaks(timed)]


def _wall_s(run: Measured) -> float:
    return run.duration_s if run.started_s is None else max(run.wall_s, run.duration_s)


def _table(runs: Sequence[Measured], judged: Mapping[Cell, Repeatability]) -> list[str]:
    medians = {cell: statistics.median(rates) for cell, rates in full_rates(runs).items()}
    counts: dict[Cell, int] = {}
    for run in runs:
        counts[run.cell] = counts.get(run.cell, 0) + 1
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for cell, outcome in judged.items():
        if cell not in counts:
            continue
        rows.append(
            (
                str(cell.pods),
                str(cell.provisioning),
                str(counts[cell]),
                str(outcome.runs),
                rate(medians.get(cell)),
                rate(outcome.mean),
                "-" if outcome.cv is None else f"{outcome.cv:.2%}",
                outcome.verdict,
            )
        )
    if all(row[1] == "1" for row in rows[1:]):
        rows = [(row[0], *row[2:]) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join([*(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]])
        for row in rows
    ]


def _breaks(runs: Sequence[Measured]) -> list[str]:
    found = breaks_of(runs)
    if not found:
        return []
    collapsed = sum(one.collapsed for _, one, _ in found)
    outages = sorted(one.outage_s for _, one, _ in found if one.outage_s is not None)
    lines = [f"  {collapsed} collapsed (below {COLLAPSED_BELOW} of the median of their point)"]
    if outages:
        lines[0] += (
            f"; after {len(outages)} of all runs the next one stalled: the path carried again "
            f"{outages[0]:.0f}-{outages[-1]:.0f} s after it broke"
        )
    for run, one, following in found:
        after = ""
        if following is not None and one.waited_s is not None and one.outage_s is not None:
            after = (
                f"; run {following.run} at {following.cell.pods} pods then waited {one.waited_s:.0f} s, "
                f"and the path carried again {one.outage_s:.0f} s after it broke"
            )
        lines.append(
            f"    {run.cell.pods} pods run {run.run}: {rate(run.rps)} requests/s, {one.fraction:.2f} of the median"
            f"{after} ({run.place})"
        )
    return [wrapped for line in lines for wrapped in _wrapped(line)]


def _wrapped(line: str) -> list[str]:
    """Wrap a line, what follows two columns further in than it begins."""
    margin = line[: len(line) - len(line.lstrip())]
    # A name of a file stays whole, so that it can be copied.
    return textwrap.wrap(
        line.lstrip(),
        _WIDTH,
        initial_indent=margin,
        subsequent_indent=f"{margin}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _ratios(runs: Sequence[Measured], full: Mapping[Cell, Ceiling]) -> list[str]:
    """Give the ratio of the medians of each two backends, where both have the point; higher is the first one's.

    A ratio at a ceiling gets a star: it does not rank the backends.
    """
    flat = {(_path(cell), cell.pods) for cell in full}
    medians: dict[tuple[Path, int], list[float]] = {}
    for cell, rates in full_rates(runs).items():
        medians.setdefault((_path(cell), cell.pods), []).extend(rates)
    paths = list(dict.fromkeys(path for path, _ in medians))
    lines = []
    for one, other in combinations(paths, 2):
        if one[1:] != other[1:]:
            continue
        both = sorted(pods for path, pods in medians if path == one and (other, pods) in medians)
        pairs = [
            (pods, statistics.median(medians[one, pods]), statistics.median(medians[other, pods]))
            for pods in both
        ]
        stars = {pods: "*" if {(one, pods), (other, pods)} & flat else "" for pods in both}
        shown = [
            f"{pods}:{_NO_BREAK}{first / second:.3f}{stars[pods]}"
            for pods, first, second in pairs
            if second > 0
        ]
        if shown:
            told = " (* at a ceiling: no ranking)" if any(stars.values()) else ""
            text = f"median {one.backend}/{other.backend} by pods{told}  {', '.join(shown)}"
            wrapped = textwrap.wrap(text, _WIDTH, subsequent_indent="  ")
            lines += [*(line.replace(_NO_BREAK, " ") for line in wrapped), ""]
    return lines


def _path(cell: Cell) -> Path:
    return Path(cell.backend, cell.overlay, " ".join(f"{name}={value}" for name, value in cell.labels))
