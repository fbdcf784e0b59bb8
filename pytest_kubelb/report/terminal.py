"""What the terminal shows of the points. Pure: values in, lines out; a verdict is a word, not a colour."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, Protocol

from pytest_kubelb.verdict import ceiling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.verdict.repeatability import Repeatability


class Row(Protocol):
    """One judged point."""

    @property
    def id(self) -> str:
        """The point's id, as in its item's brackets."""

    @property
    def series(self) -> Series:
        """All its runs."""

    @property
    def repeatability(self) -> Repeatability:
        """The verdict on the valid ones."""


_HEADINGS: Final = ("point", "runs", "rps", "s_r", "CV", "range", "r=2.8s_r", "verdict")
_VERDICT_ORDER: Final = ("failed", "unrepeatable", "inconclusive", "repeatable")
_NARROWEST_POINT: Final = 12
_LEGEND: Final = (
    "runs: valid of all; rps: mean of the valid runs; rps, s_r, range and r in requests/s; "
    "CV = s_r/rps, tolerated up to {tolerances}; two runs of a point differ by more than r in 5 % of cases."
)


def point_line(point_id: str, series: Series, repeatability: Repeatability) -> str:
    """Give the line for a point that is finished: runs, mean, CV against the tolerance, verdict."""
    figures = [point_id, f"{runs_of(series, repeatability)} runs valid"]
    if repeatability.mean is not None:
        figures.append(f"{_rate(repeatability.mean)} req/s")
    if repeatability.cv is not None:
        relation = ">" if repeatability.cv > repeatability.tolerance else "<="
        figures.append(f"CV {repeatability.cv:.2%} {relation} {repeatability.tolerance:.2%}")
    return "  ".join([*figures, verdict_word(series, repeatability)])


def table(rows: Sequence[Row], width: int) -> list[str]:
    """Give the lines of the table of all points, failures first, else in the order given.

    At 80 columns ids of up to 20 characters are shown in full; longer ones lose their middle.
    """
    ordered = sorted(rows, key=lambda row: _VERDICT_ORDER.index(verdict_word(row.series, row.repeatability)))
    cells = [_HEADINGS, *(_cells(row) for row in ordered)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    for gap in ("  ", " "):
        room = width - sum(widths[1:]) - len(gap) * (len(widths) - 1)
        if room >= widths[0]:
            break
    widths[0] = min(widths[0], max(room, _NARROWEST_POINT))
    lines = [gap.join(_aligned(row, widths)).rstrip() for row in cells]
    tolerances = ", ".join(f"{value:.2%}" for value in sorted({row.repeatability.tolerance for row in rows}))
    legend = textwrap.wrap(_LEGEND.format(tolerances=tolerances), max(width, 20))
    return [
        *lines,
        *legend,
        *(line for note in notes(ordered) for line in textwrap.wrap(note, max(width, 20))),
    ]


def notes(rows: Sequence[Row]) -> list[str]:
    """Give what the mean and the CV do not show, a sentence for each kind."""
    drifts = [(row.id, row.repeatability.drift) for row in rows if row.repeatability.drift is not None]
    told = {
        "at a ceiling by their spread, which says nothing about the load balancer": _at_ceiling(rows),
        "rising over their runs, so more warm-up may be needed (--kubelb-warmup auto)": [
            f"{point} ({drift.change:+.1%})" for point, drift in drifts if drift.direction == "up"
        ],
        "falling over their runs": [
            f"{point} ({drift.change:+.1%})" for point, drift in drifts if drift.direction == "down"
        ],
        "with collapsed runs (their numbers)": [
            f"{row.id} ({', '.join(str(run + 1) for run in row.repeatability.collapsed)})"
            for row in rows
            if row.repeatability.collapsed
        ],
        "inconclusive, the runs are too few for their spread (--kubelb-max-runs)": [
            row.id for row in rows if row.repeatability.verdict == "inconclusive"
        ],
    }
    return [f"{what}: {', '.join(ids)}" for what, ids in told.items() if ids]


def _at_ceiling(rows: Sequence[Row]) -> list[str]:
    """Give the ids of the points at a ceiling: all backends over one overlay share what limits them."""
    sweeps: dict[object, dict[str, tuple[float, ...]]] = {}
    for row in rows:
        sweeps.setdefault(row.series.point.get("overlay"), {})[row.id] = row.series.valid_rps
    return [point for sweep in sweeps.values() for point in ceiling.at_ceiling(sweep)]


def verdict_word(series: Series, repeatability: Repeatability) -> str:
    """Give the verdict, or `failed` when a run failed: the runs that went well do not speak for it."""
    return "failed" if series.failed else repeatability.verdict


def runs_of(series: Series, repeatability: Repeatability) -> str:
    """Give `valid/all` of a point's runs; warm-up runs are not counted."""
    return f"{repeatability.runs}/{sum(sample.validity != 'warmup' for sample in series.samples)}"


def _cells(row: Row) -> tuple[str, ...]:
    judged = row.repeatability
    return (
        row.id,
        runs_of(row.series, judged),
        _rate(judged.mean),
        _rate(judged.s_r),
        "-" if judged.cv is None else f"{judged.cv:.2%}",
        _rate(judged.range),
        _rate(judged.repeatability_limit),
        verdict_word(row.series, judged),
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Words to the left, numbers to the right."""
    first, *numbers, last = cells
    return [
        _shortened(first, widths[0]).ljust(widths[0]),
        *(number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)),
        last,
    ]


def _shortened(text: str, width: int) -> str:
    """Leave out the middle: backend and pods, which tell points apart, stand at the ends of an id."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2 + 1
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def _rate(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
