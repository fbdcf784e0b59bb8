"""How often the regression gate is wrong on real sessions with injected drops, and how often it finds them.

Touches the evaluation kit, `shared` beside the repository, for reading. Without the kit each figure is None.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_kubelb.verdict import protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Trial = tuple[list[list[float]], list[list[float]], float]

KIT: Final = Path(__file__).resolve().parents[2] / "shared" / "tools" / "gate_eval.py"
SEEDS: Final = (1, 2, 3)
TRIALS: Final = 600
SUITES: Final = 60
STABLE_SD: Final = 0.015
"""Session SD (ln) over all real sessions of a cell up to which a point is stable."""


@dataclass(frozen=True)
class Rates:
    """Shares of trials: false alarms at no drop, drops of 5 % found, and drops of 5 % passed by mistake."""

    false_alarms: float
    found: float
    escaped: float


@dataclass(frozen=True)
class SuiteRates:
    """The same of whole sweeps, with the share of points that are provisioned once more though nothing changed."""

    false_alarms: float
    found: float
    found_3: float
    escaped: float
    extra: float


def figures() -> Iterator[dict[str, object]]:
    """Give each figure as the fields of its JSON line, without the machine."""
    if not KIT.is_file():
        why = "the evaluation kit, the folder `shared` beside the repository, is not there"
        for name in ("gate_stable", "gate_bare_metal", "gate_one_session", "gate_sweep"):
            yield _figure(name, None, details={"why": why})
        return
    kit = load_kit()
    several = [
        rates(kit, seed, sessions=sessions, runs=runs)
        for sessions, runs in ((3, 5), (5, 1), (5, 5))
        for seed in SEEDS
    ]
    yield from _rates("gate_stable", [stable for _, stable in several], (0.005, 0.99, 0.005))
    yield from _rates("gate_bare_metal", [every for every, _ in several], (0.025, 0.88, 0.05))
    one = [rates(kit, seed, sessions=1, runs=10)[0] for seed in SEEDS]
    yield from _rates("gate_one_session", one, (0.035, 0.85, 0.04))
    sweeps = [suite_rates(kit, seed, sessions=sessions, runs=5) for sessions in (3, 5) for seed in SEEDS]
    for field, at_least, at_most in (
        ("false_alarms", None, 0.04),
        ("found", 0.99, None),
        ("found_3", 0.94, None),
        ("escaped", None, 0.0),
        ("extra", None, 0.12),
    ):
        values = [getattr(each, field) for each in sweeps]
        yield _figure(f"gate_sweep_{field}", values, at_least=at_least, at_most=at_most)


def load_kit() -> Any:
    """Load the evaluation kit as a module."""
    spec = importlib.util.spec_from_file_location("gate_eval", KIT)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{KIT} cannot be loaded as a module")
    kit = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = kit
    spec.loader.exec_module(kit)
    return kit


def rates(kit: Any, seed: int, *, sessions: int, runs: int, trials: int = TRIALS) -> tuple[Rates, Rates]:
    """Judge bare-metal points against so many sessions of so many runs: rates of all trials, and of stable points."""
    pool = kit.Pool(kit.load(["sessions"]), seed)
    draw: Callable[[], Trial | None] = (
        (lambda: pool.real_sweeps(sessions, 1, "bare"))
        if runs == 1
        else (lambda: pool.hier(sessions, runs, "bare"))
    )
    drawn: list[Trial] = []
    while len(drawn) < trials:
        trial = draw()
        if trial is not None:
            drawn.append(trial)
    verdicts = {
        drop: [
            kit.run_gate(_Gate(), old, [[run * (1 - drop) for run in each] for each in new])[0]
            for old, new, _ in drawn
        ]
        for drop in (0.0, 0.05)
    }
    stable = [place for place, (_, _, sd) in enumerate(drawn) if sd <= STABLE_SD]

    def over(places: Sequence[int]) -> Rates:
        def share(drop: float, verdict: str) -> float:
            return sum(1 for place in places if verdicts[drop][place] == verdict) / len(places)

        return Rates(share(0.0, "regression"), share(0.05, "regression"), share(0.05, "pass"))

    return over(range(trials)), over(stable)


def suite_rates(kit: Any, seed: int, *, sessions: int, runs: int, suites: int = SUITES) -> SuiteRates:
    """Judge whole bare-metal sweeps with that many baseline sessions of so many runs."""
    pool = kit.Pool(kit.load(["sessions"]), seed)
    drawn = [pool.suite(sessions, runs, "bare")[0] for _ in range(suites)]
    overall: dict[float, list[str]] = {}
    extra = 0
    for drop in (0.0, 0.03, 0.05):
        judged = [kit.run_suite(_Gate(), cells, dict.fromkeys(cells, drop)) for cells in drawn]
        overall[drop] = [verdict for _, verdict, _ in judged]
        if drop == 0:
            extra = sum(spent for _, _, spent in judged)
    return SuiteRates(
        overall[0.0].count("regression") / suites,
        overall[0.05].count("regression") / suites,
        overall[0.03].count("regression") / suites,
        overall[0.05].count("pass") / suites,
        extra / sum(len(cells) for cells in drawn),
    )


class _Gate:
    """Our gate under the names that the kit asks for."""

    confirm = staticmethod(protocol.confirm)
    decide_suite = staticmethod(protocol.decide_suite)

    def __call__(self, baseline: Sequence[Sequence[float]], candidate: Sequence[float]) -> str:
        return protocol.decide(baseline, candidate)


def _rates(
    name: str, found: Sequence[Rates], limits: tuple[float, float, float]
) -> Iterator[dict[str, object]]:
    yield _figure(f"{name}_false_alarms", [each.false_alarms for each in found], at_most=limits[0])
    yield _figure(f"{name}_found", [each.found for each in found], at_least=limits[1])
    yield _figure(f"{name}_escaped", [each.escaped for each in found], at_most=limits[2])


def _figure(
    name: str,
    shares: Sequence[float] | None,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    details: dict[str, object] | None = None,
) -> dict[str, object]:
    """Give the mean over the seeds and scenarios beside what it must reach."""
    value = None if shares is None else statistics.fmean(shares)
    reached = None
    if value is not None:
        reached = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    return {
        "figure": name,
        "value": None if value is None else round(value, 4),
        "unit": "share",
        "at_least": at_least,
        "at_most": at_most,
        "reached": reached,
        "details": details or {"each": [round(share, 4) for share in shares or ()]},
    }
