"""The figures of a point as JUnit properties."""

from __future__ import annotations

from pytest_kubelb.report.junit import properties

from .points import judged_point


def test_every_figure_is_a_property_with_its_unit_in_the_name() -> None:
    point = judged_point(39000, 41000, 40000, invalid=1)
    assert dict(properties(point.series, point.repeatability)) == {
        "kubelb_backend": "ipvs",
        "kubelb_pods": "4",
        "kubelb_overlay": "host-gw",
        "kubelb_verdict": "repeatable",
        "kubelb_runs_valid": "3",
        "kubelb_runs_collapsed": "0",
        "kubelb_runs_total": "4",
        "kubelb_rps_mean_req_per_s": "40000",
        "kubelb_rps_median_req_per_s": "40000",
        "kubelb_rps_minimum_req_per_s": "39000",
        "kubelb_rps_maximum_req_per_s": "41000",
        "kubelb_rps_range_req_per_s": "2000",
        "kubelb_s_r_req_per_s": "1000",
        "kubelb_repeatability_limit_req_per_s": "2800",
        "kubelb_cv_percent": "2.5",
        "kubelb_cv_low_percent": "1.64753",
        "kubelb_cv_high_percent": "7.70196",
        "kubelb_tolerance_percent": "5",
        "kubelb_drift_percent": "2.5",
        "kubelb_drift_p": "1",
        "kubelb_rps_of_valid_runs_req_per_s": "39000.00 41000.00 40000.00",
    }


def test_what_cannot_be_computed_is_left_out() -> None:
    point = judged_point(invalid=2)
    names = {name for name, _ in properties(point.series, point.repeatability)}
    assert "kubelb_cv_percent" not in names
    assert "kubelb_rps_mean_req_per_s" not in names
    assert {"kubelb_verdict", "kubelb_runs_total"} <= names
