"""pytest hooks of a session that measures points: the live line, the line of each point, the tables at the end.

Registered by the plugin once points are selected and there is a terminal to show them on. Touches the terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_kubelb import selection, stash
from pytest_kubelb.failures import BROKEN
from pytest_kubelb.report import benchmark_bridge, live_line, resume_text
from pytest_kubelb.report.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_QUIETEST: Final = -2
"""Verbosity of -qq, with which nothing of ours is shown."""
_NOT_REACHED: Final = "the session ended before"


def register(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Show what becomes of `items` while they run; does nothing without pytest's terminal plugin."""
    if not config.pluginmanager.hasplugin("terminalreporter"):
        return
    benchmark_bridge.show_rates_only(config, items)
    kept = selection.kept_from_record(config)
    ours = [item.nodeid for item in items if selection.point_of(item) and item.nodeid not in kept]
    line = live_line.LiveLine(config) if live_line.wanted(config) else None
    config.stash[stash.PROGRESS] = Progress(config.stash[stash.PLAN].steps, line)
    config.pluginmanager.register(OnScreen(config, ours), "kubelb-onscreen")


class OnScreen:
    """The hooks; `ours` are the ids of the items that measure points, in the order of the plan."""

    def __init__(self, config: pytest.Config, ours: Sequence[str]) -> None:
        self._config = config
        self._progress = config.stash[stash.PROGRESS]
        self._steps = {nodeid: index for index, nodeid in enumerate(ours)}
        self._unmeasured = dict.fromkeys(ours, _NOT_REACHED)
        self._left = dict.fromkeys(ours)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Follow an item of ours; print one line when its point is finished, except with -qq."""
        is_step = item.nodeid in self._steps
        try:
            return (yield)
        finally:
            if is_step:
                self._progress.point_finished()
            if item.stash.get(stash.FINISHED, False):
                self._left.pop(item.nodeid, None)
            if stash.LINE in item.stash:
                self._unmeasured.pop(item.nodeid, None)
                self._print(item.stash[stash.LINE])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Show that the testbed is brought to a point; the line is gone before anything is reported."""
        if item.nodeid not in self._steps:
            return (yield)
        try:
            self._progress.point_started(self._steps[item.nodeid])
            return (yield)
        finally:
            self._progress.stop()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Generator[None, None, None]:
        """Show that the testbed is being put back, which takes seconds after the last item."""
        try:
            if nextitem is None and self._config.stash.get(stash.RECORD, None):
                self._progress.putting_back()
            return (yield)
        finally:
            self._progress.stop()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep why an item of ours measured nothing; one that passed was not meant to."""
        if report.nodeid not in self._unmeasured:
            return
        if report.passed and report.when == "call":
            self._unmeasured.pop(report.nodeid)
            self._left.pop(report.nodeid, None)
        elif report.skipped and isinstance(report.longrepr, tuple):
            self._unmeasured[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")
            if not self._unmeasured[report.nodeid].startswith(BROKEN):
                self._left.pop(report.nodeid, None)
        elif report.failed:
            self._unmeasured[report.nodeid] = "it failed before its runs were made, as said above"

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> Generator[None, tuple[str, str, object], tuple[str, str, object]]:
        """Leave out the dot of a point that gets a line of its own."""
        category, letter, word = yield
        lined = hasattr(report, "kubelb_line") and self._config.get_verbosity() > _QUIETEST
        return category, "" if lined else letter, word

    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to the debugger."""
        self._progress.stop()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the tables of all points, and why the JSON report is missing if it is."""
        if self._config.get_verbosity() > _QUIETEST:
            from pytest_kubelb.report import summary

            plan = self._config.stash[stash.PLAN]
            ids = {nodeid: plan.steps[index].measurement.id for nodeid, index in self._steps.items()}
            missing = [(ids[nodeid], reason) for nodeid, reason in self._unmeasured.items()]
            summary.show(terminalreporter, self._config, missing)
            if self._left and stash.RECORD in self._config.stash:
                session = self._config.stash[stash.RECORD].parent.name
                words = self._config.invocation_params.args
                terminalreporter.write_line(resume_text.how_to_resume(len(self._left), words, session))
        if stash.UNWRITTEN in self._config.stash:
            terminalreporter.write_line(self._config.stash[stash.UNWRITTEN], red=True)

    def _print(self, line: str) -> None:
        verbosity = self._config.get_verbosity()
        if verbosity > _QUIETEST:
            writer = self._config.get_terminal_writer()
            if writer.width_of_current_line:
                writer.line()
            # With -v pytest begins the next line itself.
            writer.write(line + ("" if verbosity > 0 else "\n"), flush=True)
