"""How many runs a point gets: warm-up runs, then as many as its verdict needs. Touches nothing itself.

The runs are made by the function it is given, one after the other; it looks at each before it asks for the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.verdict.adaptive import Prior

    Run = Callable[
        [int, bool], Sample | None
    ]  # (index, warm-up?) -> its sample, or None when there can be none

FEWEST_RUNS: Final = 3
"""Runs after which --kubelb-precision may stop."""
MOST_WARMUPS: Final = 10
STEADY: Final = 0.01
"""With --kubelb-warmup auto, a run that is not further above the one before ends the warm-up."""


def sample(run: Run, settings: Settings, prior: Prior | None = None) -> tuple[Sample, ...]:
    """Give the samples of one point under one provisioning, warm-up runs first.

    `prior` is what the baseline knows of the point. Ends early when `run` gives None.
    """
    samples: list[Sample] = []
    while (index := len(samples)) < MOST_WARMUPS or index < settings.fewest_warmups:
        if not _warming_up(samples, settings):
            break
        if (made := run(index, True)) is None:
            return tuple(samples)
        samples.append(made)
    warmups = len(samples)
    while not _enough(samples[warmups:], settings, prior):
        if (made := run(len(samples) - warmups, False)) is None:
            break
        samples.append(made)
    return tuple(samples)


def _warming_up(warmups: list[Sample], settings: Settings) -> bool:
    if len(warmups) < settings.fewest_warmups:
        return True
    if settings.warmup != "auto":
        return False
    before, last = (made.result.rps if made.result else 0.0 for made in warmups[-2:])
    return last > before * (1 + STEADY)


def _enough(runs: list[Sample], settings: Settings, prior: Prior | None) -> bool:
    if len(runs) >= settings.most_runs:
        return True
    fewest = settings.runs if settings.precision is None else min(FEWEST_RUNS, settings.runs)
    if len(runs) < fewest:
        return False
    if settings.precision is None and settings.most_runs == settings.runs:
        return False
    from pytest_kubelb.verdict import adaptive, repeatability

    rps = [made.result.rps for made in runs if made.validity == "valid" and made.result]
    if settings.precision is not None and not adaptive.enough(rps, precision=settings.precision, prior=prior):
        return False
    judged = repeatability.judge(rps, tolerance=settings.tolerance, max_runs=settings.most_runs)
    return judged.verdict != "inconclusive"
