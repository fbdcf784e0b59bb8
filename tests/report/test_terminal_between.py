"""The table of one backend against the other."""

from __future__ import annotations

from pytest_kubelb.report.between import lines

from .points import JudgedPoint, judged_point


def passes(
    ratio: float, *, pods: int = 4, ceiling: str | None = "lb_cpu", wire: tuple[float, float] = (250.0, 250.0)
) -> list[JudgedPoint]:
    """Give four passes of both backends, ipvs `ratio` times as fast, while the testbed drifts by a tenth per pass."""
    found = []
    for number in range(1, 5):
        level = 10000 * 1.1**number
        found += [
            judged_point(
                level * factor, level * factor * 1.002, backend=backend, pods=pods, provisioning=number,
                ceiling=ceiling, wire_bytes=wire[backend == "proxy"],
            )
            for backend, factor in (("ipvs", ratio + number / 1000), ("proxy", 1.0))
        ]  # fmt: skip
    return found


def test_the_ratio_of_two_backends_has_an_interval_that_drift_does_not_widen() -> None:
    heading, row, *legend = lines([*passes(1.2), *passes(1.0, pods=8)], "paired", 80)
    assert heading.split() == ["place", "ipvs", "proxy", "ratio", "interval", "verdict"]
    assert row.split()[0] == "pods04"
    assert row.split()[3] == "1.202"
    assert row.endswith("ipvs faster")
    assert legend[0].endswith("no difference")
    assert max(map(len, [heading, row, *legend])) <= 80


def test_a_place_at_a_foreign_ceiling_is_left_out_with_the_reason() -> None:
    shown = " ".join(lines([*passes(1.2), *passes(1.0, pods=40, ceiling="link")], "paired", 80))
    assert (
        "not compared, ipvs (link) and proxy (link) are at a ceiling that is not the load balancer: pods40"
        in shown
    )
    assert shown.count("faster") == 1


def test_one_pass_gives_a_ratio_and_no_verdict() -> None:
    shown = " ".join(lines(passes(1.2)[:2], "paired", 80))
    assert "1.201         -  inconclusive" in shown
    assert "no verdict from 1 of the 3 passes that an interval takes (--kubelb-passes 3): pods04" in shown


def test_unequal_bytes_on_the_wire_are_said() -> None:
    shown = " ".join(lines(passes(1.0, wire=(250.0, 243.0)), "paired", 80))
    assert "unequal bytes per request on the wire (ipvs, proxy)" in shown
    assert "pods04 (250, 243)" in shown
    assert "unequal" not in " ".join(lines(passes(1.0, wire=(250.0, 249.5)), "paired", 80))


def test_an_order_that_mixes_drift_into_the_difference_compares_nothing() -> None:
    assert "not compared: in the order block a drift" in " ".join(lines(passes(1.2), "block", 80))


def test_one_backend_or_no_common_place_has_no_table() -> None:
    assert lines([], "paired", 80) == []
    assert lines([judged_point(1, 2)], "block", 80) == []
    assert lines([judged_point(1, 2), judged_point(1, 2, backend="proxy", pods=8)], "paired", 80) == []


def test_a_backend_without_a_valid_run_is_not_compared() -> None:
    assert lines([judged_point(1, 2), judged_point(backend="proxy", invalid=2)], "paired", 80) == []
