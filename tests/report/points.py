"""Judged points for the tests of the reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.finding import Finding
from pytest_kubelb.record.sample import Sample, Series
from pytest_kubelb.report import digest
from pytest_kubelb.verdict.regression import Regression
from pytest_kubelb.verdict.repeatability import Repeatability, judge

if TYPE_CHECKING:
    from pytest_kubelb.comparing import Judgement
    from pytest_kubelb.report.digest import Digest


@dataclass(frozen=True)
class JudgedPoint:
    id: str
    series: Series
    repeatability: Repeatability
    judgement: Judgement | None = None

    @property
    def digest(self) -> Digest:
        return digest.of(self.series)


def sample(
    point: dict[str, str | int],
    run: int,
    rps: float,
    validity: str = "valid",
    *,
    ceiling: str | None = None,
    findings: tuple[Finding, ...] = (),
    provisioning: int = 1,
    wire_bytes: float | None = None,
    reason: str | None = None,
) -> Sample:
    errors = SocketErrors(0, 0, 0, 0, 0)
    result = WrkResult(rps, round(rps), round(rps) * 160, 1.0, Latency(83.2, 39.9, 1550.0, {}), errors)
    return Sample(
        point,
        provisioning,
        run,
        validity,
        reason,
        "2026-11-23T07:22:13Z",
        1.02,
        "wrk",
        None if validity == "failed" else result,
        ceiling=ceiling,
        findings=findings,
        wire_bytes_per_request=wire_bytes,
    )


def judged_point(
    *rps: float,
    backend: str = "ipvs",
    pods: int = 4,
    tolerance: float = 0.05,
    invalid: int = 0,
    ceiling: str | None = None,
    provisioning: int = 1,
    wire_bytes: float | None = None,
    judgement: Judgement | None = None,
    findings: tuple[Finding, ...] = (),
) -> JudgedPoint:
    """Give a point with a warm-up run, the valid runs `rps`, and `invalid` stalled ones, which have the findings."""
    point: dict[str, str | int] = {"backend": backend, "pods": pods, "overlay": "host-gw"}
    samples = (
        sample(point, 0, 1.0, "warmup", provisioning=provisioning),
        *(
            sample(point, run, value, ceiling=ceiling, provisioning=provisioning, wire_bytes=wire_bytes)
            for run, value in enumerate(rps)
        ),
        *(
            sample(
                point,
                len(rps) + run,
                1.0,
                "stalled",
                reason="it took 61 s",
                findings=findings,
                provisioning=provisioning,
            )
            for run in range(invalid)
        ),
    )
    return JudgedPoint(
        f"{backend}-host-gw-pods{pods:02}",
        Series(point, samples, tolerance),
        judge(rps, tolerance=tolerance),
        judgement,
    )


def regressed(change: float, verdict: str = "regression") -> Regression:
    """Give a verdict against a baseline of 1,000 requests/s."""
    return Regression(
        verdict=verdict,  # type: ignore[arg-type]
        change=change,
        low=change - 0.01,
        high=change + 0.01,
        mde=0.04,
        p=0.001,
        odds=50.0,
        baseline_rps=1000.0,
        candidate_rps=1000.0 * (1 + change),
        sessions=3,
        candidates=1,
        max_drop=0.05,
        faster=change > 0.025,
    )


def finding(
    signal: str = "steal", host: str = "k11", value: float = 12.0, effect: str = "contaminated"
) -> Finding:
    """Give a finding of a signal that is beyond its limit."""
    return Finding(
        "validity",
        signal,
        host,
        value,
        2.0,
        "%",
        effect,
        f"{host}: {value:g} % of the CPU time was stolen, above 2 %",
    )
