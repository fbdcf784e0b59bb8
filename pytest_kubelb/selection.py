"""Put the selected points in order and plan them. Touches the list of collected items, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb import matrix, stash
from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.settings import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_kubelb.matrix import Measurement, Point


def point_of(item: pytest.Item) -> Point | None:
    """Give the point that an item measures; None for a test that is not ours."""
    callspec = getattr(item, "callspec", None)
    point = callspec.params.get("lb_point") if callspec else None
    return point if isinstance(point, matrix.Point) else None


def drop_sweeps_without_baseline(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the items that judge a whole sweep last; deselect them when there is nothing to compare with."""
    sweeps = [item for item in items if "sweep" in getattr(item, "fixturenames", ())]
    if not sweeps:
        return
    items[:] = [item for item in items if item not in sweeps]
    if config.stash[stash.SETTINGS].baseline is None:
        config.hook.pytest_deselected(items=sweeps)
    else:
        items += sweeps


def check_baseline(config: pytest.Config) -> None:
    """Refuse a baseline that does not exist before anything is started. Raises ConfigError with its origin."""
    settings = config.stash[stash.SETTINGS]
    if settings.baseline is not None:
        from pytest_kubelb.record import baseline

        try:
            baseline.check(settings.baseline, config.rootpath)
        except KubelbError as error:
            raise ConfigError(f"{settings.origins['baseline']}: {error}") from error


def order(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort our items, within the places they have, as pytest_kubelb_order_points says.

    Several benches at one point follow one another; other tests stay where they are.
    """
    ours = {index: point for index, item in enumerate(items) if (point := point_of(item))}
    visit = _visit(config, set(ours.values()))
    moved = [items[index] for index in sorted(ours, key=lambda index: visit[ours[index]])]
    for place, item in zip(ours, moved, strict=True):
        items[place] = item


def plan(config: pytest.Config, items: Sequence[pytest.Item]) -> matrix.Plan:
    """Plan the items that are ours.

    Raises ConfigError for a bad marker on a single parameter set, and for what wrk would refuse at a point.
    """
    from pytest_kubelb.load.command import check_connections

    measurements: list[Measurement] = []
    for item in items:
        if point := point_of(item):
            markers = [(mark.args, mark.kwargs) for mark in item.iter_markers("kubelb")]
            own = override(config.stash[stash.SETTINGS], markers)
            check_connections(own.connections.at(point.pods), own.threads)
            callspec = getattr(item, "callspec", None)
            label = callspec.id if callspec else item.name
            measurements.append(matrix.Measurement(point, own.runs, own.fewest_warmups, own.duration, label))
    return matrix.plan(measurements)


def _visit(config: pytest.Config, selected: set[Point]) -> dict[Point, int]:
    """Give each selected point's place in the order."""
    # In the order of generation, since pytest has already sorted the items in its own way.
    points = tuple(point for point in config.stash[stash.POINTS] if point in selected)
    settings = config.stash[stash.SETTINGS]
    visit = config.hook.pytest_kubelb_order_points(config=config, settings=settings, points=points)
    if len(visit) != len(points) or set(visit) != selected:
        raise ConfigError(
            f"pytest_kubelb_order_points gave {len(set(visit) & selected)} of the {len(points)} selected "
            f"points in {len(visit)} places: its implementation has to return each of them once."
        )
    return {point: place for place, point in enumerate(visit)}
