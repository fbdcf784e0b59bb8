"""The figures of a point as JUnit properties. Pure: values in, name-value pairs out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_kubelb.comparing import Judgement
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
        ("cv_low_percent", None if repeatability.cv_low is None else repeatability.cv_low * 100),
        ("cv_high_percent", None if repeatability.cv_high is None else repeatability.cv_high * 100),
        ("tolerance_percent", repeatability.tolerance * 100),
        ("drift_percent", None if repeatability.drift is None else repeatability.drift.change * 100),
        ("drift_p", None if repeatability.drift is None else repeatability.drift.p),
    ]
    runs_total = sum(sample.validity != "warmup" for sample in series.samples)
    pairs = [
        *((axis, str(value)) for axis, value in series.point.items()),
        ("verdict", repeatability.verdict),
        ("runs_valid", str(repeatability.runs)),
        ("runs_collapsed", str(len(repeatability.collapsed))),
        ("runs_total", str(runs_total)),
        *(
            (name, f"{value:.6g}" if value < 1e6 else f"{value:.0f}")
            for name, value in figures
            if value is not None
        ),
        ("rps_of_valid_runs_req_per_s", " ".join(f"{rps:.2f}" for rps in series.valid_rps)),
    ]
    # pytest keeps them of every item to the end of the session: the names, at least, once for all.
    return [(sys.intern(f"kubelb_{name}"), value) for name, value in pairs]


def comparison_properties(judgement: Judgement | None) -> list[tuple[str, str]]:
    """Give the properties that say how the point compares with the baseline; none without a baseline."""
    from pytest_kubelb.verdict.regression import Regression

    if judgement is None:
        return []
    if not isinstance(judgement, Regression):
        return [("kubelb_baseline_verdict", "not judged"), ("kubelb_baseline_reason", judgement.reason)]
    figures = {
        "baseline_rps_req_per_s": judgement.baseline_rps,
        "baseline_change_percent": judgement.change * 100,
        "baseline_smallest_visible_drop_percent": judgement.mde * 100,
        "baseline_max_drop_percent": judgement.max_drop * 100,
        "baseline_sessions": judgement.sessions,
    }
    return [
        ("kubelb_baseline_verdict", judgement.verdict),
        *((f"kubelb_{name}", f"{value:.6g}") for name, value in figures.items()),
    ]


def suite_properties(facts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the properties of a whole suite out of the testbed's facts, as `fingerprint.told` has them.

    With pytest they go to its fixture `record_testsuite_property`: `kernel of k11` becomes `kubelb_kernel_of_k11`.
    """
    return [(f"kubelb_{name.replace(' ', '_')}", value) for name, value in facts]
