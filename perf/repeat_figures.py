"""What the repeatability verdict, the adaptive number of runs and the search for warm-up do on real sessions.

Touches the evaluation kit, `shared` beside the repository: its data for reading, its program as a module and in a
subprocess. Without the kit each figure is None.
"""

from __future__ import annotations

import importlib.util
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_kubelb.verdict import adaptive, repeatability, settling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Family = dict[str, Any]
    Cell = tuple[Sequence[float], adaptive.Prior]

_ROOT: Final = Path(__file__).resolve().parents[1]
_KIT: Final = _ROOT.parent / "shared" / "tools" / "gate_eval.py"
_TOLERANCE: Final = 0.05
_PRECISION: Final = 0.01
_MOST_RUNS: Final = 10
_MOST_RUNS_HEALTHY: Final = 5.3
_LARGEST_ERROR: Final = 0.006
_NOISY: Final = "gcp_noisy_neighbour"
_GROUPS: Final = (
    # name, least and most share of its sessions that may fail, as the kit prints it: to a tenth of a per cent
    ("bare_metal_healthy", None, 0.167),
    ("bare_metal_measured_again", None, None),
    ("cloud_at_its_bandwidth_cap", None, 0.0),
    ("gcp", None, None),
    ("aws", None, None),
    ("aws_without_credits", None, None),
    (_NOISY, 0.4, None),
    ("kube_proxy_with_collapses", 1.0, None),
    ("kube_proxy_blocks", None, None),
)
_PRIOR: Final = (
    "s_r of the neighbouring points; level of all the point's own runs, for want of earlier sessions"
)
_SHARES: Final = re.compile(r"(\d+\.\d)(?:\+(\d+)\?)?\s*/\s*(\d+\.\d)")


def as_gate(runs: list[float]) -> Literal["pass", "fail", "inconclusive"]:
    """Answer the evaluation kit's question on one point: `--repeat-py perf.repeat_figures:as_gate`."""
    verdict = repeatability.judge(runs, tolerance=_TOLERANCE).verdict
    answers: dict[str, Literal["pass", "fail"]] = {"repeatable": "pass", "unrepeatable": "fail"}
    return answers.get(verdict, "inconclusive")


def figures() -> Iterator[dict[str, object]]:
    """Give each figure as the fields of its JSON line, without the machine."""
    if not _KIT.is_file():
        why = "the evaluation kit, the folder `shared` beside the repository, is not there"
        for name in ("repeatability", "adaptive_runs", "warmup"):
            yield _figure(name, None, "share", details={"why": why})
        return
    yield from _repeatability()
    families = _families()
    yield from _adaptive(families)
    yield from _warmup(families)


def _repeatability() -> Iterator[dict[str, object]]:
    """Give the share of each group's sessions that is unrepeatable as a whole, as the kit prints it."""
    command = [sys.executable, str(_KIT), "--mode=repeat", "--no-peers", f"--repeat-py={__name__}:as_gate"]
    printed = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    row = next(line for line in printed.splitlines() if line.startswith(as_gate.__name__))
    for (name, least, most), found in zip(_GROUPS, _SHARES.finditer(row), strict=True):
        points, unsure, sessions = (round(float(each or 0) / 100, 3) for each in found.groups())
        details: dict[str, object] = {
            "points_unrepeatable": points,
            "points_inconclusive": unsure,
            "tolerance": _TOLERANCE,
        }
        figure = f"sessions_unrepeatable_{name}"
        yield _figure(figure, sessions, "share", at_least=least, at_most=most, details=details)
        if name == _NOISY:  # its sessions are one point each, so that the two shares may be added
            not_passed = round(points + unsure, 3)
            yield _figure(f"sessions_not_repeatable_{name}", not_passed, "share", details=details)


