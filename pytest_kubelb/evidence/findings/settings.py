"""Findings about what should have stood still: settings and clocks. Pure; touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.delta import HostDelta
    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `tuning_drift`, `clock_skew` and `clock_step` of every host."""
    measures = run.roles.get("benchmarker", ())
    limits = run.limits
    for host, delta in run.hosts.items():
        if delta.changed and limits.tuning_drift is not None and len(delta.changed) > limits.tuning_drift:
            yield _drift(delta, limits.tuning_drift)
        if limits.clock_skew is not None and abs(delta.clock_skew_s) > limits.clock_skew:
            yield _clock(
                "clock_skew",
                delta,
                delta.clock_skew_s,
                limits.clock_skew,
                f"the clock of {host} is {delta.clock_skew_s:+.3f} s from ours",
                contaminates=False,
            )
        if limits.clock_step is not None and abs(delta.clock_step_s) > limits.clock_step:
            yield _clock(
                "clock_step",
                delta,
                delta.clock_step_s,
                limits.clock_step,
                f"the clock of {host} was set by {delta.clock_step_s:+.3f} s during the run",
                contaminates=host in measures,
            )


def _drift(delta: HostDelta, limit: float) -> Finding:
    changes = [f"{name} from {before} to {after}" for name, (before, after) in sorted(delta.changed.items())]
    told = ", ".join(changes[:4]) + (f" and {len(changes) - 4} more" if len(changes) > 4 else "")
    return signals.validity(
        "tuning_drift",
        delta.host,
        len(changes),
        limit,
        "settings",
        f"{told} changed by itself on {delta.host} where {limit:g} settings may: {_who(delta)}",
    )


def _who(delta: HostDelta) -> str:
    if "boot_id" in delta.changed:
        return "the host was started again, so look for the reason in its journal (`journalctl -b -1`)"
    _, balancer = delta.changed.get("irqbalance", ("", ""))
    if balancer == "running":
        return "irqbalance was started, so stop it or set irqbalance = false in the profile"
    if all(name.startswith("irq ") for name in delta.changed):
        return "irqbalance or another session moves interrupts so; stop it or set irqbalance = false in the profile"
    if any(name.startswith(("governor ", "turbo")) for name in delta.changed):
        return "a power daemon (tuned, power-profiles-daemon) does so, or another session; stop it for the measurement"
    return "another session or administrator is at work there; `kubelb restore` lists sessions"


def _clock(
    signal: str, delta: HostDelta, value: float, limit: float, what: str, *, contaminates: bool
) -> Finding:
    # wrk measures with gettimeofday, and the wall time of its process is taken with the same clock.
    return signals.validity(
        signal,
        delta.host,
        abs(value),
        limit,
        "s",
        f"{what} where {limit:g} s are allowed: let an NTP client slew it, and not step it",
        effect="contaminated" if contaminates else "none",
    )
