"""One row of the matrix: a fault is provoked while a session measures. Touches the lab that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.conftest import Row
from tests.faults.running import restore
from tests.faults.snapshot import differences

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.bed import Bed
    from tests.faults.fault import Fault
    from tests.faults.running import Line, Session


def provoked(fault: Fault, bed: Bed, session: Session) -> tuple[list[Line], float]:
    """Provoke the fault when the first run is in the record; that run, and the seconds until the fault was noticed."""
    session.until(session.measures)
    # A session that waits says nothing meanwhile.
    said_before = session.says(fault.said) if fault.waits else 0
    with fault.provoke(bed):
        session.go_on()
        earlier = session.samples()
        noticed_s = session.until(lambda: session.says(fault.said) > said_before)
        if fault.ended == "stopped":
            session.end()
    return earlier, noticed_s


def there_before(fault: Fault, bed: Bed, folder: Path) -> tuple[Session, float]:
    """Give a session that began, and ended, under the fault."""
    with fault.provoke(bed), bed.session(folder, *fault.options) as session:
        noticed_s = session.until(lambda: session.says(fault.said))
        session.end()
    return session, noticed_s


def check(fault: Fault, bed: Bed, table: dict[str, Row], folder: Path) -> None:
    """See that the fault is named, costs only what it spoils, and that everything is as before in the end."""
    try:
        _check(fault, bed, table, folder)
    except BaseException:
        restore(bed.inventory)  # or one row that fails would fail all the others
        raise


def _check(fault: Fault, bed: Bed, table: dict[str, Row], folder: Path) -> None:
    before = bed.snapshot()
    if fault.early:
        earlier: list[Line] = []
        session, noticed_s = there_before(fault, bed, folder)
    else:
        with bed.session(
            folder, f"--kubelb-pods=2,{fault.last_pods}", *fault.options, waits=fault.waits
        ) as session:
            earlier, noticed_s = provoked(fault, bed, session)
            session.end()
    if fault.restore:
        mended = restore(bed.inventory)
        assert mended.returncode == 0, mended.stdout + mended.stderr
    left = differences(before, bed.snapshot, fault.may_differ)
    samples = session.samples()
    lost = [each for each in samples if each["validity"] not in ("valid", "warmup")]
    last = fault.last_pods, "valid"
    went_on = bool(samples) and (samples[-1]["point"]["pods"], samples[-1]["validity"]) == last
    ended = "healed" if went_on else "stopped"
    row = table.setdefault(fault.name, Row())
    row.add(lost=len(lost), left=len(left), ended=ended, notice_s=noticed_s)
    assert not left, "\n".join([*left, session.output])
    assert samples[: len(earlier)] == earlier
    assert "Traceback" not in session.output, session.output
    assert ended == fault.ended, (session.output, [each["reason"] for each in samples])
    if ended == "stopped":
        assert session.process.returncode == 1, session.output
    elif fault.event:
        assert fault.event in [line["name"] for line in session.lines() if line["kind"] == "event"]
    if fault.loses and fault.waits and fault.in_hand:
        in_hand = samples[len(earlier)]
        assert in_hand in lost, "the run under the fault is valid"
    if fault.loses:
        assert lost, samples
        assert all(each["reason"] for each in lost)
