"""One comparison from the request to the exit code. Touches the testbed, and `.kubelb/` under the root."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from pytest_kubelb import opening, recording
from pytest_kubelb.ab import outcome, pairs, report
from pytest_kubelb.ab.opened import open_sides
from pytest_kubelb.ab.report import Plan
from pytest_kubelb.record.lines import Verdict
from pytest_kubelb.record.session import new_session
from pytest_kubelb.text.saying import say

if TYPE_CHECKING:
    from pytest_kubelb.ab.request import Request
    from pytest_kubelb.record.writer import RecordWriter

FAILED = 1
INTERRUPTED = 130


def compare(request: Request, *, as_json: bool) -> int:
    """Measure both sides in turn, record and print the outcome, and give the exit code.

    Raises KubelbError when the testbed or the record is lost, and KeyboardInterrupt, for SIGTERM and SIGHUP too; in
    any case after everything has been put back.
    """
    with opening.interruptible() as interrupts, interrupts.closing() as stack:
        inventory, facts = stack.enter_context(opening.inventory_of(request.settings, request.tunings))
        interrupts.remedy = opening.remedy(request.settings, inventory)
        sides = request.sides(inventory.file)
        session = new_session(request.root, datetime.now(UTC))
        known = {side.letter: side.facts() for side in sides}
        writer = recording.begin(session, request.settings, {**facts, "ab": known})
        code = FAILED
        try:
            plan = Plan(request, sides, session.record)
            code = _compared(plan, session.id, writer, interrupts, as_json=as_json)
        except KeyboardInterrupt:
            code = INTERRUPTED
            raise
        finally:
            recording.end(writer, code)
        return code


def _compared(
    plan: Plan, session: str, writer: RecordWriter, interrupts: opening.Interrupts, *, as_json: bool
) -> int:
    """Open both sides, measure, put back, judge; record and print what came out of it."""

    def show(*lines: str) -> None:
        if not as_json:
            say(*lines)

    request = plan.request
    show(*report.heading(plan))
    with open_sides(plan.sides, request, session, partial(recording.note, writer), interrupts) as (a, b):
        made = pairs.measure(a, b, request.settings, writer.append, lambda pair: show(report.line(pair)))
        # Before anything is put back: should that fail, the verdict is known all the same.
        judged = outcome.judge(made, request.settings.max_drop)
        failure = judged.sentence if judged.exit_code == FAILED else None
        point: dict[str, str | int] = {"pods": request.pods, "overlay": request.overlay, "side": "b/a"}
        writer.append(Verdict(point, judged.verdict, judged.figures, failure))
        show("", judged.sentence)
        if as_json:
            print(json.dumps(report.as_json(plan, made, judged), indent=2, allow_nan=False))
    return judged.exit_code
