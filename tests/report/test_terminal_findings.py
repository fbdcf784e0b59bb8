"""What the evidence found, as sentences."""

from __future__ import annotations

from dataclasses import replace

from pytest_kubelb.report.findings import sentences

from .points import finding, judged_point, sample


def test_a_signal_of_one_host_is_one_sentence_with_its_points_and_runs() -> None:
    points = [
        judged_point(1000, 1010, invalid=3, findings=(finding(value=12.0),)),
        judged_point(1000, 1010, pods=8, invalid=1, findings=(finding(value=31.0),)),
    ]
    assert sentences(points) == [
        "contaminated by steal on k11, 4 runs (ipvs-host-gw-pods04 3, ipvs-host-gw-pods08 1), at worst: "
        "k11: 31 % of the CPU time was stolen, above 2 %."
    ]


def test_what_took_runs_away_comes_before_what_is_only_told() -> None:
    seen = (finding("frequency", effect="none"), finding(host="k12"), finding(effect="stalled"))
    told = sentences([judged_point(1000, invalid=2, findings=seen)])
    assert [sentence.split(",")[0] for sentence in told] == [
        "stalled by steal on k11",
        "contaminated by steal on k12",
        "frequency on k11",
    ]


def test_a_finding_that_a_run_has_twice_counts_once() -> None:
    (told,) = sentences([judged_point(1000, invalid=1, findings=(finding(), finding()))])
    assert "1 run (" in told


def test_runs_that_no_finding_explains_are_told_with_their_reason() -> None:
    assert sentences([judged_point(1000, invalid=2)]) == [
        "ipvs-host-gw-pods04: 2 of 3 runs stalled, the last: it took 61 s."
    ]


def test_runs_of_further_provisionings_count() -> None:
    point = judged_point(1000, 1010)
    anew = (sample(dict(point.series.point), 0, 1.0, "failed", reason="wrk was shot", provisioning=2),)
    point = replace(point, series=replace(point.series, measured_anew=(anew,)))
    assert sentences([point]) == ["ipvs-host-gw-pods04: 1 of 3 runs failed: wrk was shot."]


def test_valid_runs_without_findings_are_silent() -> None:
    assert sentences([judged_point(1000, 1010)]) == []


def test_why_a_ceiling_is_not_known_is_left_to_where_it_was_said_to_stand() -> None:
    unknown = finding("unknown", host="", effect="none")
    points = [judged_point(1000, invalid=2, findings=(unknown,)), judged_point(1000, pods=8)]
    assert (
        sentences(points, "-v says why")[-1] == "what limited 2 runs at 1 point is not known (-v says why)."
    )
    assert sentences(points)[-1].startswith("unknown, 2 runs (ipvs-host-gw-pods04 2): ")


def test_a_reason_that_ends_with_a_full_stop_gets_no_other() -> None:
    point = judged_point(1000, 1010)
    run = sample(dict(point.series.point), 0, 1.0, "failed", reason="wrk was shot.")
    point = replace(point, series=replace(point.series, samples=(run,)))
    assert sentences([point]) == ["ipvs-host-gw-pods04: 1 of 1 run failed: wrk was shot."]


def test_a_reason_and_a_finding_of_others_move_no_cursor() -> None:
    point = judged_point(1000, 1010)
    axes = dict(point.series.point)
    runs = (
        sample(axes, 0, 1.0, "failed", reason="gone\x1b[2J\nkubelb: all is well"),
        sample(
            axes, 1, 1.0, findings=(replace(finding("route"), host="k\x07", sentence="\x1b]0;owned\x07"),)
        ),
    )
    told = sentences([replace(point, series=replace(point.series, samples=runs))])
    assert len(told) == 2
    assert all(each.isprintable() for each in told)
