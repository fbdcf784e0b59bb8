"""Feed the artifacts of a point while it is measured: commands on the hosts, our log, wrk's output, the evidence.

Touches the session's artifacts, through `report.artifacts`, and the logger of this package.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import KubelbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.observing import Observed
    from pytest_kubelb.report.artifacts import Artifacts, PointArtifacts
    from pytest_kubelb.testbed.hosts import Completed

MOST_EARLY: Final = 500
"""Commands that brought the testbed to a point, kept until the point begins."""
_LOGGER: Final = logging.getLogger("pytest_kubelb")


class Keeping(logging.Handler):
    """What is kept of the point that is being measured. Commands come from any thread."""

    def __init__(self, artifacts: Artifacts) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._artifacts = artifacts
        self._commands = threading.Lock()
        self._early: deque[Completed] = deque(maxlen=MOST_EARLY)
        self._point: PointArtifacts | None = None
        self._trouble: KubelbError | None = None

    def heard(self, completed: Completed) -> None:
        """Take a command that ended on a host; one that is not of a point yet leads to the next one."""
        with self._commands:
            if self._point is None:
                self._early.append(completed)
            else:
                self._tried(partial(_command, completed))

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of our log."""
        self._tried(lambda point: point.log(self.format(record)))

    def begin(self, point_id: str) -> None:
        """Begin a point. Raises KubelbError when its folder cannot be made."""
        with self._commands:
            self._point = self._artifacts.point(point_id)
            for early in self._early:
                self._tried(partial(_command, early))
            self._early.clear()
        _LOGGER.addHandler(self)

    def run(self, made: Observed, printed: Completed | None) -> None:
        """Take a run: what wrk printed, and what was read around it."""
        if printed is not None:
            self._tried(
                lambda point: point.wrk(made.sample.run, made.sample.command, printed.stdout, printed.stderr)
            )
        if made.evidence is not None:
            evidence = made.evidence
            self._tried(lambda point: point.evidence(evidence))

    def end(self, *, failed: bool) -> None:
        """End the point. Raises KubelbError when something could not be kept; the point's runs are recorded anyway."""
        _LOGGER.removeHandler(self)
        with self._commands:
            point, self._point = self._point, None
            trouble, self._trouble = self._trouble, None
        if point is not None:
            point.finish(failed=failed)
        if trouble is not None:
            raise trouble

    def _tried(self, keep: Callable[[PointArtifacts], None]) -> None:
        """Do it unless nothing is kept; the first thing that the disk does not take is raised at the point's end."""
        if self._point is None or self._trouble is not None:
            return
        try:
            keep(self._point)
        except KubelbError as error:
            self._trouble = error


def _command(completed: Completed, point: PointArtifacts) -> None:
    point.command(completed)
