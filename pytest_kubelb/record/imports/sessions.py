"""Put the files that were found into sessions, and read their runs. Touches the files, for reading.

All logs of a folder with one label are one session: a try of the original, both backends, ten run indexes,
one provisioning.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.imports.csv_table import read_rows
from pytest_kubelb.record.imports.dirt import Dirt, shown
from pytest_kubelb.record.imports.text_lines import numbered_lines
from pytest_kubelb.record.imports.wrk_logs import read_runs

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from pytest_kubelb.record.imports.found import Found
    from pytest_kubelb.record.imports.run import ImportedRun

SESSION_PER: Final = ("folder", "index", "file")
"""What becomes one session: a folder's logs of one label, those of them with one run index, or each file."""


@dataclass(frozen=True)
class Choices:
    """What the user said about the files."""

    into: Path = Path()
    """Folder whose `.kubelb` the records go to."""
    backend: str | None = None
    """Backend of all files; None: by their names."""
    overlay: str = "unknown"
    pods: int | None = None
    """Pod count of runs whose file has none."""
    duration_s: float | None = None
    """Duration of the runs of tables, which do not say it."""
    session_per: str = "folder"
    testbed: str = "imported"
    tolerance: float = 0.05
    """Largest CV that counts as repeatable."""
    dry_run: bool = False
    """Read and judge, write nothing."""


@dataclass(frozen=True)
class Group:
    """The files of one session."""

    folder: str
    """Where they are, as it may be printed."""
    label: str
    files: tuple[Found, ...]
    tables: Mapping[Path, Found]
    """The table beside a log, by the log's path: an extract of it, which is compared and not counted."""


def grouped(found: Sequence[Found], session_per: str) -> list[Group]:
    """Give the sessions in the order of their first files."""
    logs = {(one.folder, one.name.stem): one for one in found if not one.name.table}
    tables: dict[Path, Found] = {}
    members: dict[Hashable, list[Found]] = {}
    for one in found:
        log = logs.get((one.folder, one.name.stem)) if one.name.table else None
        if log is not None and log.path not in tables:
            tables[log.path] = one
            continue
        key: tuple[Hashable, ...] = (one.folder, one.name.label)
        if session_per != "folder":
            key = (*key, one.name.index) if session_per == "index" else (one.path,)
        members.setdefault(key, []).append(one)
    return [
        Group(shown(files[0].folder), files[0].name.label, tuple(files), tables) for files in members.values()
    ]


def runs_of(found: Found, dirt: Dirt, duration_s: float | None) -> Iterator[ImportedRun]:
    """Give the runs of one file, in its order. Raises KubelbError when it cannot be read any more."""
    try:
        with found.path.open("rb") as file:
            lines = numbered_lines(file, dirt)
            if found.name.table:
                yield from read_rows(lines, dirt, duration_s=duration_s)
            else:
                yield from read_runs(lines, dirt)
    except OSError as error:
        raise KubelbError(
            f"{found.shown} cannot be read: {error.strerror}; import it again when it can."
        ) from error


def first_started_s(group: Group) -> float:
    """Give the epoch of the first run of a session; that of its oldest file when no run says it."""
    known = [
        started_s
        for found in group.files
        if (started_s := _first(runs_of(found, Dirt(found.shown), None))) is not None
    ]
    return min(known) if known else min(found.modified_s for found in group.files)


def _first(runs: Iterator[ImportedRun]) -> float | None:
    return next((run.started_s for run in runs if run.started_s is not None), None)
