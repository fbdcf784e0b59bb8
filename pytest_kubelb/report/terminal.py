"""What the terminal shows of the points. Pure: values in, lines out; a verdict is a word, not a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pytest_kubelb.report import ceilings, columns
from pytest_kubelb.report.columns import Column, extra
from pytest_kubelb.text.spelling import rate
from pytest_kubelb.verdict.regression import Regression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_kubelb.comparing import Judgement
    from pytest_kubelb.report.digest import Digest
    from pytest_kubelb.verdict.repeatability import Repeatability


class Row(Protocol):
    """One point and the verdict on its spread."""

    @property
    def id(self) -> str:
        """The point's id, as in its item's brackets."""

    @property
    def digest(self) -> Digest:
        """The figures of its runs."""

    @property
    def repeatability(self) -> Repeatability:
        """The verdict on the valid ones."""


class JudgedRow(Row, Protocol):
    """One point with all its verdicts."""

    @property
    def judgement(self) -> Judgement | None:
        """Against the baseline; None when the session has none."""


FAILURES: Final = ("failed", "unrepeatable", "regression")
"""Verdicts that fail a point whatever the settings, the worst first."""
LEAST_DRIFT: Final = 0.001
"""A significant drift that is smaller changes nothing; runs at a ceiling, all but equal, show one often."""
_ORDER: Final = (*FAILURES, "inconclusive", "repeatable")
_LEGEND: Final = {
    "runs": "runs: valid of all",
    "rps": "rps: mean of the valid runs, requests/s",
    "interval": "interval: 95 %, of that mean, under this provisioning",
    "CV": "CV = s_r/rps, tolerated up to {tolerances}",
    "ceiling": "ceiling: what limited most runs",
    "change": "change: against the baseline",
    "r=2.8s_r": "two runs of a point differ by more than r in 5 % of cases",
}


def point_line(point_id: str, digest: Digest, repeatability: Repeatability) -> str:
    """Give the line for a point that is finished: runs, mean, CV against the tolerance, verdict, foreign ceiling."""
    figures = [point_id, f"{runs_of(digest, repeatability)} runs valid"]
    if repeatability.mean is not None:
        figures.append(f"{rate(repeatability.mean)} req/s")
    if repeatability.cv is not None:
        figures.append(f"CV {_against_tolerance(repeatability)}")
    limited = [] if ceilings.ranks(digest.ceiling) else [f"limited by {digest.ceiling}, ranks no backend"]
    return "  ".join([*figures, verdict_word(digest, repeatability), *limited])


def table(rows: Sequence[JudgedRow], width: int) -> list[str]:
    """Give the lines of the table of all points, failures first, else in the order given, and what else is to say.

    At 80 columns everything is shown, and ids of up to 20 characters in full; longer ones lose their middle.
    """
    ordered = in_order(rows)
    lines, left_out = columns.fitted(_columns(ordered), width)
    shown = " ".join(lines[0].split())
    tolerances = ", ".join(f"{value:.2%}" for value in sorted({row.repeatability.tolerance for row in rows}))
    said = [text for heading, text in _LEGEND.items() if heading in shown]
    legend = f"{'; '.join(said)}.".format(tolerances=tolerances)
    narrow = [f"Too narrow here for: {', '.join(left_out)}."] if left_out else []
    return [
        *lines,
        *(line for text in (legend, *narrow, *notes(ordered)) for line in columns.wrapped(text, width)),
    ]


def in_order(rows: Sequence[JudgedRow]) -> list[JudgedRow]:
    """Give the failures first, the worst of them first, and last what repeats."""
    return sorted(rows, key=lambda row: _ORDER.index(overall_word(row)))


def notes(rows: Sequence[Row]) -> list[str]:
    """Give what the mean and the CV do not show, a sentence for each kind."""
    drifts = [
        (row.id, drift)
        for row in rows
        if (drift := row.repeatability.drift) is not None and abs(drift.change) >= LEAST_DRIFT
    ]
    told = {
        "at a ceiling that is not the load balancer, so they rank no backend": [
            f"{row.id} ({word})"
            for row, word in zip(rows, ceilings.of_points(rows), strict=True)
            if not ceilings.ranks(word)
        ],
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
            row.id for row in rows if verdict_word(row.digest, row.repeatability) == "inconclusive"
        ],
    }
    return [f"{what}: {', '.join(ids)}" for what, ids in told.items() if ids]


def verdict_word(digest: Digest, repeatability: Repeatability) -> str:
    """Give the verdict on the spread, or `failed` when a run failed or none is valid: nothing speaks for the point."""
    return repeatability.verdict if digest.speaks else "failed"


def overall_word(row: JudgedRow) -> str:
    """Give the verdict on the spread, or `regression` where that is fine and the point is slower than its baseline."""
    word = verdict_word(row.digest, row.repeatability)
    slower = isinstance(row.judgement, Regression) and row.judgement.verdict == "regression"
    return "regression" if slower and word not in FAILURES else word


def runs_of(digest: Digest, repeatability: Repeatability) -> str:
    """Give `valid/all` of a point's runs; warm-up runs are not counted."""
    return f"{repeatability.runs}/{digest.runs}"


def _columns(rows: Sequence[JudgedRow]) -> list[Column]:
    """Give the columns; what no point has is no column. Ranks say what goes first where the terminal is narrow."""
    judged = [row.repeatability for row in rows]
    limits = [word or "-" for word in ceilings.of_points(rows)]
    changes = [_change(row.judgement) for row in rows]
    found = [
        Column("point", [row.id for row in rows], number=False),
        Column("runs", [runs_of(row.digest, row.repeatability) for row in rows], rank=4),
        Column("rps", [rate(each.mean) for each in judged]),
        Column("interval", [_interval(row.digest) for row in rows], rank=6),
        extra("s_r", [rate(each.s_r) for each in judged]),
        Column(
            "CV",
            [_against_tolerance(each) for each in judged],
            rank=2,
            lean=["-" if each.cv is None else f"{each.cv:.2%}" for each in judged],
        ),
        extra("r=2.8s_r", [rate(each.repeatability_limit) for each in judged]),
    ]
    if set(limits) != {"-"}:
        found.append(Column("ceiling", limits, number=False, rank=3))
    found.append(Column("verdict", [overall_word(row) for row in rows], number=False))
    if any(row.judgement is not None for row in rows):
        found.append(Column("change", changes, rank=5))
    return found


def _against_tolerance(judged: Repeatability) -> str:
    if judged.cv is None:
        return "-"
    return f"{judged.cv:.2%} {'>' if judged.cv > judged.tolerance else '<='} {judged.tolerance:.2%}"


def _interval(digest: Digest) -> str:
    """Give half the 95 % interval of the mean as a share of it; `-` where there are too few runs."""
    from pytest_kubelb.verdict import adaptive

    half = adaptive.half_width(digest.valid_rps)
    return "-" if half is None else f"±{half:.1%}" if half < 10 else ">±1000%"


def _change(judgement: Judgement | None) -> str:
    return f"{judgement.change:+.1%}" if isinstance(judgement, Regression) else "-"
