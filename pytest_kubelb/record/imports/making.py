"""Write imported sessions as records. Touches the files it reads, and `.kubelb/` under the folder it is given."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pytest_kubelb import __version__
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.appending import LONGEST_LINE
from pytest_kubelb.record.imports.clock import iso
from pytest_kubelb.record.imports.dirt import Dirt, Warned, shown
from pytest_kubelb.record.imports.found import find
from pytest_kubelb.record.imports.run import Labels, axes
from pytest_kubelb.record.imports.samples import Measured, Reading, samples_of
from pytest_kubelb.record.imports.sessions import Choices, Group, first_started_s, grouped
from pytest_kubelb.record.lines import Event, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.session import FOLDER, RECORD, new_session
from pytest_kubelb.record.writer import RecordWriter
from pytest_kubelb.verdict import repeatability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_kubelb.record.imports.samples import Cell
    from pytest_kubelb.record.session import Session

_MOST_FILES_LISTED: Final = 2000
_MOST_WARNINGS_RECORDED: Final = 1000


@dataclass(frozen=True)
class Imported:
    """One session that was imported."""

    group: Group
    session: Session | None
    """None on a dry run."""
    runs: tuple[Measured, ...]
    judged: Mapping[Cell, repeatability.Repeatability]


def import_paths(
    paths: Sequence[Path], words: Mapping[str, str], choices: Choices
) -> tuple[list[Imported], list[Warned]]:
    """Import all files under `paths`; give the sessions, and everything that was odd.

    A session without a run is not made. Raises KubelbError when a path does not exist, when there is no run
    at all, or when the record cannot be written: a record that is not complete is taken away again.
    """
    notes: list[Dirt] = []
    _prepare(choices.into, dry_run=choices.dry_run)
    found = list(find(paths, words, notes, _imported_before(choices.into)))
    reading = Reading(choices)
    sessions = [
        imported
        for group in grouped(found, choices.session_per)
        if (imported := _import(group, reading)) is not None
    ]
    warned = [warned for dirt in notes for warned in dirt.warned()]
    if not sessions:
        raise KubelbError(_nothing(paths, warned))
    return sessions, warned


def _import(group: Group, reading: Reading) -> Imported | None:
    started_s = first_started_s(group)
    writer: RecordWriter | None = None
    session: Session | None = None
    runs: list[Measured] = []
    try:
        for sample, measured in samples_of(group, reading):
            if session is None and not reading.choices.dry_run:
                session, writer = _begin(group, reading.choices, started_s)
            if writer is not None:
                writer.append(sample)
            runs.append(measured)
        rates = _valid_rates(runs)
        judged = {
            cell: repeatability.judge(rps, tolerance=reading.choices.tolerance) for cell, rps in rates.items()
        }
        if writer is not None:
            _end(writer, group, rates, judged)
            last_s = max((run.started_s or started_s) + run.wall_s for run in runs)
            failed = any(outcome.verdict == "unrepeatable" for outcome in judged.values())
            writer.append(SessionEnd(iso(last_s), 1 if failed else 0))  # as pytest would have ended
    except BaseException:
        if session is not None:
            # Half a session would be judged as a whole one.
            session.record.unlink(missing_ok=True)
            session.folder.rmdir()
        raise
    finally:
        if writer is not None:
            writer.close()
    return Imported(group, session, tuple(runs), judged) if runs else None


def _begin(group: Group, choices: Choices, started_s: float) -> tuple[Session, RecordWriter]:
    session = new_session(choices.into, datetime.fromtimestamp(started_s, UTC))
    files = [
        {"path": found.shown[-300:], "sha256": found.sha256} for found in group.files[:_MOST_FILES_LISTED]
    ]
    facts: dict[str, object] = {
        "testbed": choices.testbed,
        "imported": {
            "at": _now(),
            "from": group.folder,
            "label": group.label,
            "session_per": choices.session_per,
            "files": files,
            "files_in_all": len(group.files),
        },
        "versions": {"pytest_kubelb": __version__},
        **({"label": group.label} if group.label else {}),
    }
    given = {"backend": choices.backend, "overlay": choices.overlay, "pods": choices.pods}
    settings = {
        key: {"value": str(value), "origin": "kubelb import"}
        for key, value in given.items()
        if value is not None
    }
    return session, RecordWriter(session.record, SessionStart(session.id, iso(started_s), facts, settings))


def _end(
    writer: RecordWriter,
    group: Group,
    rates: Mapping[Cell, Sequence[float]],
    judged: Mapping[Cell, repeatability.Repeatability],
) -> None:
    """Append what was odd in the files, and the verdicts."""
    tables = [group.tables[found.path] for found in group.files if found.path in group.tables]
    warned = [one for found in [*group.files, *tables] for one in found.dirt.warned()]
    for one in warned[:_MOST_WARNINGS_RECORDED]:
        writer.append(Event(_now(), "import_warning", {**asdict(one), "lines": list(one.lines)}))
    for cell, outcome in judged.items():
        figures = asdict(outcome)
        word = figures.pop("verdict")
        figures["provisioning"] = cell.provisioning
        name = f"{cell.backend}-pods{cell.pods:02d}"
        words = repeatability.sentence(name, rates[cell], outcome) if word == "unrepeatable" else None
        writer.append(Verdict(axes(cell.backend, cell.pods, cell.overlay, cell.labels), word, figures, words))


def _valid_rates(runs: Sequence[Measured]) -> dict[Cell, list[float]]:
    """Give the valid runs of each cell; cells in the order backend, overlay, labels, pods, provisioning."""
    rates: dict[Cell, list[float]] = {cell: [] for cell in sorted({run.cell for run in runs}, key=_rank)}
    for run in sorted(runs, key=lambda run: run.run):
        if run.validity == "valid" and run.rps is not None:
            rates[run.cell].append(run.rps)
    return rates


def _rank(cell: Cell) -> tuple[str, str, Labels, int, int]:
    return (cell.backend, cell.overlay, cell.labels, cell.pods, cell.provisioning)


def _prepare(into: Path, *, dry_run: bool) -> None:
    if (into / FOLDER).is_symlink():
        raise KubelbError(
            f"{shown(into / FOLDER)} is a symbolic link, and records stay in the folder they are meant for: "
            "give --into the folder it points into."
        )
    if dry_run:
        return
    try:
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KubelbError(
            f"--into {shown(into)} cannot be made: {error.strerror}; name another folder."
        ) from error


def _imported_before(into: Path) -> dict[str, str]:
    """Give the hashes of the files that earlier imports into this folder hold, and in which session."""
    known: dict[str, str] = {}
    for record in sorted((into / FOLDER).glob(f"*/{RECORD}")):
        try:
            with record.open("rb") as file:
                first = json.loads(file.readline(LONGEST_LINE))
            for entry in first["facts"]["imported"]["files"]:
                known[str(entry["sha256"])] = f"a file of session {record.parent.name}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # not the record of an import
    return known


def _nothing(paths: Sequence[Path], warned: Sequence[Warned]) -> str:
    given = ", ".join(shown(path) for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    reasons = "; ".join(str(one).rstrip(".") for one in warned[:3]) or "there is no log and no table"
    return f"Nothing was imported from {given}: {reasons}; name logs of wrk or CSV tables of pods and requests/s."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
