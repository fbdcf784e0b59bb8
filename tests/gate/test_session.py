"""From the lines of a record to the items that pytest had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb import matrix
from pytest_kubelb.gate.session import Gatherer, Measured, divmod_pass, labels
from pytest_kubelb.matrix import Point
from pytest_kubelb.record.points import point_key

from .recorded import STEADY, axes, lines, runs, start, verdict

FOUR = axes("ipvs", 4)


def gathered(session: list[object]) -> Measured:
    gatherer = Gatherer()
    passed = list(gatherer.watch(session))  # type: ignore[arg-type]  # lists of lines, of whatever kinds
    assert passed == session
    return gatherer.measured()


def test_an_item_has_the_runs_of_its_point_and_the_lines_pass_through() -> None:
    found = gathered([*lines({("ipvs", 4): STEADY, ("proxy", 4): STEADY})])
    assert [item.id for item in found.items] == ["ipvs-pods04", "proxy-pods04"]
    assert found.items[0].series.valid_rps == STEADY
    assert found.items[0].series.point == FOUR
    assert (found.id, found.testbed, found.exit_code) == ("20261101T120000Z-0001", "rack", 0)
    assert found.runs == 10


def test_provisionings_beyond_the_passes_are_re_measurements_of_the_pass_that_asked_for_them() -> None:
    session = [start(passes=2)]
    for provisioning, rps in ((1, 100.0), (3, 101.0), (5, 102.0), (2, 200.0), (4, 201.0)):
        session += runs(FOUR, [rps], provisioning=provisioning)  # type: ignore[arg-type]
    found = gathered([*session])
    assert [item.id for item in found.items] == ["ipvs-pods04-pass1", "ipvs-pods04-pass2"]
    assert [item.series.provisionings for item in found.items] == [
        ((100.0,), (101.0,), (102.0,)),
        ((200.0,), (201.0,)),
    ]
    assert [len(item.series.samples) for item in found.items] == [2, 2]


def test_without_a_known_number_of_passes_each_provisioning_is_a_pass() -> None:
    session = [start(), *runs(FOUR, [100.0]), *runs(FOUR, [200.0], provisioning=7)]
    assert [item.id for item in gathered([*session]).items] == ["ipvs-pods04-pass1", "ipvs-pods04-pass7"]


def test_the_limits_are_those_that_were_in_force_a_marker_before_the_settings() -> None:
    session = [
        start(tolerance="8%", max_drop="0.04", runs=3, max_runs=9),
        *runs(FOUR, STEADY),
        verdict(FOUR, tolerance=0.3, against_baseline={"verdict": "pass", "max_drop": 0.1}),
        *runs(axes("ipvs", 8), STEADY),
    ]
    marked, plain = gathered([*session]).items
    assert (marked.series.tolerance, marked.max_drop) == (0.3, 0.1)
    assert (plain.series.tolerance, plain.max_drop) == (0.08, 0.04)


@pytest.mark.parametrize("odd", ["x", "-5%", "", "1e999", "7" * 5000, "\udc00"])
def test_odd_settings_are_taken_for_none(odd: str) -> None:
    session = [
        start(tolerance=odd, max_drop=odd, runs=odd, passes=odd),
        *runs(FOUR, STEADY),
        verdict(FOUR, tolerance=float("inf"), against_baseline={"max_drop": True}),
    ]
    (item,) = gathered([*session]).items
    assert (item.series.tolerance, item.max_drop) == (0.05, 0.05)


def test_a_session_that_died_at_once_has_no_items() -> None:
    assert gathered([]).items == ()


POINTS = st.lists(
    st.builds(
        Point,
        st.sampled_from(["ipvs", "proxy"]),
        st.integers(1, 200),
        st.sampled_from(["vxlan", "host-gw"]),
        st.sampled_from(["none", "rps"]),
        st.integers(1, 2),
    ),
    unique=True,
    min_size=1,
    max_size=12,
)


@given(POINTS)
def test_the_ids_are_those_of_the_matrix(points: list[Point]) -> None:
    keys = [(point_key(point.axes()), point.provisioning) for point in points]
    assert labels(keys) == matrix.ids(points)


def test_points_of_other_axes_have_an_id_of_all_that_tells_them_apart() -> None:
    keys = [
        (point_key({"backend": "ipvs", "pods": 4, "tuning": name, "overlay": "vxlan"}), 1)
        for name in ("rps", "rss")
    ]
    assert labels(keys) == ["ipvs-rps-pods04", "ipvs-rss-pods04"]
    assert labels([(point_key({"cpus": 4}), 1)]) == ["point"]


def test_a_hostile_id_is_printable_and_short() -> None:
    (label,) = labels([(point_key({"backend": "\x1b[31m\u202e" + "x" * 9000, "pods": 10**4000}), 1)])
    assert label.isprintable()
    assert len(label) < 300


@given(st.integers(0, 10**9), st.integers(1, 1000))
def test_every_provisioning_belongs_to_one_pass(provisioning: int, passes: int) -> None:
    number, again = divmod_pass(provisioning, passes)
    assert 1 <= number <= passes
    assert number + again * passes == max(provisioning, 1)
