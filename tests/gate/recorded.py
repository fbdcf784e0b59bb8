"""Recorded sessions for the tests of the gate: as pytest writes them, without waiting for the disk."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_kubelb.gate import verdicts
from pytest_kubelb.gate.outcome import Outcome, Rules
from pytest_kubelb.gate.session import Gatherer
from pytest_kubelb.record.lines import Line, SessionEnd, SessionStart, Verdict, line_to_json
from pytest_kubelb.record.sample import Sample
from tests.record.lines import result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Axes = tuple[str, int]
"""Backend and pods."""
STEADY = (40000.0, 40100.0, 39900.0, 40050.0, 39950.0)
"""CV 0.2 %."""
UNEVEN = (40000.0, 50000.0, 30500.0, 46000.0, 33000.0)
"""CV 20 %."""
UNSURE = (40000.0, 43000.0, 38000.0)
"""CV 6 %, which three runs leave between 4 and 19 %."""


def session_id(day: int) -> str:
    return f"202611{day:02}T120000Z-00{day:02}"


def axes(backend: str, pods: int) -> dict[str, str | int]:
    return {"backend": backend, "pods": pods, "overlay": "vxlan"}


def sample(
    point: Mapping[str, str | int], run: int, rps: float, validity: str = "valid", provisioning: int = 1
) -> Sample:
    return Sample(
        point=point,
        provisioning=provisioning,
        run=run,
        validity=validity,
        reason=None if validity in ("valid", "warmup") else "the benchmarker lost its route",
        started="2026-11-23T07:22:13Z",
        wall_s=60.02,
        command="wrk -c800 -t40 -d60s http://192.168.0.111:8888/",
        result=None if validity == "failed" else result(rps),
    )


def runs(
    point: Mapping[str, str | int], rps: Iterable[float], *, provisioning: int = 1, failed: int = 0
) -> list[Line]:
    """Give a warm-up run, the valid runs, and `failed` failed ones."""
    found: list[Line] = [sample(point, 0, 1.0, "warmup", provisioning)]
    found += [sample(point, run, each, provisioning=provisioning) for run, each in enumerate(rps)]
    found += [sample(point, 99, 0.0, "failed", provisioning)] * failed
    return found


def start(day: int = 1, **settings: object) -> SessionStart:
    given = {name: {"value": str(value), "origin": "default"} for name, value in settings.items()}
    return SessionStart(session_id(day), f"2026-11-{day:02}T12:00:00.000+00:00", {"testbed": "rack"}, given)


def lines(
    points: Mapping[Axes, Sequence[float]], day: int = 1, *, exit_code: int | None = 0, **settings: object
) -> list[Line]:
    """Give a whole session; `exit_code` None leaves its end out."""
    found: list[Line] = [start(day, **{"passes": 1, "runs": 5, **settings})]
    for (backend, pods), rps in points.items():
        found += runs(axes(backend, pods), rps)
    if exit_code is not None:
        found.append(SessionEnd(f"2026-11-{day:02}T12:10:00.000+00:00", exit_code))
    return found


def verdict(point: Mapping[str, str | int], provisioning: int = 1, **figures: object) -> Verdict:
    return Verdict(point, "repeatable", {"provisioning": provisioning, **figures}, None)


def write(root: Path, session: Sequence[Line]) -> Path:
    """Write a session under a root; gives its folder."""
    first = session[0]
    assert isinstance(first, SessionStart)
    folder = root / ".kubelb" / first.session
    folder.mkdir(parents=True)
    text = "".join(json.dumps(line_to_json(line)) + "\n" for line in session)
    (folder / "record.jsonl").write_text(text)
    return folder


def scaled(points: Mapping[Axes, Sequence[float]], factor: float) -> dict[Axes, list[float]]:
    return {key: [factor * each for each in rps] for key, rps in points.items()}


def judged(session: Iterable[Line], rules: Rules | None = None) -> Outcome:
    """Judge a session without a baseline."""
    gatherer = Gatherer()
    for _ in gatherer.watch(session):
        pass
    return verdicts.judge(gatherer.measured(), None, rules or Rules(), "record.jsonl")


def renamed(line: Line, point: Mapping[str, str | int]) -> Line:
    """Give a run of another point."""
    return replace(line, point=point) if isinstance(line, Sample) else line
