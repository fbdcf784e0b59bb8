"""What a long session makes grow: 2,000 short runs in a lab, with everything counted meanwhile that could pile up.

Touches a lab that it starts itself, one pytest process, and /proc for reading.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perf import soak_growth
from perf.figures import BENCH
from perf.soak_counting import Counting
from pytest_kubelb.lab import launch
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.testbed.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf.soak_counting import Counts
    from pytest_kubelb.lab.launch import Lab

RUNS: Final = int(os.environ.get("KUBELB_SOAK_RUNS", "2000"))
"""Fewer are for trying the figure out, and prove nothing."""
PODS: Final = (1, 2, 4, 8)
RUNS_OF_A_POINT: Final = 5
"""A warm-up run and four others."""
RUNS_OF_A_PASS: Final = 2 * len(PODS) * RUNS_OF_A_POINT  # both backends
WRK_S: Final = 0.2
# wrk takes whole seconds. Interrupted, it prints its report for the time it had: on this lab's benchmarker, and only
# there, the command called wrk is one that interrupts it. The plugin asks for a second and knows nothing of it.
_SHORTER: Final = f"""set -e
real=$(command -v wrk)
cp "$real" /tmp/whole-wrk
printf '#!/bin/sh\\nexec timeout --preserve-status --signal=INT {WRK_S} /tmp/whole-wrk "$@"\\n' >/tmp/wrk
chmod 755 /tmp/wrk
mount --bind /tmp/wrk "$real"
"""
_POLL_S: Final = 0.02
_LONGEST_RUN_S: Final = 20.0


def figures(runs: int = RUNS) -> Iterator[dict[str, object]]:
    """Give, for everything that could pile up, by how much it grows in 1,000 runs, with the verdict on it."""
    passes = max(2, round(runs / RUNS_OF_A_PASS))
    lab = launch.start(tied=True)
    try:
        with Hosts(lab.ssh_config, ["k11", "k12"]) as hosts, tempfile.TemporaryDirectory() as name:
            hosts["k12"].run(["sh", "-c", _SHORTER])
            samples, counts = _session(lab, hosts, Path(name), passes)
    finally:
        launch.stop(lab)
    yield from soak_growth.figures(samples, counts)


def _session(lab: Lab, hosts: Hosts, folder: Path, passes: int) -> tuple[list[Sample], list[Counts]]:
    """Run the session in `folder`, counting after every run; give its runs and the counts, one for each."""
    (folder / "test_rps.py").write_text(BENCH)
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = [
        f"--kubelb-inventory={lab.inventory}",
        f"--kubelb-pods={','.join(map(str, PODS))}",
        f"--kubelb-passes={passes}",
        f"--kubelb-runs={RUNS_OF_A_POINT - 1}",
        "--kubelb-duration=1s",
        "--kubelb-tolerance=100%",
    ]
    output = folder / "output"
    with output.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
            cwd=folder,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        counts = _follow(process, folder, Counting(process.pid, lab.facts.init_pid, hosts))
    finally:
        process.terminate()
        process.wait()
    records = list(folder.glob(".kubelb/*/record.jsonl"))
    samples = [line for path in records for line in read_record(path) if isinstance(line, Sample)]
    if len(samples) < passes * RUNS_OF_A_PASS:
        raise RuntimeError(
            f"the session made {len(samples)} of {passes * RUNS_OF_A_PASS} runs: {output.read_text()[-3000:]}"
        )
    return samples, counts


def _follow(process: subprocess.Popen[bytes], folder: Path, counting: Counting) -> list[Counts]:
    """Count each time the record has grown by a run, until the session ends."""
    counts: list[Counts] = []
    seen, since = 0, time.monotonic()
    path: Path | None = None
    while process.poll() is None:
        path = path or next(folder.glob(".kubelb/*/record.jsonl"), None)
        size = path.stat().st_size if path else 0
        if path is None or size == seen:
            if time.monotonic() - since > _LONGEST_RUN_S + launch.START_TIMEOUT_S:
                raise RuntimeError(f"the session stood still for {time.monotonic() - since:.0f} s")
            time.sleep(_POLL_S)
            continue
        with path.open("rb") as record:
            record.seek(seen)
            new = record.read(size - seen).count(b'{"kind":"sample"')
        seen, since = size, time.monotonic()
        if new:
            counted = counting.now(len(counts) + new)
            # Two runs between two looks have the same counts: every run has its own place in the row.
            counts.extend([counted] * new if counted else [])
    return counts
