"""Turn the runs of a session's files into samples. Touches the files, for reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_kubelb.load.result import WrkResult
from pytest_kubelb.record.imports.clock import iso
from pytest_kubelb.record.imports.run import Labels, Passes, axes
from pytest_kubelb.record.imports.sessions import runs_of
from pytest_kubelb.record.imports.validity import judge_run
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.record.imports.found import Found
    from pytest_kubelb.record.imports.run import ImportedRun
    from pytest_kubelb.record.imports.sessions import Choices, Group

MOST_RUNS: Final = 100_000
"""Runs of one import; what a larger one holds beyond them is left out, so that memory stays bounded."""


class Cell(NamedTuple):
    """What is judged together: a point in one provisioning."""

    backend: str
    pods: int
    overlay: str
    labels: Labels
    provisioning: int


class Measured(NamedTuple):
    """What the summary needs of a sample."""

    cell: Cell
    run: int
    validity: str
    rps: float | None
    started_s: float | None
    """None when the file does not say it."""
    wall_s: float
    duration_s: float
    place: str
    """`file:line`."""


@dataclass
class Reading:
    """What is known across the files of one import."""

    choices: Choices
    runs: int = 0
    seen: dict[bytes, str] = field(default_factory=dict)
    """A run's hash, and where it stands."""


def samples_of(group: Group, reading: Reading) -> Iterator[tuple[Sample, Measured]]:
    """Give the samples of a session, file by file, one at a time; what is odd is noted with its file."""
    next_run: dict[Cell, int] = {}
    for found in group.files:
        table = group.tables.get(found.path)
        backend = reading.choices.backend or found.name.backend
        if backend is None:
            found.dirt.note(
                1,
                "no backend",
                "its name tells no backend, so it is left out: give --backend NAME, or --backend-from WORD=NAME",
            )
            continue
        rates: dict[int, list[float]] = {}
        read = 0
        for cell, run in _runs(found, backend, reading):
            read += 1
            if table is not None and run.result is not None:
                rates.setdefault(cell.pods, []).append(run.result.rps)
            number = max(next_run.get(cell, 0), found.name.index or 0)
            next_run[cell] = number + 1
            yield _sample(found, cell, number, run)
        if not read:
            found.dirt.note(1, "no run", "no run of it is counted")
        if table is not None:
            _compare(table, rates, found)


def _runs(found: Found, backend: str, reading: Reading) -> Iterator[tuple[Cell, ImportedRun]]:
    """Give the runs that count, with their cells."""
    choices, passes = reading.choices, Passes(found.dirt)
    for run in runs_of(found, found.dirt, choices.duration_s):
        pods = run.pods or choices.pods or found.name.pods
        if pods is None:
            found.dirt.note(
                run.line,
                "pods unknown",
                "neither the run nor the file's name tells the pods: left out; give --pods N",
            )
            continue
        provisioning = passes.of(run.line, pods, run.labels)
        first = reading.seen.setdefault(_digest(pods, run), f"{found.shown}:{run.line}")
        if run.result is not None and run.result.bytes and first != f"{found.shown}:{run.line}":
            found.dirt.note(run.line, "same run", f"the same run as {first}, so it is not counted again")
            continue
        if reading.runs >= MOST_RUNS:
            found.dirt.note(
                run.line, "too many runs", f"more than {MOST_RUNS} runs: left out; import the rest apart"
            )
            return
        reading.runs += 1
        yield Cell(backend, pods, choices.overlay, run.labels, provisioning), run


def _sample(found: Found, cell: Cell, number: int, run: ImportedRun) -> tuple[Sample, Measured]:
    validity, reason = judge_run(run)
    result = run.result
    if result is not None:
        try:
            # The reader of records refuses numbers that are too large for a measure.
            WrkResult.from_json(result.to_json())
        except ValueError as error:
            validity, reason, result = "failed", f"a figure is out of range: {error}.", None
    if reason is not None:
        found.dirt.note(run.line, validity, f"the run is {validity}: {reason.rstrip('.')}")
    duration_s = 0.0 if result is None else result.duration_s
    wall_s = duration_s if run.wall_s is None else run.wall_s
    sample = Sample(
        point=axes(cell.backend, cell.pods, cell.overlay, cell.labels),
        provisioning=cell.provisioning,
        run=number,
        validity=validity,
        reason=reason,
        started=iso(found.modified_s if run.started_s is None else run.started_s),
        wall_s=wall_s,
        command=run.command,
        result=result,
    )
    rps = None if result is None else result.rps
    place = f"{found.shown}:{run.line}"
    return sample, Measured(cell, number, validity, rps, run.started_s, wall_s, duration_s, place)


def _digest(pods: int, run: ImportedRun) -> bytes:
    """Give what is the same for a run and its copy in another file; latencies alone make it unlike any other."""
    return hashlib.blake2b(
        repr((pods, run.labels, run.started_s, run.result)).encode(), digest_size=16
    ).digest()


def _compare(table: Found, rates: dict[int, list[float]], log: Found) -> None:
    """Note the rows of a table that disagree with the log beside it; the log is what counts."""
    for row in runs_of(table, table.dirt, None):
        known = rates.get(row.pods or 0, [])
        rps = None if row.result is None else row.result.rps
        if rps is None or not any(abs(rps - rate) <= 0.011 for rate in known):
            said = "no rate" if rps is None else f"{rps:.2f} requests/s"
            found = ", ".join(f"{rate:.2f}" for rate in known[:3]) or "none"
            table.dirt.note(
                row.line,
                "disagreement",
                f"the row says {said} for {row.pods} pods, and its log {log.shown} {found}: the log counts",
            )
