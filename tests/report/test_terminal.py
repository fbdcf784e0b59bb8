"""What the terminal shows of the points."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.comparing import NotJudged
from pytest_kubelb.report.terminal import overall_word, point_line, table

from .points import JudgedPoint, judged_point, regressed


def line_of(point: JudgedPoint) -> str:
    return point_line(point.id, point.digest, point.repeatability)


def test_a_finished_point_is_one_line_with_runs_mean_cv_tolerance_and_verdict() -> None:
    assert line_of(judged_point(39000, 41000, 40000, invalid=2)) == (
        "ipvs-host-gw-pods04  3/5 runs valid  40,000 req/s  CV 2.50% <= 5.00%  repeatable"
    )


def test_a_cv_above_the_tolerance_shows_as_such() -> None:
    assert line_of(judged_point(20000, 41000, 40000)).endswith("CV 35.19% > 5.00%  unrepeatable")


def test_what_cannot_be_computed_is_not_in_the_line() -> None:
    assert line_of(judged_point(41.5)) == "ipvs-host-gw-pods04  1/1 runs valid  41.5 req/s  inconclusive"


def test_a_point_without_a_valid_run_failed() -> None:
    assert line_of(judged_point(invalid=3)) == "ipvs-host-gw-pods04  0/3 runs valid  failed"


def test_a_point_at_a_foreign_ceiling_says_so_in_its_line() -> None:
    assert line_of(judged_point(190000, 190010, 190005, ceiling="link")).endswith(
        "repeatable  limited by link, ranks no backend"
    )
    for ranking in ("lb_cpu", "none", "unknown"):
        assert line_of(judged_point(190000, 190010, 190005, ceiling=ranking)).endswith("repeatable")


def test_the_table_has_failures_first_and_fits_80_columns() -> None:
    points = [
        judged_point(190000, 190100, 190050, ceiling="link"),
        judged_point(41000, backend="proxy", ceiling="client_cpu"),
        judged_point(100000, 190100, 190050, backend="proxy", pods=40, ceiling="lb_cpu"),
        judged_point(39000, 41000, 40000, pods=16, ceiling="lb_cpu", judgement=regressed(-0.08)),
        judged_point(invalid=2, pods=20, judgement=NotJudged("it has no valid run")),
    ]
    lines = table(points, 80)
    assert lines[:6] == [
        "point                runs     rps interval     CV ceiling    verdict      change",
        "ipvs-host-gw-pods20   0/2       -        -      - -          failed            -",
        "proxy-host-gw-pods40  3/3 160,050   ±92.1% 32.49% lb_cpu     unrepeatable      -",
        "ipvs-host-gw-pods16   3/3  40,000    ±6.2%  2.50% lb_cpu     regression    -8.0%",
        "proxy-host-gw-pods04  1/1  41,000        -      - client_cpu inconclusive      -",
        "ipvs-host-gw-pods04   3/3 190,050    ±0.1%  0.03% link       repeatable        -",
    ], "\n".join(lines)
    assert max(map(len, lines)) <= 80
    said = " ".join(lines[6:])
    assert "tolerated up to 5.00%" in said
    assert (
        "at a ceiling that is not the load balancer, so they rank no backend: proxy-host-gw-pods04 (client_cpu), "
        "ipvs-host-gw-pods04 (link)" in said
    )


def test_where_there_is_room_the_table_has_the_tolerance_and_the_repeatability_limit() -> None:
    lines = table([judged_point(39000, 41000, 40000)], 120)
    assert lines[0].split() == ["point", "runs", "rps", "interval", "s_r", "CV", "r=2.8s_r", "verdict"]
    assert "2.50% <= 5.00%" in lines[1]
    assert "more than r in 5 % of cases" in " ".join(lines[2:])


def test_what_nobody_measured_is_no_column() -> None:
    heading = table([judged_point(39000, 41000, 40000)], 200)[0]
    assert "ceiling" not in heading
    assert "change" not in heading


def test_a_narrow_terminal_keeps_rps_and_verdict_and_says_what_is_left_out() -> None:
    point = judged_point(39000, 41000, 40000, ceiling="lb_cpu", judgement=regressed(-0.01, "pass"))
    lines = table([point], 40)
    assert lines[0].split() == ["point", "rps", "CV", "verdict"]
    assert max(map(len, lines)) <= 40
    assert "Too narrow here for: runs, interval, ceiling, change." in " ".join(lines)


def test_a_regression_is_the_verdict_where_the_spread_is_fine() -> None:
    assert overall_word(judged_point(1000, 1010, 990, judgement=regressed(-0.1))) == "regression"
    assert (
        overall_word(judged_point(1000, 1010, 990, judgement=regressed(-0.1, "inconclusive"))) == "repeatable"
    )
    assert overall_word(judged_point(1000, 2010, 990, judgement=regressed(-0.1))) == "unrepeatable"


def test_every_tolerance_is_in_the_legend() -> None:
    legend = " ".join(table([judged_point(1, 1), judged_point(1, 1, tolerance=0.08)], 80)[3:])
    assert "tolerated up to 5.00%, 8.00%" in legend


def test_points_at_a_ceiling_by_their_spread_are_named_where_no_evidence_was_read() -> None:
    said = " ".join(table([judged_point(190000, 190010, 190005)], 80))
    assert "so they rank no backend: ipvs-host-gw-pods04 (unnamed)" in said
    assert "(unnamed)" not in " ".join(table([judged_point(190000, 190010, 190005, ceiling="lb_cpu")], 80))


def test_a_long_id_keeps_its_beginning_and_its_end() -> None:
    point = judged_point(190000, 190100, backend="ipvs-with-a-very-long-name", pods=8)
    line = table([point], 65)[1]
    assert line.startswith("ipvs-with-a")
    assert "…" in line
    assert "pods08 " in line
    assert len(line) <= 65
    assert table([point], 200)[1].startswith(f"{point.id}  ")


@given(
    st.lists(st.lists(st.floats(0, 9e6), max_size=12), max_size=5),
    st.integers(1, 200),
    st.sampled_from([None, "link", "worker_cpu"]),
)
def test_every_point_is_in_the_table_once_whatever_the_runs_and_width(
    runs: list[list[float]], width: int, ceiling: str | None
) -> None:
    points = [judged_point(*rps, pods=number, ceiling=ceiling) for number, rps in enumerate(runs)]
    lines = table(points, width)
    endings = sorted(line.split()[0][-6:] for line in lines[1 : 1 + len(runs)])
    assert endings == [f"pods{number:02}" for number in range(len(runs))]
    if width >= 40:
        assert max(map(len, lines)) <= width
