"""What a session keeps of the points that it has judged. Touches nothing.

Thousands of runs pass through a session, and what it holds must not grow with them: a point's runs are in the record,
and here is what the verdicts and tables still to come need of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_kubelb.record.points import point_key
from pytest_kubelb.report import findings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.comparing import Judgement
    from pytest_kubelb.record.points import PointKey
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.report.digest import Digest
    from pytest_kubelb.verdict.repeatability import Repeatability


@dataclass(frozen=True)
class Outcome:
    """One judged point: a row of the table."""

    id: str
    """As in the item's brackets: `ipvs-pods04`."""
    digest: Digest
    """The figures of its runs."""
    repeatability: Repeatability
    judgement: Judgement | None
    """Against the baseline; None when the session has none."""
    kept: bool = False
    """Its runs are those of the record of the session that is gone on with."""


class Outcomes:
    """The judged points of one session, in the order in which they were judged."""

    def __init__(self) -> None:
        self.each: list[Outcome] = []
        self.told = findings.Told()
        """What the evidence found at all of them."""
        self._cells: dict[PointKey, tuple[Mapping[str, str | int], list[Sequence[float]]]] = {}

    def add(self, outcome: Outcome, series: Series) -> None:
        """Take a point with its verdict, and its runs, of which nothing is held."""
        self.each.append(outcome)
        self.told.add(outcome.id, series)
        axes = outcome.digest.point
        _, provisionings = self._cells.setdefault(point_key(axes), (axes, []))
        provisionings.extend(each.rps for each in outcome.digest.provisionings)

    def provisionings(self, axes: Mapping[str, str | int]) -> Sequence[Sequence[float]]:
        """Give what was measured of a point in all passes until now: the valid rps of each provisioning."""
        _, provisionings = self._cells.get(point_key(axes), (axes, []))
        return tuple(provisionings)

    def cells(self, backend: str) -> list[tuple[Mapping[str, str | int], Sequence[Sequence[float]]]]:
        """Give the points of a backend: axes, and the valid rps of each provisioning, those of every pass together."""
        return [cell for cell in self._cells.values() if cell[0].get("backend") == backend]
