"""The figures of a point as JUnit properties. Pure: values in, name-value pairs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.verdict.repeatability import Repeatability


def properties(series: Series, repeatability: Repeatability) -> list[tuple[str, str]]:
    """Give the properties of a point's testcase, to be appended to `item.user_properties`.

    Names begin with `kubelb_` and end with the unit; what could not be computed is left out.
    """
    figures: list[tuple[str, float | None]] = [
        ("rps_mean_req_per_s", repeatability.mean),
        ("rps_median_req_per_s", repeatability.median),
        ("rps_minimum_req_per_s", repeatability.minimum),
        ("rps_maximum_req_per_s", repeatability.maximum),
        ("rps_range_req_per_s", repeatability.range),
        ("s_r_req_per_s", repeatability.s_r),
        ("repeatability_limit_req_per_s", repeatability.repeatability_limit),
        ("cv_percent", None if repeatability.cv is None else repeatability.cv * 100),
        ("tolerance_percent", repeatability.tolerance * 100),
    ]
    runs_total = sum(sample.validity != "warmup" for sample in series.samples)
    pairs = [
        *((axis, str(value)) for axis, value in series.point.items()),
        ("verdict", repeatability.verdict),
        ("runs_valid", str(repeatability.runs)),
        ("runs_total", str(runs_total)),
        *(
            (name, f"{value:.6g}" if value < 1e6 else f"{value:.0f}")
            for name, value in figures
            if value is not None
        ),
        ("rps_of_valid_runs_req_per_s", " ".join(f"{rps:.2f}" for rps in series.valid_rps)),
    ]
    return [(f"kubelb_{name}", value) for name, value in pairs]
