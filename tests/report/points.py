"""Judged points for the tests of the reports."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.sample import Sample, Series
from pytest_kubelb.verdict.repeatability import Repeatability, judge


@dataclass(frozen=True)
class JudgedPoint:
    id: str
    series: Series
    repeatability: Repeatability


def sample(point: dict[str, str | int], run: int, rps: float, validity: str = "valid") -> Sample:
    result = WrkResult(
        rps, round(rps), round(rps) * 160, 1.0, Latency(83.2, 39.9, 1550.0, {}), SocketErrors(0, 0, 0, 0, 0)
    )
    return Sample(point, 1, run, validity, None, "2026-11-23T07:22:13Z", 1.02, "wrk", result)


def judged_point(
    *rps: float, backend: str = "ipvs", pods: int = 4, tolerance: float = 0.05, invalid: int = 0
) -> JudgedPoint:
    """Give a point with a warm-up run, the valid runs `rps`, and `invalid` stalled ones."""
    point: dict[str, str | int] = {"backend": backend, "pods": pods, "overlay": "host-gw"}
    samples = (
        sample(point, 0, 1.0, "warmup"),
        *(sample(point, run, value) for run, value in enumerate(rps)),
        *(sample(point, len(rps) + run, 1.0, "stalled") for run in range(invalid)),
    )
    return JudgedPoint(
        f"{backend}-host-gw-pods{pods:02}", Series(point, samples, tolerance), judge(rps, tolerance=tolerance)
    )
