"""The run of a log that is being read and not finished yet. Values; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import WrkOutputError
from pytest_kubelb.load.classic_output import parse_classic_output
from pytest_kubelb.record.imports import wrk_lines
from pytest_kubelb.record.imports.run import ImportedRun, Labels

if TYPE_CHECKING:
    import re

    from pytest_kubelb.load.result import WrkResult
    from pytest_kubelb.record.imports.dirt import Dirt

_MOST_FIGURES: Final = 64
"""Lines of one block that are kept; wrk with --latency prints 12, wrk2 16."""


@dataclass
class Pending:
    """What has been read of a run so far."""

    line: int
    """Where it begins."""
    under_header: bool
    """Whether a pod count stands right above it."""
    started_s: float | None = None
    ended_s: float | None = None
    waits_for: str | None = None
    """`start` or `end` while that line has come without its time."""
    command: str = ""
    running: re.Match[str] | None = None
    """The line `Running 1m test @ ...`."""
    figures: list[str] = field(default_factory=list)
    complete: bool = False
    """Whether wrk's last line has come."""
    refusal: str | None = None
    """What wrk said when it could not connect."""

    @property
    def printed(self) -> bool:
        """Whether wrk has connected and printed something."""
        return bool(self.figures or self.running)

    @property
    def begun(self) -> bool:
        """Whether it is more than a start time."""
        return bool(self.command or self.printed or self.refusal)

    def add_figure(self, line: str) -> None:
        """Take a line of wrk's report."""
        if len(self.figures) < _MOST_FIGURES:
            self.figures.append(line)
        self.complete = line.startswith("Transfer/sec")

    def finished(self, pods: int | None, labels: Labels) -> ImportedRun:
        """Give the run as it stands."""
        result, problem = self._result()
        asked_s = wrk_lines.asked_s(self.command)
        if asked_s is None and self.running is not None:
            asked_s = wrk_lines.announced_s(self.running, None if result is None else result.duration_s)
        return ImportedRun(
            self.line, pods, labels, self.started_s, self.ended_s, self.command, asked_s, result, problem
        )

    def _result(self) -> tuple[WrkResult | None, str | None]:
        if not self.figures:
            if self.refusal:
                return None, self.refusal
            return (
                None,
                "wrk printed no result" if self.running else "wrk did not start, or could not connect",
            )
        try:
            return parse_classic_output("\n".join(self.figures)), None
        except WrkOutputError as error:
            return None, str(error).rstrip(".")


def note_dirt(run: ImportedRun, before_s: float | None, dirt: Dirt) -> None:
    """Note what is odd in the times and errors of a run; `before_s` is when the run above it began."""
    if run.started_s is None:
        dirt.note(run.line, "no start time", "a run without a start time")
    elif before_s is not None and run.started_s < before_s:
        dirt.note(run.line, "time backwards", "time runs backwards: this run began before the one above it")
    if run.ended_s is None:
        dirt.note(run.line, "no end time", "a run without an end time: wrk's own measure is its wall time")
    elif run.started_s is not None and run.ended_s < run.started_s:
        dirt.note(
            run.line,
            "end before start",
            "time runs backwards: this run ended before it began, so wrk's measure counts",
        )
    if run.result is None:
        return
    errors = run.result.errors
    if errors.connect or errors.read or errors.write or errors.timeout:
        dirt.note(run.line, "socket errors", "a run with socket errors, which are kept beside its result")
    if errors.status:
        dirt.note(
            run.line, "error statuses", f"{errors.status} responses with a status other than 2xx or 3xx"
        )
