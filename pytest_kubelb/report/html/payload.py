"""What the script of the report works on, as JSON that can stand inside HTML. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from markupsafe import Markup

from pytest_kubelb.record.sample import VALIDITIES
from pytest_kubelb.report.html import heat, latency_chart, picture, withheld, words

if TYPE_CHECKING:
    from pytest_kubelb.record.sample import Sample
    from pytest_kubelb.report.html.model import MeasuredPoint, Sheet


def text(value: object) -> Markup:
    """Give JSON in which nothing can end a script element, nor begin a tag or an entity."""
    encoded = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    # Nothing is left in it that HTML takes for markup.
    return Markup(encoded)  # noqa: S704


def of(sheet: Sheet) -> dict[str, object]:
    """Give the runs of every point, and the heat maps."""
    reasons: dict[str, int] = {}
    several = len(sheet.sessions) > 1
    return {
        "validities": VALIDITIES,
        "percentiles": any(
            run.result is not None and run.result.latency.percentiles_us
            for point in sheet.points
            for run in point.samples
        ),
        "points": [_point(point, reasons, several) for point in sheet.points],
        "reasons": list(reasons),
        "heat": heat.maps(sheet),
    }


def _point(point: MeasuredPoint, reasons: dict[str, int], several: bool) -> dict[str, object]:
    return {
        "name": f"{point.name}, session {point.session}" if several else point.name,
        "said": f"{picture.figures_in_words(point)}.",
        "runs": [_run(sample, reasons) for sample in point.samples],
    }


def _run(sample: Sample, reasons: dict[str, int]) -> list[object]:
    """Give a run as a row: pass, number, start, wall time, rps, validity, p50, p99 or longest, errors, reason."""
    result = sample.result
    reason = None
    if sample.reason:
        reason = reasons.setdefault(withheld.text(sample.reason), len(reasons))
    middle, late, errors = None, None, None
    if result is not None:
        middle = latency_chart.latency_us(sample, "50")
        late = latency_chart.latency_us(sample, "99")
        if middle is None:
            middle, late = result.latency.mean_us, result.latency.max_us
        errors = sum(vars(result.errors).values())
    return [
        sample.provisioning,
        sample.run + 1,
        _time(sample.started),
        round(sample.wall_s, 1),
        None if result is None else round(result.rps, 1 if result.rps < 1000 else 0),
        VALIDITIES.index(sample.validity),
        None if middle is None else round(middle),
        None if late is None else round(late),
        errors,
        reason,
    ]


def _time(started: str) -> int | str:
    seconds = words.epoch_s(started)
    return started if seconds is None else round(seconds)
