"""pytest hooks of a session that goes on: items that are finished give what the record has, and nothing is touched.

Registered by the plugin when there is something to resume. Touches pytest, and the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_kubelb import stash
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.sample import Series
from pytest_kubelb.resume import session as resuming
from pytest_kubelb.settings import override

if TYPE_CHECKING:
    from pytest_kubelb.record.resumable import Finished

_WANTED: Final = ("benchmark", "request")
"""Fixtures that a kept item still gets: pytest-benchmark shows its runs."""


class KeptItems:
    """The hooks."""

    def __init__(self, config: pytest.Config) -> None:
        self._kept = config.stash[stash.RESUMING].kept

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Open the record before the first item, since verdicts on what is kept may go to it."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return
        try:
            resuming.open_record(session.config)
        except KubelbError as error:
            raise pytest.UsageError(str(error)) from error

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Let no fixture of a kept item start: they would open the testbed, or need it."""
        if item.nodeid in self._kept and isinstance(item, pytest.Function):
            item.stash[stash.KEPT] = True
            for name in item.fixturenames:
                if name not in _WANTED:
                    item.funcargs[name] = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Leave the recorded runs for the verdict, instead of calling the bench."""
        finished = self._kept.get(pyfuncitem.nodeid)
        if finished is None:
            return None
        self._give(pyfuncitem, finished)
        if finished.failure is not None:
            pytest.fail(f"{finished.failure} (kept from the record)", pytrace=False)
        return True

    def _give(self, item: pytest.Function, finished: Finished) -> None:
        config = item.config
        markers = [(mark.args, mark.kwargs) for mark in item.iter_markers("kubelb")]
        settings = override(config.stash[stash.SETTINGS], markers)
        first, *anew = finished.provisionings
        series = Series(first[0].point, first, settings.tolerance, tuple(anew))
        item.stash[stash.SERIES], item.stash[stash.OWN_SETTINGS] = series, settings
        if stash.COMPARISON in config.stash:
            config.stash[stash.COMPARISON].loaded(series.point, series.samples)
