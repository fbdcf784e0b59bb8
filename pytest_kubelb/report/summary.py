"""The sections at the end of the session: every point, and every point against the baseline. Touches the terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_kubelb import stash
from pytest_kubelb.report import comparison, terminal

if TYPE_CHECKING:
    import pytest


def show(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the sections that have something to say."""
    outcomes, width = config.stash[stash.OUTCOMES], config.get_terminal_writer().fullwidth
    reporter.section("load balancers")
    for line in terminal.table(outcomes, width):
        reporter.write_line(line)
    if stash.COMPARISON in config.stash:
        reporter.section("against the baseline")
        for line in comparison.lines(outcomes, config.stash[stash.COMPARISON], width):
            reporter.write_line(line)
        for sentence in config.stash.get(stash.SWEEPS, []):
            for line in textwrap.wrap(sentence, width):
                reporter.write_line(line)
