"""Read the runs of a log that holds wrk's classic text. Pure: numbered lines in, runs out, dirt noted.

Nothing in a log is an error: what cannot be read becomes a run that failed, with the reason, or a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_kubelb.load.excerpt import excerpt
from pytest_kubelb.record.imports import wrk_lines
from pytest_kubelb.record.imports.clock import date_s, epoch_s
from pytest_kubelb.record.imports.pending import Pending, note_dirt
from pytest_kubelb.record.imports.run import MOST_PODS, ImportedRun, Labels

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

    from pytest_kubelb.record.imports.dirt import Dirt

_START: Final = "Start time:"
_MOST_LABELS: Final = 4
_NO_LABELS: Final = ("backend", "pods", "overlay")
"""Axes that a label in a log does not set."""


def read_runs(lines: Iterable[tuple[int, str]], dirt: Dirt) -> Iterator[ImportedRun]:
    """Give the runs of a log, in its order, one at a time, from (line number, text)."""
    log = _Log(dirt)
    for number, text in lines:
        line = text.strip()
        if line:
            yield from log.take(number, line)
    yield from log.finish()


@dataclass
class _Log:
    """The state of reading one log; any line may finish the run before it."""

    dirt: Dirt
    pods: int | None = None
    labels: Labels = ()
    header: int | None = None
    """Line of a pod count that nothing has followed yet."""
    run: Pending | None = None
    before_s: float | None = None
    """When the run before began."""
    follows_s: float | None = None
    """When a further block under the same start time began, as far as can be told."""
    shares_end: bool = False
    """Whether the next end time is that of several blocks."""

    def take(self, number: int, line: str) -> Iterator[ImportedRun]:
        """Read one line, without blanks at its ends, and give the runs that it finishes."""
        kind, match = wrk_lines.kind_of(line, in_report=self.run is not None and self.run.printed)
        text = "" if match is None or "value" not in match.groupdict() else match["value"].strip()
        if kind == "command":
            yield from self._command(number, line)
        elif kind == "number" and (seconds := epoch_s(text)) is not None:
            yield from self._late_time(number, seconds)
        elif kind in ("header", "number"):
            yield from self._pod_count(number, text, bare=kind == "number")
        elif kind == "start":
            yield from self._start(number, text)
        elif kind == "end":
            yield from self._end(number, text)
        elif kind in ("running", "figure"):
            yield from self._report(number, line, match if kind == "running" else None)
        elif kind == "refused":
            yield from self._refused(number, line)
        elif kind == "label" and match is not None:
            yield from self._label(number, line, match["key"], match["value"])
        else:
            self._aside(number, kind, line)

    def finish(self) -> Iterator[ImportedRun]:
        """Give the run that the file ends in, if there is one."""
        if self.run is not None and self.run.begun and not self.run.complete:
            self.dirt.note(self.run.line, "torn", "the log ends within this run")
        yield from self._flush()
        self._note_empty_header()

    def _command(self, number: int, line: str) -> Iterator[ImportedRun]:
        if line.startswith(_START):
            yield from self._start(number, "")
        command, epoch = wrk_lines.command_of(line.removeprefix(_START).strip())
        if self.run is not None and self.run.printed:
            yield from self._flush_between()
        elif self.run is not None and self.run.command:
            self.dirt.note(number, "retry", "wrk was started again before it had connected: one run")
        run = self._open(number)
        run.command = command
        if epoch is not None and run.started_s is None:
            self.dirt.note(number, "late epoch", f"the time stands after the command, not after {_START!r}")
            run.started_s, run.waits_for = epoch_s(epoch), None

    def _late_time(self, number: int, seconds: float) -> Iterator[ImportedRun]:
        waits_for = None if self.run is None else self.run.waits_for
        if self.run is None or waits_for is None:
            self.dirt.note(number, "stray time", f"{seconds:.0f} looks like a time and belongs to no run")
            return
        self.dirt.note(number, "late epoch", f"the {waits_for} time stands on a line of its own")
        self.run.waits_for = None
        if waits_for == "start":
            self.run.started_s = seconds
        else:
            self.run.ended_s = None if self.shares_end else seconds
            yield from self._flush()

    def _pod_count(self, number: int, text: str, *, bare: bool) -> Iterator[ImportedRun]:
        if self.run is not None and (self.run.begun or self.run.under_header):
            yield from self._flush()
        self._note_empty_header()
        pods = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
        self.pods = pods if 1 <= pods <= MOST_PODS else None
        if self.run is None:
            self.header = number
        else:  # a script that writes the start time first
            self.run.under_header, self.run.line = True, number
        if self.pods is None:
            self.dirt.note(
                number,
                "no pod count",
                f"{excerpt(text)} is no pod count from 1 to {MOST_PODS}: the runs below have none",
            )
        elif bare:
            self.dirt.note(number, "bare pod count", f"the bare number {text} is taken for the pod count")

    def _start(self, number: int, text: str) -> Iterator[ImportedRun]:
        yield from self._flush()
        run = self._open(number)
        run.started_s = self._time(number, text)
        run.waits_for = "start" if run.started_s is None else None

    def _end(self, number: int, text: str) -> Iterator[ImportedRun]:
        seconds = self._time(number, text)
        if self.run is None:
            self.dirt.note(number, "end without a run", "an end time to which no run belongs")
        elif seconds is None and not text:
            self.run.waits_for = "end"
        else:
            self.run.ended_s = None if self.shares_end else seconds
            yield from self._flush()

    def _report(self, number: int, line: str, running: re.Match[str] | None) -> Iterator[ImportedRun]:
        if self.run is not None and (self.run.complete or (running is not None and self.run.printed)):
            yield from self._flush_between()
        run = self._open(number)
        if running is None:
            run.add_figure(line)
        else:
            run.running = running

    def _refused(self, number: int, line: str) -> Iterator[ImportedRun]:
        if self.run is not None and self.run.printed:
            yield from self._flush_between()
        self._open(number).refusal = f"wrk says {excerpt(line)}"

    def _label(self, number: int, line: str, key: str, value: str) -> Iterator[ImportedRun]:
        if self.run is not None and (self.run.complete or self.run.refusal):
            yield from self._flush()
        axis = key.lower().replace("-", "_")
        if axis in _NO_LABELS or (self.run is not None and self.run.printed):
            self._aside(number, "noise", line)
            return
        others = [pair for pair in self.labels if pair[0] != axis]
        self.labels = tuple(sorted([*others[: _MOST_LABELS - 1], (axis, value)]))
        self.dirt.note(number, "label", f"the label {excerpt(line)} becomes the axis {axis!r}")

    def _aside(self, number: int, kind: str, line: str) -> None:
        if kind == "wrk2":
            self.dirt.note(
                number, "wrk2", "this is wrk2's output: its calibration and tables are passed over"
            )
        elif kind == "retry":
            self.dirt.note(number, "retry", f"a retry: {excerpt(line)}")
        elif kind == "noise":
            what = wrk_lines.noise_of(line)
            self.dirt.note(number, what, f"{what} is passed over: {excerpt(line)}")

    def _open(self, number: int) -> Pending:
        if self.run is None:
            line = number if self.header is None else self.header
            self.run = Pending(line, under_header=self.header is not None, started_s=self.follows_s)
            self.header = None
        return self.run

    def _note_empty_header(self) -> None:
        if self.header is not None:
            self.dirt.note(self.header, "empty header", "a pod count with nothing after it")
        self.header = None

    def _time(self, number: int, text: str) -> float | None:
        seconds = epoch_s(text)
        if seconds is not None or not text:
            return seconds
        words = date_s(text)
        if words is None:
            self.dirt.note(number, "odd time", f"{excerpt(text)} is no time that can be read")
            return None
        zone = "" if words[1] is None else f"; its zone ({words[1]}) is not known and taken for UTC"
        self.dirt.note(number, "date in words", f"a date in words instead of an epoch: {excerpt(text)}{zone}")
        return words[0]

    def _flush_between(self) -> Iterator[ImportedRun]:
        """Finish the pending run when a further block follows it without a start time of its own."""
        run = self.run
        for finished in self._flush():
            measured_s = 0.0 if finished.result is None else finished.result.duration_s
            if run is not None and run.ended_s is None and run.waits_for != "end":
                self.dirt.note(
                    finished.line, "several blocks", "several wrk blocks under one header: a run each"
                )
                self.follows_s = None if finished.started_s is None else finished.started_s + measured_s
                self.shares_end = True
            yield finished

    def _flush(self) -> Iterator[ImportedRun]:
        """Finish the pending run, if there is one."""
        run, self.run = self.run, None
        self.follows_s, self.shares_end = None, False
        if run is None or not (run.begun or run.started_s is not None or run.under_header):
            return
        finished = run.finished(self.pods, self.labels)
        note_dirt(finished, self.before_s, self.dirt)
        self.before_s = self.before_s if run.started_s is None else run.started_s
        yield finished
