"""Make findings, one for each signal that is beyond its limit. Pure; touches nothing."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pytest_kubelb.record.finding import Finding

Effect: TypeAlias = Literal["none", "contaminated", "stalled", "failed"]


def validity(
    signal: str,
    host: str,
    value: float,
    limit: float,
    unit: str,
    sentence: str,
    effect: Effect = "contaminated",
) -> Finding:
    """Give a finding about whether the run may be used."""
    return Finding("validity", signal, host, value, limit, unit, effect, sentence)


def path(signal: str, host: str, value: float, limit: float, unit: str, sentence: str) -> Finding:
    """Give a finding about the way that the connections took; such a run measured something else."""
    return Finding("path", signal, host, value, limit, unit, "contaminated", sentence)


def fairness(signal: str, host: str, value: float, limit: float, unit: str, sentence: str) -> Finding:
    """Give a finding about how the pods shared the load; it is told and takes nothing from the run."""
    return Finding("fairness", signal, host, value, limit, unit, "none", sentence)


def percent(part: float, whole: float) -> float:
    """Give a share in %; nothing of nothing is 0, something of nothing all of it."""
    if whole > 0:
        return 100 * part / whole
    return 100.0 if part > 0 else 0.0
