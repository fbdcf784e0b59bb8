"""One item for each backend's whole sweep, and its verdict against the baseline. Touches pytest and the record."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import stash
from pytest_kubelb.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.record.points import PointKey
    from pytest_kubelb.settings import Settings
    from pytest_kubelb.verdict.sweep import Sweep


def generate(metafunc: pytest.Metafunc, settings_of: Callable[[pytest.Config], Settings]) -> None:
    """Give a function that asks for `sweep` one item for each backend of the settings."""
    try:
        backends = settings_of(metafunc.config).backend
    except ConfigError as error:
        metafunc.config.stash.setdefault(stash.USAGE_ERROR, str(error))
        return
    parameters = [pytest.param(name, id=name, marks=pytest.mark.kubelb(backend=name)) for name in backends]
    metafunc.parametrize("sweep", parameters, indirect=True)


def judge(item: pytest.Item, backend: str) -> None:
    """Judge what was measured of `backend`, tell every report, and fail or skip by it."""
    from pytest_kubelb.comparing import NotJudged
    from pytest_kubelb.failures import InconclusiveError, RegressionError
    from pytest_kubelb.outcomes import Outcomes
    from pytest_kubelb.record.points import point_text
    from pytest_kubelb.report import junit
    from pytest_kubelb.verdict import sweep

    config = item.config
    settings = config.stash[stash.SETTINGS]
    cells = config.stash.get(stash.OUTCOMES, Outcomes()).cells(backend)
    if not cells or stash.COMPARISON not in config.stash:
        pytest.skip(f"no point of {backend} was measured")
    judged = config.stash[stash.COMPARISON].judge_sweep(cells, settings.max_drop)
    told = config.stash.setdefault(stash.SWEEPS, [])
    if isinstance(judged, NotJudged):
        sentence = f"The sweep through {backend} is not judged against the baseline: {judged.reason}."
        told.append(sentence)
        item.user_properties.extend(junit.comparison_properties(judged))
        if settings.on_missing_baseline == "fail":
            raise InconclusiveError(sentence, pytrace=False)
        pytest.skip(sentence)
    sentence = sweep.sentence(f"the sweep through {backend}", judged, point_text)
    told.append(sentence)
    item.user_properties.extend(junit.comparison_properties(judged.overall))
    _record(config, backend, judged, sentence)
    if judged.overall.verdict == "regression":
        raise RegressionError(sentence, pytrace=False)
    if judged.overall.verdict != "pass" and settings.on_inconclusive == "fail":
        raise InconclusiveError(sentence, pytrace=False)


def _record(config: pytest.Config, backend: str, judged: Sweep[PointKey], sentence: str) -> None:
    from pytest_kubelb import recording

    if stash.WRITER in config.stash:
        points = len(judged.points)
        details = {"backend": backend, "points": points, "sentence": sentence, **asdict(judged.overall)}
        recording.note(config.stash[stash.WRITER], "sweep", details)
