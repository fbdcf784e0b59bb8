"""Findings about the load itself: stalls, wrk's errors, pods that changed meanwhile. Pure; touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.evidence.findings import signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kubelb.evidence.run import RunEvidence
    from pytest_kubelb.record.finding import Finding

LEAST_STALL_S: Final = 1.0
"""wrk looks for its end a few times per second and joins its threads; a second more is none."""
FAILED_FROM: Final = 100.0
"""% of errors per request from which on errors are what was measured."""


def examine(run: RunEvidence) -> Iterator[Finding]:
    """Give `stalled`, `errors` and `pods_changed`."""
    yield from _stalled(run)
    yield from _errors(run)
    yield from _pods_changed(run)


def _stalled(run: RunEvidence) -> Iterator[Finding]:
    limit = run.limits.stalled
    if limit is None or run.duration_s <= 0:
        return
    over_s = run.wall_s - run.duration_s
    limit_s = max(LEAST_STALL_S, run.duration_s * limit / 100)
    if over_s > limit_s:
        yield signals.validity(
            "stalled",
            next(iter(run.roles.get("benchmarker", ())), ""),
            over_s,
            limit_s,
            "s",
            f"wrk took {run.wall_s:.2f} s for a run of {run.duration_s:g} s, {over_s:.2f} s too long where "
            f"{limit_s:g} s are allowed: it could not connect or waited for the path, so look at the "
            "routes and the conntrack tables",
            effect="stalled",
        )


def _errors(run: RunEvidence) -> Iterator[Finding]:
    limit, result = run.limits.errors, run.result
    if limit is None or result is None:
        return
    of = result.errors
    number = of.connect + of.read + of.write + of.timeout + of.status
    if not number:
        return
    share = signals.percent(number, result.requests)
    if share <= limit:
        return
    kinds = ", ".join(
        f"{kind} {count}"
        for kind, count in (
            ("connect", of.connect),
            ("read", of.read),
            ("write", of.write),
            ("timeout", of.timeout),
            ("status", of.status),
        )
        if count
    )
    yield signals.validity(
        "errors",
        next(iter(run.roles.get("benchmarker", ())), ""),
        share,
        limit,
        "%",
        f"wrk counted {number} errors ({kinds}) with {result.requests} requests, {share:.3g} % where "
        f"{limit:g} % are allowed: open fewer connections, or mend what refuses them",
        effect="failed" if share >= FAILED_FROM else "contaminated",
    )


def _pods_changed(run: RunEvidence) -> Iterator[Finding]:
    limit, before, after = run.limits.pods_changed, run.pods_before, run.pods_after
    if limit is None or not before or not after or before == after:
        return
    gone = sorted(pod for pod in before if pod not in after)
    new = sorted(pod for pod in after if pod not in before)
    moved = sorted(pod for pod in before if pod in after and before[pod] != after[pod])
    number = max(len(gone), len(new)) + len(moved)
    if number <= limit:
        return
    parts = [f"{name} is gone" for name in gone] + [f"{name} is new" for name in new]
    parts += [f"{name} was {before[name]} and is {after[name]}" for name in moved]
    told = ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")
    yield signals.validity(
        "pods_changed",
        "",
        number,
        limit,
        "pods",
        f"{told} since the run began, {number} of {len(before)} pods where {limit:g} may change: "
        "look at their events and measure the point again",
    )
