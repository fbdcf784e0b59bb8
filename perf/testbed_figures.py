"""What a testbed's preflight and its memory cost. Touches a lab that it starts itself, and subprocesses."""

from __future__ import annotations

import gc
import math
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perf.figures import BACKENDS, Figure
from pytest_kubelb import holding, settings
from pytest_kubelb.lab import launch
from pytest_kubelb.matrix import Point
from pytest_kubelb.preflight.session import require_ready
from pytest_kubelb.preflight.wanted import Wanted
from pytest_kubelb.testbed import inventory
from pytest_kubelb.testbed.identity import identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_kubelb.cluster.client import Api
    from pytest_kubelb.lab.launch import Lab
    from pytest_kubelb.testbed.hosts import Hosts
    from pytest_kubelb.testbed.inventory import Inventory

CONVERGES: Final = int(os.environ.get("KUBELB_PERF_CONVERGES", "1000"))
"""Fewer are for trying the figure out, and prove nothing."""
BLOCKS: Final = 20
WARM_UP: Final = 0.2
"""The share of the converges after which caches and pools are expected to be full."""
_PAGE_KIB: Final = os.sysconf("SC_PAGE_SIZE") / 1024


def doctor(rounds: int = 9) -> Iterator[Figure]:
    """Give the seconds of `kubelb doctor` on the lab's nine hosts, as a user waits for it."""
    with _lab() as lab:
        call = "import sys; from pytest_kubelb.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", call, "doctor", "--inventory", str(lab.inventory)]
        seconds = []
        for _ in range(rounds):
            began = time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds.append(time.monotonic() - began)
            if done.returncode != 0 or "is ready for a session" not in done.stdout:
                raise RuntimeError(done.stdout[-3000:] + done.stderr[-1000:])
    details: dict[str, object] = {"all_s": [round(each, 2) for each in seconds]}
    yield Figure("doctor_9_hosts", statistics.median(seconds), "s", at_most=3.0, details=details)


def preflight(pairs: int = 9) -> Iterator[Figure]:
    """Give what the preflight adds to the opening of a session's testbed: opened with it and without, in turn."""
    differences, own = [], []

    def note(name: str, details: object) -> None:
        if name == "preflight" and isinstance(details, dict):
            own.append(float(details["seconds"]))

    with _lab() as lab:
        described = inventory.load(lab.inventory)
        for number in range(pairs):
            took = {}
            for on in (True, False) if number % 2 else (False, True):
                session = f"perf-{number}-{on}".lower()
                check = _check(described, session, note) if on else lambda hosts, api: None  # noqa: ARG005
                wanted = holding.Wanted(session, tuple(BACKENDS), BACKENDS)
                began = time.monotonic()
                with holding.hold(described, wanted, note, require_ready=check):
                    took[on] = time.monotonic() - began
            differences.append(took[True] - took[False])
    details: dict[str, object] = {
        "pairs": pairs,
        "quartiles_s": [round(each, 3) for each in statistics.quantiles(differences, n=4)],
        "by_itself_s": round(statistics.median(own), 3),
    }
    yield Figure("preflight_adds", statistics.median(differences), "s", at_most=0.5, details=details)


def memory(converges: int = CONVERGES) -> Iterator[Figure]:
    """Give how this process grows by each converge between 1 and 2 pods: the upper end of the slope's 95 % interval."""
    resident = []
    with _lab() as lab:
        wanted = holding.Wanted("perf", tuple(BACKENDS), BACKENDS)
        with holding.hold(inventory.load(lab.inventory), wanted, lambda *_: None) as held:
            for number in range(converges):
                # Both backends at both pod counts, in turn.
                point = Point(tuple(BACKENDS)[number // 2 % 2], 1 + number % 2, "vxlan")
                held.convergence.converge(point)
                gc.collect(0)
                resident.append(_resident_kib())
    slope, half = slope_of(resident[int(WARM_UP * converges) :])
    details: dict[str, object] = {
        "converges": converges,
        "slope_kib": round(slope, 4),
        "interval_kib": [round(slope - half, 4), round(slope + half, 4)],
        "first_mib": round(resident[0] / 1024, 1),
        "last_mib": round(resident[-1] / 1024, 1),
    }
    yield Figure("memory_growth_per_converge", slope + half, "KiB", at_most=1.0, details=details)


def slope_of(values: Sequence[float]) -> tuple[float, float]:
    """Give the slope per value and the half width of its 95 % interval, over means of blocks.

    Neighbouring readings of memory hang together: the means of blocks of them do much less.
    """
    from scipy.stats import linregress
    from scipy.stats import t as student

    size = len(values) // BLOCKS
    if size < 1:
        return math.nan, math.nan
    means = [statistics.fmean(values[start : start + size]) for start in range(0, size * BLOCKS, size)]
    fit = linregress(range(BLOCKS), means)
    return float(fit.slope) / size, float(student.ppf(0.975, BLOCKS - 2) * fit.stderr) / size


def _resident_kib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KIB


def _check(
    described: Inventory, session: str, note: Callable[[str, object], None]
) -> Callable[[Hosts, Api], None]:
    layer = {"inventory": settings.Given(str(described.file), "perf", described.file.parent)}
    resolved = settings.resolve([layer], search=[], known_backends=BACKENDS, new_seed=0)
    points = [Point(backend, 40, "vxlan") for backend in BACKENDS]
    wanted = Wanted.from_points(resolved, described, points, identity_of(session))
    return lambda hosts, api: require_ready(hosts, api, wanted, note)


@contextmanager
def _lab() -> Iterator[Lab]:
    lab = launch.start(tied=True)
    try:
        yield lab
    finally:
        launch.stop(lab)
