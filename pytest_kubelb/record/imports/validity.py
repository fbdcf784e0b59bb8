"""Say whether an imported run may be judged, and why not. Pure: values in, words out.

The limits: socket errors, or responses with an error status, above 5 % of the requests are a storm
(`contaminated`); a measure below 0.9 of what wrk was asked for is an interrupted run (`contaminated`); a wall
time above `verdict.collapse.stall_limit_s` hides retries or a hang (`stalled`); no result, or not one
response, is `failed`. The first that applies is the word, in the order failed, contaminated, stalled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_kubelb.verdict.collapse import stall_limit_s

if TYPE_CHECKING:
    from pytest_kubelb.load.result import WrkResult
    from pytest_kubelb.record.imports.run import ImportedRun

STORM_SHARE: Final = 0.05
"""Errors per request above which a run is contaminated."""
INTERRUPTED_SHARE: Final = 0.9
"""Part of the duration asked for below which a run was interrupted."""


def judge_run(run: ImportedRun) -> tuple[str, str | None]:
    """Give the validity and, unless it is `valid`, the reason in one sentence."""
    if run.result is None:
        return "failed", f"{run.problem or 'there is no result'}."
    # The rate of a table comes without requests; a run that wrk reports has them, or got no answer.
    if run.result.requests == 0 and run.result.rps == 0:
        return "failed", "wrk got no answer at all."
    contaminated = _storm(run.result) or _interrupted(run)
    if contaminated:
        return "contaminated", contaminated
    stalled = _stalled(run)
    return ("stalled", stalled) if stalled else ("valid", None)


def _storm(result: WrkResult) -> str | None:
    errors = result.errors
    kinds = {
        "socket errors": errors.connect + errors.read + errors.write + errors.timeout,
        "responses with an error status": errors.status,
    }
    for kind, number in kinds.items():
        if number > STORM_SHARE * result.requests:
            share = f", {number / result.requests:.0%} of them" if result.requests else ""
            return (
                f"{number} {kind} came with {result.requests} requests{share}; "
                f"at most {STORM_SHARE:.0%} are tolerated."
            )
    return None


def _interrupted(run: ImportedRun) -> str | None:
    if run.result is None or run.asked_s is None:
        return None
    measured_s = run.result.duration_s
    if measured_s >= INTERRUPTED_SHARE * run.asked_s:
        return None
    return (
        f"wrk measured for {measured_s:.2f} s of the {run.asked_s:g} s it was asked for, so it was interrupted; "
        f"at least {INTERRUPTED_SHARE:.0%} are needed."
    )


def _stalled(run: ImportedRun) -> str | None:
    if run.result is None or run.wall_s is None:
        return None
    # Without the command, wrk's own measure is the duration.
    limit_s = stall_limit_s(run.asked_s or run.result.duration_s)
    if run.wall_s <= limit_s:
        return None
    return (
        f"it took {run.wall_s:g} s from start to end and wrk measured for {run.result.duration_s:.2f} s of them; "
        f"above {limit_s:g} s retries or a hang are inside."
    )
