"""One line at the bottom of the terminal that is rewritten in place. Touches the terminal, around pytest's capture.

pytest owns the terminal: it leaves lines unfinished (`test_rps.py::test_rps[ipvs-pods01] `), and goes on with
them later. So the live line has a row of its own below, and its end brings the cursor back to where pytest left
it; nothing of it is written through pytest's writer, which would count its width. rich and tqdm draw over an
unfinished line, and into the captured output.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import pytest

_ERASE: Final = "\r\x1b[2K"
_UP: Final = "\x1b[A"


def wanted(config: pytest.Config) -> bool:
    """Tell whether a live line can be shown: a terminal that nobody else writes to while a test runs.

    With -s, live logs or --setup-show others do. Colours do not matter: the line has none.
    """
    reporter = config.pluginmanager.getplugin("terminalreporter")
    return bool(
        reporter is not None
        and reporter.isatty
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        and config.get_verbosity() > -2
        and config.getoption("capture", "no") in ("fd", "sys")
        and not config.getoption("setupshow", False)
        and not _logs_live(config)
    )


def _logs_live(config: pytest.Config) -> bool:
    if not config.pluginmanager.hasplugin("logging"):
        return False
    return bool(config.getini("log_cli")) or config.getoption("log_cli_level", None) is not None


class LiveLine:
    """The line; it is there from the first `show` to the next `erase`."""

    def __init__(self, config: pytest.Config) -> None:
        self._writer = config.get_terminal_writer()
        self._capture = config.pluginmanager.getplugin("capturemanager")
        self._shown = False
        self._back = ""

    def show(self, compose: Callable[[int], str]) -> None:
        """Show what `compose` gives for the terminal's columns, which has to be shorter, instead of what was shown."""
        with self._uncaptured():
            if self._shown:
                self._write(_ERASE + compose(self._writer.fullwidth))
                return
            # Captured, pytest's writer would see a file, and take it for 80 columns.
            width, column = self._writer.fullwidth, self._writer.width_of_current_line
            self._shown = True
            # A line as wide as the terminal leaves the cursor on its last column.
            self._back = f"{_UP}\x1b[{column % width + 1 if column % width else width}G" if column else ""
            self._write(("\n" if column else "\r") + compose(width))

    def erase(self) -> None:
        """Take the line away, and bring the cursor back to where pytest left it."""
        if self._shown:
            self._shown = False
            with self._uncaptured():
                self._write(_ERASE + self._back)

    def _uncaptured(self) -> AbstractContextManager[None]:
        if self._capture is None:
            return nullcontext()
        uncaptured: AbstractContextManager[None] = self._capture.global_and_fixture_disabled()
        return uncaptured

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
