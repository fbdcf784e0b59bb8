"""The matrix: each fault is provoked while a session measures, and everything is as before in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults import conftest
from tests.faults.provoking import FAULTS, Fault
from tests.faults.running import restore
from tests.faults.snapshot import differences

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.bed import Bed
    from tests.faults.conftest import Row

ROUNDS = 3 if conftest.LONG else 1


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_costs_the_run_in_hand_at_most_and_leaves_nothing(
    fault: Fault, turn: int, bed: Bed, row: Row, tmp_path: Path
) -> None:
    assert turn < ROUNDS
    before = bed.snapshot()
    if fault.early:
        with fault.provoke(bed):
            session = bed.session(tmp_path)
            noticed_s = session.until(lambda: session.says(fault.said))
            code = session.end()
        earlier = []
    else:
        session = bed.session(tmp_path)
        session.until(session.measures)
        with fault.provoke(bed):
            earlier = session.samples()
            noticed_s = session.until(lambda: session.says(fault.said))
            if fault.ended == "stopped":
                session.end()
        code = session.end()
    samples = session.samples()
    lost = [each for each in samples if each["validity"] not in ("valid", "warmup")]
    row.times += 1
    row.lost += len(lost)
    row.ended = fault.ended
    row.notice_s.append(noticed_s)
    if fault.restore:
        mended = restore(bed.inventory)
        assert mended.returncode == 0, mended.stdout + mended.stderr
    left = differences(before, bed.snapshot)
    row.leftovers += len(left)
    assert not left, "\n".join([*left, session.output])
    assert samples[: len(earlier)] == earlier
    assert "Traceback" not in session.output, session.output
    if fault.ended == "healed":
        assert samples[-1]["point"]["pods"] == 3, session.output
        assert samples[-1]["validity"] == "valid", session.output
    else:
        assert code == 1, session.output
        assert session.says(fault.said)
    if fault.loses:
        assert lost, session.output
        assert all(each["reason"] for each in lost)
