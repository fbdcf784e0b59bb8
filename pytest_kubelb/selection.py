"""Put the selected points in order and plan them. Touches the list of collected items, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb import matrix, stash
from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record.planned import Planned
from pytest_kubelb.settings import override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from pytest_kubelb.matrix import Measurement, Point
    from pytest_kubelb.record.resumable import Finished


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
    """Plan the items that are ours, but for those that are kept from the record of a session that is gone on with.

    Raises ConfigError for a bad marker on a single parameter set, for what wrk would refuse at a point, and for what
    the session that is gone on with did not plan.
    """
    from pytest_kubelb.load.command import check_connections

    measurements: dict[str, Measurement] = {}
    planned: dict[str, Planned] = {}
    for item in items:
        if point := point_of(item):
            markers = [(mark.args, mark.kwargs) for mark in item.iter_markers("kubelb")]
            own = override(config.stash[stash.SETTINGS], markers)
            check_connections(own.connections.at(point.pods), own.threads)
            callspec = getattr(item, "callspec", None)
            label = callspec.id if callspec else item.name
            made = matrix.Measurement(point, own.runs, own.fewest_warmups, own.duration, label)
            measurements[item.nodeid] = made
            planned[item.nodeid] = _planned(item, made)
    config.stash[stash.PLANNED] = planned
    if stash.RESUMING in config.stash:
        from pytest_kubelb.resume import session as resuming

        resuming.keep(config, planned)
    kept = kept_from_record(config)
    return matrix.plan([made for nodeid, made in measurements.items() if nodeid not in kept])


def kept_from_record(config: pytest.Config) -> Mapping[str, Finished]:
    """Give the items that are not measured, by node id, since the session that is gone on with has measured them."""
    return config.stash[stash.RESUMING].kept if stash.RESUMING in config.stash else {}


def _planned(item: pytest.Item, made: Measurement) -> Planned:
    point, callspec = made.point, getattr(item, "callspec", None)
    # A point's id depends on which others are selected; what else tells items of one bench apart does not.
    others = (
        {name: index for name, index in callspec.indices.items() if name != "lb_point"} if callspec else {}
    )
    bench = item.nodeid.removesuffix(f"[{callspec.id}]") if callspec else item.nodeid
    at = ",".join(
        f"{name}={value}" for name, value in {**point.axes(), "pass": point.provisioning, **others}.items()
    )
    return Planned(
        f"{bench}[{at}]", made.id, point.axes(), point.provisioning, made.runs, made.warmup, made.duration_s
    )


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
