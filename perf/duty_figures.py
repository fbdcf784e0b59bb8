"""The share of a sweep's wall time that is spent inside wrk, and what the evidence takes from it.

Touches labs that it starts itself, and sessions of pytest as subprocesses.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perf.figures import BENCH, Figure
from pytest_kubelb.lab import launch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAIRS: Final = int(os.environ.get("KUBELB_PERF_PAIRS", "1"))
"""How often the sweep is measured with evidence and without: 5 min for each pair."""
SWEEP: Final = (
    "--kubelb-pods=1,2,4,8,16,40",
    "--kubelb-runs=5",
    "--kubelb-duration=2s",
    "--kubelb-tolerance=100%",
)


@dataclass(frozen=True)
class _Swept:
    """One session of the sweep."""

    wall_s: float
    wrk_s: float
    report: Mapping[str, list[dict[str, object]]]

    @property
    def share(self) -> float:
        return self.wrk_s / self.wall_s


def duty_cycle() -> Iterator[Figure]:
    """Give the share of a sweep's wall time that is spent inside wrk, with and without the lab's start."""
    with tempfile.TemporaryDirectory() as name:
        swept = _sweep(Path(name))
    boot_s = swept.report["session"]["facts"]["lab_boot_s"]  # type: ignore[call-overload]
    details = {
        "wall_s": round(swept.wall_s, 2),
        "wrk_s": round(swept.wrk_s, 2),
        "lab_start_s": boot_s,
        "points": len(swept.report["points"]),
        "converge_s": _converge_seconds(swept.report["events"]),
    }
    yield Figure("duty_cycle", swept.share, "ratio", at_least=0.88, details=details)
    without_start = swept.wrk_s / (swept.wall_s - boot_s)
    yield Figure("duty_cycle_without_lab_start", without_start, "ratio", at_least=0.95)


def fall(pairs: int = PAIRS) -> Iterator[Figure]:
    """Give by how much the evidence lowers the duty cycle of the same sweep on a lab that stands, measured in turn."""
    shares: dict[str, list[float]] = {"on": [], "off": []}
    lab = launch.start(tied=True)
    try:
        with tempfile.TemporaryDirectory() as name:
            for number in range(pairs):
                for kind in ("on", "off") if number % 2 else ("off", "on"):
                    folder = Path(name, f"{number}-{kind}")
                    folder.mkdir()
                    inventory = _inventory(folder, lab.inventory, evidence=kind == "on")
                    shares[kind].append(_sweep(folder, f"--kubelb-inventory={inventory}").share)
    finally:
        launch.stop(lab)
    of = {kind: statistics.fmean(found) for kind, found in shares.items()}
    details: dict[str, object] = {
        kind: [round(share, 4) for share in found] for kind, found in shares.items()
    }
    yield Figure("duty_cycle_fall_by_evidence", of["off"] - of["on"], "ratio", at_most=0.02, details=details)


def _inventory(folder: Path, of_lab: Path, *, evidence: bool) -> Path:
    """Write the lab's inventory elsewhere, with evidence or without."""
    text = of_lab.read_text()
    for name in ("ssh_config", "kubeconfig"):
        text = text.replace(f'{name} = "{name}"', f'{name} = "{of_lab.parent / name}"')
    if not evidence:
        text += "\n[evidence]\nroles = []\n"
    file = folder / "kubelb.toml"
    file.write_text(text)
    return file


def _sweep(folder: Path, *options: str) -> _Swept:
    (folder / "test_rps.py").write_text(BENCH)
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.json"
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *SWEEP, f"--kubelb-json={report}"]
    began = time.monotonic()
    done = subprocess.run([*words, *options], cwd=folder, capture_output=True, text=True, check=False)
    wall_s = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-3000:])
    found = json.loads(report.read_text())
    wrk_s = sum(run["wall_s"] for point in found["points"] for run in point["runs"])
    return _Swept(wall_s, wrk_s, found)


def _converge_seconds(events: list[dict[str, object]]) -> float:
    total = 0.0
    for event in events:
        details = event["details"]
        if event["name"] == "converged" and isinstance(details, dict):
            total += sum(value for key, value in details.items() if key.endswith("_s"))
    return round(total, 2)
