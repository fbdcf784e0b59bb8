"""Every format that is made of recorded sessions, by its name. Touches records, for reading, and the files asked for.

Each format is imported when it is written.
"""

from __future__ import annotations

import os
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.gate.plain import plain
from pytest_kubelb.record.acyclic import uncollected
from pytest_kubelb.report.whole_file import EVERYBODY_READS, OWNER_ALONE, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kubelb.record.sources import Source
    from pytest_kubelb.report.recorded import Recorded

FORMATS: Final[Mapping[str, str]] = {
    "json": "every run and every verdict; of several sessions a folder, with a file for each",
    "markdown": "the verdicts and the table, as GitHub shows them",
    "html": "one page with pictures, which opens offline",
    "csv": "a table with a row for each run",
    "parquet": "the same table with its types; needs pyarrow",
    "openmetrics": "the figures of each point, for those who scrape",
    "junit": "JUnit XML of the family xunit2",
}
"""What there is, with what it holds."""
SUMMARY_VARIABLE: Final = "GITHUB_STEP_SUMMARY"
"""Names the file to which GitHub collects the Markdown of a step."""


def check(wanted: Mapping[str, Path], sources: Sequence[Source] = ()) -> None:
    """Raise ConfigError for what could not be written, before hours are spent on it.

    That is Parquet without pyarrow, one file for two formats, and a file that is itself one of the sources.
    """
    if "parquet" in wanted:
        from pytest_kubelb.report import tables_export

        tables_export.require_pyarrow()
    taken = {source.path.resolve(): "is itself what the report is made from" for source in sources}
    for name, file in wanted.items():
        reason = taken.setdefault(file.resolve(), f"is already asked for as {name}")
        if reason != f"is already asked for as {name}":
            raise ConfigError(f"--{name} {file} {reason}: name another file.")


class Reports:
    """The reports of one or more sessions, which are read once for all formats that tell verdicts."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    @cached_property
    def sessions(self) -> tuple[Recorded, ...]:
        """The sessions with their verdicts, in the order given. Raises KubelbError for one that cannot be read."""
        from pytest_kubelb.report import recorded

        return tuple(recorded.read(source) for source in self._sources)

    @uncollected()
    def write(self, name: str, destination: Path) -> None:
        """Write one of `FORMATS` to a file, which appears whole or not at all; its folder is made.

        Markdown for the file that GitHub collects is appended to it. Raises KubelbError.
        """
        paths = [source.path for source in self._sources]
        if name == "json":
            self._write_json(destination)
        elif name == "html":
            from pytest_kubelb.report.html import build

            build.build(paths, destination)
        elif name == "csv":
            from pytest_kubelb.report import tables_export

            tables_export.write_csv(paths, destination)
        elif name == "parquet":
            from pytest_kubelb.report import tables_export

            tables_export.write_parquet(paths, destination)
        elif name == "markdown" and destination.absolute() == _summary_file():
            self.append_summary(destination)
        else:
            # What is scraped is read by another user's process.
            mode = EVERYBODY_READS if name == "openmetrics" else OWNER_ALONE
            with whole(destination, f"The {name} report", mode) as file:
                file.write(self._text(name).encode("utf-8", "backslashreplace"))

    @uncollected()
    def append_summary(self, summary: Path) -> None:
        """Append the Markdown to what GitHub collects of this step, as much of it as GitHub still takes.

        Raises KubelbError when the file cannot be written.
        """
        from pytest_kubelb.report import markdown

        try:
            with summary.open("ab") as file:
                room = markdown.LIMIT - file.tell()
                text = markdown.of_sessions(self.sessions, most_bytes=max(room, 0))
                file.write(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise KubelbError(
                f"The summary {summary} of {SUMMARY_VARIABLE} cannot be written: {error.strerror}; make it writable, "
                f"or unset {SUMMARY_VARIABLE}."
            ) from error

    def _write_json(self, destination: Path) -> None:
        from pytest_kubelb.report import json_report

        if len(self._sources) == 1:
            json_report.write(json_report.build_of(self._sources[0].lines()), destination)
            return
        for number, source in enumerate(self._sources):
            report = json_report.build_of(source.lines())
            session = report["session"]
            name = plain(str(session["id"])) if isinstance(session, dict) else f"session-{number + 1}"
            json_report.write(report, destination / f"{name.replace(os.sep, '_').lstrip('.')}.json")

    def _text(self, name: str) -> str:
        from pytest_kubelb.report import junit_file, markdown, openmetrics

        renderers: dict[str, Callable[[Sequence[Recorded]], str]] = {
            "markdown": markdown.of_sessions,
            "openmetrics": openmetrics.render,
            "junit": junit_file.render,
        }
        return renderers[name](self.sessions)


def write_all(sources: Sequence[Source], wanted: Mapping[str, Path], *, summarize: bool = False) -> None:
    """Write each of the formats, name -> file; with `summarize` also append to `$GITHUB_STEP_SUMMARY` where it is set.

    One that cannot be written does not keep the others from it: raises the first KubelbError when all were tried.
    """
    reports = Reports(sources)
    summary = _summary_file() if summarize else None
    jobs = [partial(reports.write, name, file) for name, file in wanted.items()]
    told = "markdown" in wanted and wanted["markdown"].absolute() == summary
    if summary is not None and not told:
        jobs.append(partial(reports.append_summary, summary))
    failed: list[KubelbError] = []
    for job in jobs:
        try:
            job()
        except KubelbError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _summary_file() -> Path | None:
    given = os.environ.get(SUMMARY_VARIABLE)
    return Path(given).absolute() if given else None
