"""What limited a point, out of its runs, and whether that ranks load balancers. Pure: values in, words out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pytest_kubelb.evidence.findings import ceiling as by_evidence
from pytest_kubelb.record.points import point_key
from pytest_kubelb.verdict import ceiling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.record.points import PointKey
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.report.digest import Digest


class Measured(Protocol):
    """One point and what its runs came to."""

    @property
    def id(self) -> str:
        """The point's id, as in its item's brackets."""

    @property
    def digest(self) -> Digest:
        """The figures of its runs."""


_SAYS_NOTHING: Final = (None, "unknown")


def of_point(series: Series) -> str | None:
    """Give the ceiling that most of the valid runs had; None where no evidence was read."""
    found = [
        sample.ceiling
        for sample in series.samples
        if sample.validity == "valid" and sample.ceiling is not None
    ]
    return by_evidence.of_point(found) if found else None


def of_points(points: Sequence[Measured]) -> list[str | None]:
    """Give the ceiling of each point: as the evidence names it, else `unnamed` where the spread alone tells it.

    All backends under the same other conditions share what limits them, so their spread is looked at together.
    """
    digests = [point.digest for point in points]
    return _among([(each.point, each.valid_rps, each.ceiling) for each in digests])


def of_series(series: Sequence[Series]) -> list[str | None]:
    """Give the ceiling of each point, as `of_points` does."""
    return _among([(each.point, each.valid_rps, of_point(each)) for each in series])


def _among(points: Sequence[tuple[Mapping[str, str | int], Sequence[float], str | None]]) -> list[str | None]:
    """Give the ceilings of points that are axes, valid rps, and the ceiling that the evidence names."""
    sweeps: dict[PointKey, dict[int, Sequence[float]]] = {}
    for index, (axes, rps, _) in enumerate(points):
        shared = {axis: value for axis, value in axes.items() if axis not in ("backend", "pods")}
        sweeps.setdefault(point_key(shared), {})[index] = rps
    by_spread = {index for sweep in sweeps.values() for index in ceiling.at_ceiling(sweep)}
    return [
        ceiling.BY_SPREAD if index in by_spread and word in _SAYS_NOTHING else word
        for index, (_, _, word) in enumerate(points)
    ]


def ranks(word: str | None) -> bool:
    """Tell whether a point with this ceiling may rank load balancers: something else than one limits it where not."""
    return word != ceiling.BY_SPREAD and word not in by_evidence.RANKS_NOTHING
