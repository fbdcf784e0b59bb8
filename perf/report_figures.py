"""What progress and reporting cost: every format from 18,000 made-up runs, that HTML in a browser, and a whole sweep.

Touches folders of its own, and subprocesses: each format is made by a process that does nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perf.figures import Figure
from pytest_kubelb.matrix import Measurement, Point, plan
from pytest_kubelb.report.formats import FORMATS
from pytest_kubelb.report.progress import Progress
from tests.report.html import made
from tests.report.html.chromium import PROGRAM, Chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PODS: Final = (1, *range(2, 41, 2))
BACKENDS: Final = ("ipvs", "proxy")
RUNS: Final = 10
PASSES: Final = 43
"""Times 42 points times 10 runs: 18,060 runs."""
_MEASURED: Final = r"""
import re, sys, time
from pathlib import Path
from pytest_kubelb.record.sources import Source
from pytest_kubelb.report import formats
began = time.process_time()
formats.Reports([Source(Path(sys.argv[1]), named=True)]).write(sys.argv[2], Path(sys.argv[3]))
taken = time.process_time() - began
most = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
print(taken, int(most[1]) / 1024)
"""
"""`ru_maxrss` would tell what the process before the exec held."""
_KUBELB: Final = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"
_MOST: Final = {"html": 3.0, "json": 2.0, "csv": 2.0, "parquet": 2.0}
"""CPU seconds; the others have no limit of their own."""
_MOST_MIB: Final = {"json": 500.0, "csv": 500.0, "parquet": 500.0}
_DIALOG_IS_OPEN: Final = "document.getElementById('runs').open"


def figures() -> Iterator[Figure]:
    """Give the cost of each format, of opening the HTML, and of progress and reports as a share of a sweep's time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = made.session(
            folder / "long", backends=BACKENDS, pods=PODS, runs=RUNS, passes=PASSES, evidence=True
        )
        _with_findings(record)
        for wanted in FORMATS:
            yield from _format(record, wanted, folder / f"report.{wanted}")
        yield _opened(folder / "report.html", folder / "profile")
        yield _share(folder)


def _with_findings(record: Path) -> None:
    """Give every run two findings, as a testbed with something to say does."""
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "sample":
            told = made.FINDING.to_json() | {"effect": "none"}
            line["findings"] = [told, told | {"signal": "frequency", "host": "k12"}]
    record.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def _format(record: Path, wanted: str, destination: Path) -> Iterator[Figure]:
    cpu_s, mib = _made(record, wanted, destination)
    details: dict[str, object] = {
        "runs": len(PODS) * len(BACKENDS) * RUNS * PASSES,
        "record_mb": round(record.stat().st_size / 1e6, 1),
        "evidence_mb": round(record.with_name("evidence.jsonl").stat().st_size / 1e6, 1),
        "of_report_mb": round(destination.stat().st_size / 1e6, 2),
    }
    yield Figure(f"report_{wanted}_18000_runs", cpu_s, "CPU s", at_most=_MOST.get(wanted), details=details)
    yield Figure(f"report_{wanted}_18000_runs_memory", mib, "MiB", at_most=_MOST_MIB.get(wanted))
    if wanted == "html":
        yield Figure("report_html_18000_runs_size", destination.stat().st_size / 1e6, "MB", at_most=10.0)


def _made(record: Path, wanted: str, destination: Path) -> tuple[float, float]:
    """Give the CPU seconds that a format took, the loading of its modules included, and the most memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, record, wanted, destination],
        capture_output=True,
        text=True,
        check=True,
    )
    cpu_s, mib = map(float, done.stdout.split())
    return cpu_s, mib


def _opened(report: Path, profile: Path) -> Figure:
    """Time opening the report until its script has run and a point of it has answered a click."""
    name = "report_html_18000_runs_opened"
    if PROGRAM is None:
        return Figure(name, None, "s", at_most=3.0, details={"why": "there is no Chromium here"})
    with Chromium(profile) as browser:
        began = time.perf_counter()
        browser.open(report)
        loaded_s = time.perf_counter() - began
        browser.run("document.querySelector('#table-points .link').click()")
        opened_s = time.perf_counter() - began
        if browser.messages or not browser.run(_DIALOG_IS_OPEN):
            raise RuntimeError(f"the report does not work: {browser.messages}")
    return Figure(name, opened_s, "s", at_most=3.0, details={"loaded_s": round(loaded_s, 2)})


def _share(folder: Path) -> Figure:
    """Give what progress and all formats take of a sweep of 42 points with 10 runs of one second, in per cent.

    Runs are seldom so short; longer ones make it less.
    """
    runs = len(PODS) * len(BACKENDS) * RUNS
    progress_s = _timed(_progress)
    record = made.session(folder / "sweep", backends=BACKENDS, pods=PODS, runs=RUNS)
    asked = [f"--{name}={folder / f'sweep.{name}'}" for name in FORMATS]
    command = [sys.executable, "-c", _KUBELB, "report", str(record), *asked]
    reports_s = _timed(lambda: subprocess.run(command, check=True, capture_output=True))
    details: dict[str, object] = {
        "runs": runs,
        "progress_s": round(progress_s, 3),
        "reports_s": round(reports_s, 2),
        "formats": list(FORMATS),
    }
    share = 100 * (progress_s + reports_s) / runs
    return Figure("progress_and_reporting", share, "% of the sweep", at_most=1.0, details=details)


def _progress() -> None:
    """Show every run of the sweep on a terminal that is read by nobody, as the run loop does."""
    points = [Point(backend, pods, "vxlan") for pods in PODS for backend in BACKENDS]
    steps = plan([Measurement(point, RUNS, 1, 1, str(point)) for point in points]).steps
    with Path(os.devnull).open("w", encoding="utf-8") as file:
        told = Progress(steps, _Nowhere(file.write))
        for index, point in enumerate(points):
            told.point_started(index)
            with told.measuring():
                for run in range(RUNS):
                    told.run_finished(made.sample(point.backend, point.pods, run, 1000.0 + run))
            told.point_finished()


class _Nowhere:
    """A line of 80 columns."""

    def __init__(self, write: Callable[[str], int]) -> None:
        self._write = write

    def show(self, compose: Callable[[int], str]) -> None:
        self._write(compose(80))

    def erase(self) -> None:
        self._write("\r")


def _timed(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