def _adaptive(families: dict[str, Family]) -> Iterator[dict[str, object]]:
    """Give what is saved, and missed, by stopping at +-1 % instead of after ten runs."""
    groups: tuple[tuple[str, Callable[[Family], bool]], ...] = (
        ("healthy", lambda family: family["stratum"] == "bare" and family["layout"] == "b2b"),
        ("sick", lambda family: family["stratum"] == "bare_sick"),
    )
    for group, belongs in groups:
        cells = [cell for family in families.values() if belongs(family) for cell in _cells(family)]
        for kind in ("no_prior", "prior"):
            made = [_stopped(runs, prior if kind == "prior" else None) for runs, prior in cells]
            errors = [
                abs(statistics.median(runs[:number]) / statistics.median(runs) - 1)
                for (runs, _), number in zip(cells, made, strict=True)
            ]
            details: dict[str, object] = {
                "points": len(cells),
                "prior": _PRIOR if kind == "prior" else None,
                "runs_saved": round(1 - sum(made) / sum(len(runs) for runs, _ in cells), 3),
                "error_median": round(statistics.median(errors), 5),
                "error_largest": round(max(errors), 4),
            }
            name = f"adaptive_runs_{group}_{kind}"
            most = _MOST_RUNS_HEALTHY if group == "healthy" else None
            yield _figure(name, statistics.fmean(made), "runs", at_most=most, details=details)
            error = statistics.quantiles(errors, n=20, method="inclusive")[-1]
            most = _LARGEST_ERROR if group == "healthy" else None
            yield _figure(f"{name}_error_p95", error, "share", at_most=most)


def _warmup(families: dict[str, Family]) -> Iterator[dict[str, object]]:
    """Give the share of points whose first runs are found low."""
    for stratum in ("bare", "cloud"):
        series = [
            runs
            for family in families.values()
            if family["stratum"] == stratum and family["layout"] == "b2b"
            for sessions in family["cells"].values()
            for _, runs in sessions.values()
            if len(runs) > settling.FEWEST_LATER
        ]
        found = [settling.first_steady(runs) for runs in series]
        details: dict[str, object] = {
            "points": len(series),
            "first_run_5_percent_low": round(
                sum(runs[0] < 0.95 * statistics.median(runs[1:]) for runs in series) / len(series), 3
            ),
            "still_settling": round(sum(map(adaptive.settling, series)) / len(series), 3),
        }
        yield _figure(
            f"points_with_warmup_{stratum}", sum(map(bool, found)) / len(found), "share", details=details
        )


def _cells(family: Family) -> list[Cell]:
    """Give the runs of each point of a family, with the prior that its neighbours on the pods ladder make.

    The data have no earlier session of most points: s_r is the neighbours', and the level that of all its own runs.
    """
    found: list[Cell] = []
    cells = list(family["cells"].values())
    for index, sessions in enumerate(cells):
        for session, (_, runs) in sessions.items():
            if len(runs) < _MOST_RUNS - 2:
                continue
            beside = [cells[each] for each in (index - 1, index + 1) if 0 <= each < len(cells)]
            others = [each[session][1] for each in beside if session in each]
            others = others or [other for each, (_, other) in sessions.items() if each != session]
            prior = adaptive.Prior.of(others)
            level = statistics.median(runs[:_MOST_RUNS])
            found.append((runs[:_MOST_RUNS], adaptive.Prior(prior.s_r, prior.df, level)))
    return found


def _stopped(runs: Sequence[float], prior: adaptive.Prior | None) -> int:
    for number in range(adaptive.FEWEST_RUNS, len(runs)):
        if adaptive.enough(runs[:number], precision=_PRECISION, prior=prior):
            return number
    return len(runs)


def _families() -> dict[str, Family]:
    described = importlib.util.spec_from_file_location("gate_eval", _KIT)
    if described is None or described.loader is None:
        raise ImportError(f"{_KIT} is not a Python module")
    kit = importlib.util.module_from_spec(described)
    described.loader.exec_module(kit)
    families: dict[str, Family] = kit.load(["sessions"])
    return families


def _figure(
    name: str,
    value: float | None,
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    details: dict[str, object] | None = None,
) -> dict[str, object]:
    reached = None
    if value is not None:
        reached = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    return {
        "figure": name,
        "value": value,
        "unit": unit,
        "at_least": at_least,
        "at_most": at_most,
        "reached": reached,
        "details": details or {},
    }
