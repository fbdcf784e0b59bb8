"""The plan of a session, before anything is touched. Pure: values in, lines out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_kubelb.matrix import clock
from pytest_kubelb.record.points import point_key, point_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_kubelb.matrix import Plan, Step
    from pytest_kubelb.record.planned import Planned
    from pytest_kubelb.resume.session import Resuming


def summary(plan: Plan) -> list[str]:
    """Give what is measured and how long it takes, and how often each knob is changed on the way."""
    changed = ", ".join(f"{axis} {_times(count)}" for axis, count in plan.changes.items())
    return [f"kubelb plan: {plan}.", *([f"kubelb changes on the way: {changed}."] if changed else [])]


def kept(resuming: Resuming, planned: Mapping[str, Planned]) -> list[str]:
    """Give what is kept of the session that is gone on with, and which of its points were cut off."""
    known, ids = resuming.known, [planned[nodeid].id for nodeid in resuming.kept]
    told = f"kubelb resume: session {resuming.found.id}, {len(ids)} of {len(planned)} points are kept from its record"
    cut_off = dict.fromkeys(point_text(point_key(each.point)) for each in known.abandoned)
    anew = [f"kubelb resume: cut off, and measured anew: {'; '.join(cut_off)}."] if cut_off else []
    return [f"{told}{': ' if ids else ''}{', '.join(ids)}.", *anew]


def lines(plan: Plan, width: int, *, is_resumed: bool = False) -> list[str]:
    """Give a line for every step in its order: runs, seconds, what is changed to get there; and then the total."""
    if not plan.steps:
        return [f"kubelb plan: no point is {'left to measure' if is_resumed else 'selected'}."]
    heading = ("", "point", "runs", "time", "changes")
    rows = [
        (str(number), step.measurement.id, _runs(step), clock(step.eta_s), changes(step))
        for number, step in enumerate(plan.steps, 1)
    ]
    widths = [max(len(row[column]) for row in (heading, *rows)) for column in range(4)]
    shown: list[str] = []
    for row in (heading, *rows):
        # Only the ids are words; numbers stand to the right.
        cells = [
            cell.ljust(size) if column == 1 else cell.rjust(size)
            for column, (cell, size) in enumerate(zip(row, widths, strict=False))
        ]
        indent = " " * (widths[0] + 2)
        text = "  ".join([*cells, row[-1]])
        shown += textwrap.wrap(text, max(width, 20), subsequent_indent=indent, break_on_hyphens=False)
    return [*shown, *summary(plan)]


def changes(step: Step) -> str:
    """Give what is changed on the testbed to get to a step, in words."""
    if step.before is None:
        return "everything, from nothing"
    changed = ", ".join(f"{axis} {before} -> {after}" for axis, (before, after) in step.changes.items())
    if step.anew:
        return f"pass {step.measurement.point.provisioning}: everything, anew{f' ({changed})' if changed else ''}"
    return changed or "nothing"


def _runs(step: Step) -> str:
    warmup = f"{step.measurement.warmup}+" if step.measurement.warmup else ""
    return f"{warmup}{step.measurement.runs} x {step.measurement.duration_s} s"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
