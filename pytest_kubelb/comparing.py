"""The session's baseline: what a point may be compared with, and its verdict against it. Touches nothing.

It is made when the testbed is known, since only then can be said whether the baseline is of the same testbed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_kubelb.record import baseline, fingerprint, levels
from pytest_kubelb.record.points import point_key, point_text
from pytest_kubelb.record.reader import read_record
from pytest_kubelb.verdict import evidence, regression, sweep
from pytest_kubelb.verdict.adaptive import Prior

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_kubelb.record.baseline import Baseline
    from pytest_kubelb.record.points import PointKey
    from pytest_kubelb.record.sample import Sample, Series
    from pytest_kubelb.settings import Settings

    Axes: TypeAlias = Mapping[str, str | int]

MOST_ANEW: Final = evidence.MOST_CANDIDATES - 1
"""Times that a suspect point is provisioned and measured again."""


@dataclass(frozen=True)
class NotJudged:
    """Why there is no verdict against the baseline, in half a sentence."""

    reason: str


Judgement: TypeAlias = regression.Regression | NotJudged


def compare(settings: Settings, root: Path, record: Path, points: Collection[Axes]) -> Comparison:
    """Read the baseline of a session whose record has its facts; `points` are to be judged. Raises KubelbError."""
    current = levels.read(read_record(record))
    chosen = baseline.select(
        settings.baseline or "",
        root,
        current.session,
        against=current.fingerprint,
        points={point_key(axes) for axes in points},
    )
    return Comparison(chosen, len(points))


class Comparison:
    """A baseline, and the verdicts on the points of this session against it."""

    def __init__(self, baseline: Baseline, family: int) -> None:
        """`family` is the number of points that the session judges."""
        self._baseline = baseline
        self._refusal = baseline.refusal
        self._family = max(family, 1)
        self._unlike: dict[PointKey, dict[str, str]] = {}

    @property
    def title(self) -> str:
        """What is compared with, in words."""
        return f"baseline: {self._baseline.title}"

    @property
    def notes(self) -> Sequence[str]:
        """What the reader should know of the baseline, a sentence each."""
        return (*self._baseline.refused, *self._baseline.notes)

    def prior(self, axes: Axes) -> Prior | None:
        """Give what the baseline knows of the runs of a point."""
        sessions = self._sessions(axes)
        return Prior.of(sessions) if sessions else None

    def loaded(self, axes: Axes, samples: Iterable[Sample]) -> None:
        """Note how a point was loaded: sessions that loaded it otherwise, or got other responses, are not compared."""
        text, key = point_text(point_key(axes)), point_key(axes)
        ours = {"points": {text: levels.load_of(samples)}}
        for session in self._baseline.sessions:
            known = session.fingerprint.get("points")
            theirs = {"points": {text: known.get(text, {})}} if isinstance(known, dict) else {}
            wrong = [each for each in fingerprint.compare(theirs, ours) if each.matters]
            if wrong:
                self._unlike.setdefault(key, {})[session.session] = wrong[0].sentence

    def wants_more(self, series: Series, earlier: Sequence[Sequence[float]], max_drop: float) -> bool:
        """Tell whether the point has to be measured under a fresh provisioning before there is a verdict.

        What `earlier` passes measured of it counts: the second pass is a fresh provisioning of the first.
        """
        groups = [*earlier, *series.provisionings]
        if len(groups) > MOST_ANEW or not series.provisionings:
            return False
        judged = self.judge(series.point, groups, max_drop)
        return isinstance(judged, regression.Regression) and judged.verdict == "retest"

    def judge(self, axes: Axes, provisionings: Sequence[Sequence[float]], max_drop: float) -> Judgement:
        """Judge the valid rps of one point, a sequence for each provisioning, against the baseline's sessions."""
        if not provisionings:
            return NotJudged("it has no valid run")
        if self._refusal is not None:
            return NotJudged(self._refusal)
        sessions = self._sessions(axes)
        if not sessions:
            unlike = self._unlike.get(point_key(axes), {}).values()
            return NotJudged(next(iter(unlike), "the baseline has no valid run of it"))
        judged = regression.judge(sessions, provisionings, max_drop=max_drop)
        if judged.verdict == "retest" and judged.change >= 0:
            # Unsure, and not slower: that is not worth a fresh provisioning of a testbed.
            return replace(judged, verdict="inconclusive")
        if judged.verdict == "regression" and judged.p > sweep.POINTS_LEVEL / self._family:
            # One point of many is not yet an alarm of the sweep: Bonferroni here, Holm when all are there.
            more = len(provisionings) <= MOST_ANEW
            return replace(judged, verdict="retest" if more else "inconclusive")
        return judged

    def judge_sweep(
        self, cells: Iterable[tuple[Axes, Sequence[Sequence[float]]]], max_drop: float
    ) -> sweep.Sweep[PointKey] | NotJudged:
        """Judge the points of one backend together: axes, and the valid rps of each provisioning."""
        if self._refusal is not None:
            return NotJudged(self._refusal)
        known: dict[PointKey, tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]]] = {
            point_key(axes): (sessions, provisionings)
            # Up the ladder of pod counts: neighbours tell about each other's scatter.
            for axes, provisionings in sorted(cells, key=lambda cell: _ladder(cell[0]))
            if provisionings and (sessions := self._sessions(axes))
        }
        if not known:
            return NotJudged("the baseline has none of its points")
        return sweep.judge_sweep(known, max_drop=max_drop)

    def missing(self, measured: Iterable[Axes]) -> list[str]:
        """Give the points that the baseline has and this session has not, as text."""
        here = {point_key(axes) for axes in measured}
        return [point_text(key) for key in self._baseline.points if key not in here]

    def _sessions(self, axes: Axes) -> Sequence[Sequence[float]]:
        known = self._baseline.points.get(point_key(axes))
        if known is None:
            return ()
        unlike = self._unlike.get(point_key(axes), {})
        pairs = zip(known.sessions, known.rps, strict=True)
        return tuple(rps for session, rps in pairs if session not in unlike)


def _ladder(axes: Axes) -> tuple[tuple[str, ...], int]:
    pods = axes.get("pods", 0)
    others = tuple(str(value) for name, value in sorted(axes.items()) if name != "pods")
    return others, pods if isinstance(pods, int) else 0
