"""Points, ids, order and plan: what holds for every matrix."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.matrix import Measurement, Point, grid, ids, ordered, plan
from pytest_kubelb.option_values import ORDERS

backends = st.lists(st.sampled_from(["ipvs", "proxy", "haproxy"]), min_size=1, unique=True)
overlays = st.lists(st.sampled_from(["vxlan", "host-gw", "none"]), min_size=1, unique=True)
tunings = st.lists(st.sampled_from(["none", "rps", "seed"]), min_size=1, unique=True)
pods = st.lists(st.integers(1, 120), min_size=1, max_size=12, unique=True)
grids = st.builds(grid, backends, pods, overlays, tunings, st.integers(1, 3))
subsets = grids.flatmap(lambda points: st.lists(st.sampled_from(points), unique=True))
orders = st.sampled_from(ORDERS)
seeds = st.integers(0, 2**32 - 1)


def knobs(point: Point, other: Point) -> int:
    """Count the axes in which two points differ."""
    return sum(value != other.axes()[axis] for axis, value in point.axes().items())


@given(subsets, orders, seeds)
def test_every_selected_point_is_visited_exactly_once(points: list[Point], order: str, seed: int) -> None:
    visit = ordered(points, order, seed)
    assert len(visit) == len(points)
    assert set(visit) == set(points)


@given(grids, seeds)
def test_neighbours_in_a_paired_sweep_differ_in_one_thing(points: tuple[Point, ...], seed: int) -> None:
    for before, after in pairwise(ordered(points, "paired", seed)):
        if before.provisioning == after.provisioning:
            assert knobs(before, after) == 1


@given(subsets, seeds)
def test_backends_lie_back_to_back_at_each_place_of_any_selection(points: list[Point], seed: int) -> None:
    places = [(p.provisioning, p.overlay, p.pods, p.tuning) for p in ordered(points, "paired", seed)]
    changes = sum(before != after for before, after in pairwise(places))
    assert changes == max(0, len(set(places)) - 1)


@given(st.integers(1, 20), seeds)
def test_each_backend_of_a_paired_sweep_goes_first_as_often_as_the_other(half: int, seed: int) -> None:
    visit = ordered(grid(("ipvs", "proxy"), range(1, 2 * half + 1), ("vxlan",)), "paired", seed)
    firsts = [point.backend for point in visit[::2]]
    assert firsts == ["ipvs", "proxy"] * half


def test_the_second_pass_begins_with_the_other_backend() -> None:
    visit = ordered(grid(("ipvs", "proxy"), (1, 2), ("vxlan",), passes=2), "paired", 0)
    assert [(point.provisioning, point.backend) for point in visit] == [
        (1, "ipvs"),
        (1, "proxy"),
        (1, "proxy"),
        (1, "ipvs"),
        (2, "proxy"),
        (2, "ipvs"),
        (2, "ipvs"),
        (2, "proxy"),
    ]


@given(grids, orders, seeds)
def test_a_pass_is_finished_before_the_next_begins(points: tuple[Point, ...], order: str, seed: int) -> None:
    passes = [point.provisioning for point in ordered(points, order, seed)]
    assert passes == sorted(passes)


@given(grids, seeds)
def test_a_block_sweep_changes_the_backend_as_rarely_as_it_can(points: tuple[Point, ...], seed: int) -> None:
    blocks = [(p.provisioning, p.overlay, p.tuning, p.backend) for p in ordered(points, "block", seed)]
    assert sum(before != after for before, after in pairwise(blocks)) == len(set(blocks)) - 1


@given(subsets, seeds, st.data())
def test_a_random_selection_is_visited_as_within_the_whole_sweep(
    points: list[Point], seed: int, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(points), unique=True)) if points else []
    whole = ordered(points, "random", seed)
    assert ordered(chosen, "random", seed) == tuple(point for point in whole if point in chosen)


def test_another_seed_gives_another_random_order() -> None:
    points = grid(("ipvs", "proxy"), range(1, 30), ("vxlan",))
    assert ordered(points, "random", 1) != ordered(points, "random", 2)


@given(grids)
def test_ids_are_unique_and_sort_as_the_pod_counts_do(points: tuple[Point, ...]) -> None:
    labels = ids(points)
    assert len(set(labels)) == len(points)
    one = [(label, p.pods) for label, p in zip(labels, points, strict=True) if p.backend == "ipvs"]
    padded = {label.partition("pods")[2].partition("-")[0]: count for label, count in one}
    assert [padded[text] for text in sorted(padded)] == sorted(padded.values())


@pytest.mark.parametrize(
    ("points", "label"),
    [
        (grid(("ipvs",), (4,), ("vxlan",)), "ipvs-pods04"),
        (grid(("ipvs",), (4,), ("vxlan", "host-gw")), "ipvs-vxlan-pods04"),
        (grid(("ipvs",), (4,), ("vxlan",), ("rps",)), "ipvs-pods04"),
        (grid(("ipvs",), (4,), ("vxlan",), ("none", "rps")), "ipvs-none-pods04"),
        (grid(("ipvs",), (4, 100), ("vxlan",)), "ipvs-pods004"),
        (grid(("ipvs",), (4,), ("vxlan",), passes=2), "ipvs-pods04-pass1"),
    ],
)
def test_an_id_shows_backend_and_pods_and_else_only_what_varies(
    points: tuple[Point, ...], label: str
) -> None:
    assert ids(points)[0] == label


def test_a_plan_counts_points_runs_and_the_seconds_inside_wrk() -> None:
    points = grid(("ipvs", "proxy"), (1, 2), ("vxlan",), passes=2)
    what = plan([Measurement(point, runs=5, warmup=1, duration_s=2) for point in points])
    assert (what.points, what.runs, what.wrk_s) == (4, 48, 96.0)
    assert what.eta_s > what.wrk_s


def test_the_plan_of_nothing_takes_no_time() -> None:
    assert plan([]).eta_s == 0


def test_a_plan_of_hours_is_told_in_hours_and_minutes() -> None:
    points = grid(("ipvs", "proxy"), (1, *range(2, 41, 2)), ("vxlan",))
    text = str(plan([Measurement(point, runs=10, warmup=1, duration_s=60) for point in points]))
    assert text.startswith("42 points, 462 runs with warm-up, about 7 h 4")
    assert text.endswith("(7 h 42 min of it inside wrk)")
