"""What the terminal shows of the points."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.report.terminal import point_line, table

from .points import JudgedPoint, judged_point


def line_of(point: JudgedPoint) -> str:
    return point_line(point.id, point.series, point.repeatability)


def test_a_finished_point_is_one_line_with_runs_mean_cv_tolerance_and_verdict() -> None:
    assert line_of(judged_point(39000, 41000, 40000, invalid=2)) == (
        "ipvs-host-gw-pods04  3/5 runs valid  40,000 req/s  CV 2.50% <= 5.00%  repeatable"
    )


def test_a_cv_above_the_tolerance_shows_as_such() -> None:
    assert line_of(judged_point(20000, 41000, 40000)).endswith("CV 35.19% > 5.00%  unrepeatable")


def test_what_cannot_be_computed_is_not_in_the_line() -> None:
    assert line_of(judged_point(41.5)) == "ipvs-host-gw-pods04  1/1 runs valid  41.5 req/s  inconclusive"
    assert line_of(judged_point(invalid=3)) == "ipvs-host-gw-pods04  0/3 runs valid  inconclusive"


def test_the_table_has_failures_first_and_fits_80_columns() -> None:
    points = [
        judged_point(190000, 190100, 190050),
        judged_point(41000, backend="proxy"),
        judged_point(100000, 190100, 190050, backend="proxy", pods=40),
        judged_point(39000, 41000, 40000, pods=16),
    ]
    lines = table(points, 80)
    assert lines[:5] == [
        "point                runs     rps    s_r     CV  range r=2.8s_r verdict",
        "proxy-host-gw-pods40  3/3 160,050 52,005 32.49% 90,100  145,614 unrepeatable",
        "proxy-host-gw-pods04  1/1  41,000      -      -    0.0        - inconclusive",
        "ipvs-host-gw-pods04   3/3 190,050   50.0  0.03%    100      140 repeatable",
        "ipvs-host-gw-pods16   3/3  40,000  1,000  2.50%  2,000    2,800 repeatable",
    ]
    assert "tolerated up to 5.00%" in " ".join(lines[5:])
    assert max(map(len, lines)) <= 80


def test_every_tolerance_is_in_the_legend() -> None:
    legend = " ".join(table([judged_point(1, 1), judged_point(1, 1, tolerance=0.08)], 80)[3:])
    assert "tolerated up to 5.00%, 8.00%;" in legend


def test_a_long_id_keeps_its_beginning_and_its_end() -> None:
    point = judged_point(190000, 190100, backend="ipvs-with-a-very-long-name", pods=8)
    line = table([point], 80)[1]
    assert line.startswith("ipvs-with-a")
    assert "…" in line
    assert "gw-pods08 " in line
    assert len(line) <= 80
    assert table([point], 200)[1].startswith(f"{point.id}  ")


@given(
    st.lists(st.lists(st.floats(0, 9e6), max_size=12), max_size=5),
    st.integers(1, 200),
)
def test_every_point_is_in_the_table_once_whatever_the_runs_and_width(
    runs: list[list[float]], width: int
) -> None:
    points = [judged_point(*rps, pods=number) for number, rps in enumerate(runs)]
    lines = table(points, width)
    endings = sorted(line.split()[0][-6:] for line in lines[1 : 1 + len(runs)])
    assert endings == [f"pods{number:02}" for number in range(len(runs))]
    if width >= 84:
        assert max(map(len, lines)) <= width
