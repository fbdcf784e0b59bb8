"""How fast `kubelb gate` judges a large history. Touches a temporary folder, and the gate as a process of its own.

The records are synthetic, in the lines that pytest writes. `history`: 18,000 runs in a hundred earlier sessions of
18 points, and one session of the same that is compared with all of them. `one_session`: the session that is judged has
18,000 runs itself, at 1,800 points, and the hundred earlier ones are as before. `questions`: cells of the same size,
asked on stdin.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.lines import SessionEnd, SessionStart, line_to_json
from pytest_kubelb.record.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kubelb.record.lines import Line

SESSIONS: Final = 100
POINTS: Final = 18
RUNS: Final = 10
MANY_POINTS: Final = 1800
MOST_S: Final = 2.0
MOST_MIB: Final = 300.0
_REPEATS: Final = 3
_QUESTIONS: Final = 200
_GATE: Final = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class _Spent:
    wall_s: float
    cpu_s: float
    peak_mib: float
    """At least that of this process, from which it is forked."""
    exit_code: int


def figures() -> Iterator[dict[str, object]]:
    """Give each figure as the fields of its JSON line, without the machine."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        chance = random.Random(18_000)  # noqa: S311 - to be had again
        for number in range(SESSIONS):
            _write(root, number, POINTS, chance)
        _write(root, SESSIONS, POINTS, chance)
        yield from _judged("gate_history", root, runs=(SESSIONS + 1) * POINTS * RUNS)
        _write(root, SESSIONS + 1, MANY_POINTS, chance)
        yield from _judged("gate_one_session", root, runs=(SESSIONS * POINTS + MANY_POINTS) * RUNS)
    yield from _questions(chance)


def _judged(name: str, root: Path, *, runs: int) -> Iterator[dict[str, object]]:
    words = ["gate", "--root", str(root), "--baseline", f"last:{SESSIONS}", "--format", "json"]
    spent = [_spend(words) for _ in range(_REPEATS)]
    details: dict[str, object] = {
        "runs_read": runs,
        "baseline_sessions": SESSIONS,
        "cpu_s": round(statistics.median(each.cpu_s for each in spent), 3),
        "all_s": [round(each.wall_s, 3) for each in spent],
        "exit_code": spent[0].exit_code,
    }
    yield _figure(f"{name}_s", statistics.median(each.wall_s for each in spent), "s", MOST_S, details)
    yield _figure(f"{name}_peak", max(each.peak_mib for each in spent), "MiB", MOST_MIB, {})


def _questions(chance: random.Random) -> Iterator[dict[str, object]]:
    cell = {
        "baseline": [[chance.gauss(40000, 400) for _ in range(RUNS)] for _ in range(5)],
        "candidate": [chance.gauss(40000, 400) for _ in range(RUNS)],
    }
    text = (json.dumps(cell) + "\n").encode()
    one, many = (_spend(["gate", "--jsonl", "-"], text * count) for count in (1, 1 + _QUESTIONS))
    each_ms = 1000 * (many.wall_s - one.wall_s) / _QUESTIONS
    details: dict[str, object] = {"start_s": round(one.wall_s, 3)}
    yield _figure("gate_question", each_ms, "ms", None, details)


def _spend(words: Sequence[str], questions: bytes = b"") -> _Spent:
    """Run the gate. Raises RuntimeError when it gives no answer: a failure is fast, and no figure."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        stdin.write(questions)
        stdin.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", _GATE, *words], stdin=stdin, stdout=stdout)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        answered = b'"verdict"' in stdout.read()
    if not answered:
        raise RuntimeError(f"kubelb {' '.join(words)} gave no verdict, and exit code {process.returncode}")
    return _Spent(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode)


def _write(root: Path, number: int, points: int, chance: random.Random) -> None:
    month, day = divmod(number, 28)
    session = f"2026{1 + month:02}{1 + day:02}T120000Z-{number:04x}"
    folder = root / ".kubelb" / session
    folder.mkdir(parents=True)
    settings = {
        name: {"value": value, "origin": "default"} for name, value in (("passes", "1"), ("runs", str(RUNS)))
    }
    lines: list[Line] = [
        SessionStart(session, "2026-01-01T12:00:00.000+00:00", {"testbed": "rack"}, settings)
    ]
    for index in range(points):
        pods, backend = divmod(index, 2)
        level = 40000 * (1 + index % POINTS) * chance.gauss(1, 0.005)
        point: dict[str, str | int] = {
            "backend": ("ipvs", "proxy")[backend],
            "pods": 1 + pods,
            "overlay": "vxlan",
        }
        lines += [_sample(point, run, level * chance.gauss(1, 0.01)) for run in range(RUNS)]
    lines.append(SessionEnd("2026-01-01T13:00:00.000+00:00", 0))
    text = "".join(json.dumps(line_to_json(line), separators=(",", ":")) + "\n" for line in lines)
    (folder / "record.jsonl").write_text(text)


def _sample(point: dict[str, str | int], run: int, rps: float) -> Sample:
    percentiles = {
        name: 80.0 + place for place, name in enumerate(("50", "75", "90", "95", "99", "99.9", "99.99"))
    }
    result = WrkResult(
        rps,
        round(60 * rps),
        round(60 * rps) * 160,
        60.0,
        Latency(83.2, 39.9, 1550.0, percentiles),
        SocketErrors(0, 0, 0, 0, 0),
    )
    command = "wrk -c800 -t40 -d60s --latency -H 'Host: 192.168.0.111:8888' http://192.168.0.111:8888/"
    return Sample(point, 1, run, "valid", None, "2026-01-01T12:00:01.000+00:00", 60.02, command, result)


def _figure(
    name: str, value: float, unit: str, at_most: float | None, details: dict[str, object]
) -> dict[str, object]:
    return {
        "figure": name,
        "value": value,
        "unit": unit,
        "at_least": None,
        "at_most": at_most,
        "reached": None if at_most is None else value <= at_most,
        "details": details,
    }
