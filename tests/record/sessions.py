"""Whole sessions to write for the tests of what reads many of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.session import FOLDER
from pytest_kubelb.record.writer import RecordWriter

from .lines import result, sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Axes = tuple[str, int]
"""Backend and pods."""
HOSTS: dict[str, object] = {
    "kernels": {"k11": "Linux 6.1.0 x86_64"},
    "hosts": {"k11": {"cpu": "Xeon", "cpus": 8, "nics": ["eth0 (e1000e, 1000 Mb/s)"], "memory_mib": 7900}},
}
SETTINGS: dict[str, object] = {
    "connections": {"value": "800", "origin": "default"},
    "duration": {"value": "60s", "origin": "default"},
}


def session_id(day: int) -> str:
    return f"202611{day:02}T120000Z-00{day:02}"


def axes(backend: str, pods: int) -> dict[str, str | int]:
    return {"backend": backend, "pods": pods, "overlay": "vxlan"}


def write_session(
    root: Path,
    day: int,
    points: Mapping[Axes, Sequence[float]] | None = None,
    *,
    exit_code: int | None = 0,
    facts: Mapping[str, object] | None = None,
    hosts: Mapping[str, object] | None = None,
    verdicts: Mapping[Axes, str] | None = None,
    bytes_each: int = 160,
) -> Path:
    """Write the record of a session of that day of November; `exit_code` None leaves its end out. Gives its folder.

    Each point has a warm-up run and a failed one besides those with the given requests/s.
    """
    folder = root / FOLDER / session_id(day)
    folder.mkdir(parents=True)
    started = f"2026-11-{day:02}T12:00:00.000+00:00"
    known = {"testbed": "rack", "versions": {"pytest_kubelb": "0.1.0"}, "lab_boot_s": day, **(facts or {})}
    with RecordWriter(folder / "record.jsonl", SessionStart(folder.name, started, known, SETTINGS)) as writer:
        writer.append(Event(started, "testbed", dict(HOSTS if hosts is None else hosts)))
        for (backend, pods), rps in ({("ipvs", 4): [40000.0, 41000.0]} if points is None else points).items():
            point = axes(backend, pods)
            writer.append(replace(sample(0, 1.0, "warmup"), point=point))
            for run, each in enumerate(rps):
                measured = replace(result(each), bytes=round(each) * bytes_each)
                writer.append(replace(sample(run, each), point=point, result=measured))
            writer.append(replace(sample(len(rps), validity="failed"), point=point))
            against = (verdicts or {}).get((backend, pods))
            figures = {"tolerance": 0.05, "against_baseline": against and {"verdict": against}}
            writer.append(Verdict(point, "repeatable", figures, None))
        if exit_code is not None:
            writer.append(SessionEnd(f"2026-11-{day:02}T12:10:00.000+00:00", exit_code))
    return folder
