"""All findings of a run, and what they make of it. Pure; touches nothing."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pytest_kubelb.evidence.findings import (
    ceiling,
    connections,
    cpu,
    fairness,
    foreign,
    load,
    packets,
    path,
    route,
    settings,
)
from pytest_kubelb.evidence.run import Examined
from pytest_kubelb.evidence.wire import per_request
from pytest_kubelb.record.finding import EFFECTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

_PARTS = (load, connections, route, packets, cpu, settings, foreign, path, fairness)


def examine(run: RunEvidence) -> Examined:
    """Give the findings, in the order of the parts, the ceiling's last.

    The gravest effect makes the validity: failed, stalled, contaminated, valid. A run without a result is `failed`.
    """
    findings = list(chain.from_iterable(part.examine(run) for part in _PARTS))
    name, told = ceiling.examine(run)
    if told is not None:
        findings.append(told)
    requests = run.result.requests if run.result is not None else 0
    on_wire = sum(wire.bytes for delta in run.of_role("benchmarker") for wire in run.wires[delta.host])
    validity, reason = judge(findings)
    return Examined(
        findings=tuple(findings),
        ceiling=name,
        wire_bytes_per_request=per_request(on_wire, requests),
        validity=validity if run.result is not None else "failed",
        reason=reason,
    )


def judge(findings: Sequence[Finding]) -> tuple[str, str | None]:
    """Give the validity by the gravest effect, and the reason: that finding's sentence, and the names of the others."""
    grave = [finding for finding in findings if finding.effect != "none"]
    if not grave:
        return "valid", None
    worst = max(grave, key=lambda finding: EFFECTS.index(finding.effect))
    others = dict.fromkeys(finding.signal for finding in grave if finding is not worst)
    also = f" (also: {', '.join(others)})" if others else ""
    return worst.effect, f"{worst.signal}: {worst.sentence}{also}"
