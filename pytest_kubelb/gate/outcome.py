"""What the gate found: each item, each backend's sweep, the session, and the exit code. Values only.

The words are those of the session: `unrepeatable` and `regression` fail, `inconclusive` and `not judged` are no
verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_kubelb.comparing import NotJudged
from pytest_kubelb.record import history
from pytest_kubelb.report import ceilings, digest
from pytest_kubelb.verdict import repeatability
from pytest_kubelb.verdict.regression import Regression

if TYPE_CHECKING:
    from pytest_kubelb.comparing import Judgement
    from pytest_kubelb.gate.session import Measured
    from pytest_kubelb.record.points import PointKey
    from pytest_kubelb.record.sample import Series
    from pytest_kubelb.verdict.repeatability import Repeatability
    from pytest_kubelb.verdict.sweep import Sweep

Kind: TypeAlias = Literal["regression", "unrepeatable", "inconclusive", "not judged"]
Word: TypeAlias = Literal["regression", "unrepeatable", "inconclusive", "not judged", "pass"]
PassOrFail: TypeAlias = Literal["pass", "fail"]

PASSED: Final = 0
FAILED: Final = 1
"""A regression, or something that does not repeat."""
UNDECIDED: Final = 2
"""Too little for a verdict."""
FAILING: Final[tuple[Kind, ...]] = ("regression", "unrepeatable")


@dataclass(frozen=True)
class Rules:
    """What the gate was told; None leaves it to the record, item by item."""

    tolerance: float | None = None
    """Largest CV that repeats, a fraction."""
    max_drop: float | None = None
    """Drop against the baseline that must not pass, a fraction."""
    on_inconclusive: PassOrFail = "fail"
    on_missing_baseline: PassOrFail = "pass"

    def fails(self, kind: Kind) -> bool:
        """Tell whether a finding of this kind keeps the gate from passing."""
        if kind == "inconclusive":
            return self.on_inconclusive == "fail"
        return self.on_missing_baseline == "fail" if kind == "not judged" else True


@dataclass(frozen=True)
class Finding:
    """One reason not to pass, or not to know."""

    kind: Kind
    sentence: str
    """With the numbers, printable."""


@dataclass(frozen=True)
class PointOutcome:
    """One item: a point in one pass."""

    id: str
    series: Series
    repeatability: Repeatability
    judgement: Judgement | None
    """Against the baseline; None when the gate was given none."""
    max_drop: float
    """The drop it was judged by, a fraction."""
    ceiling: str | None
    """What limited it: as the evidence names it, `unnamed` by its spread, None where nothing tells."""
    findings: tuple[Finding, ...]
    """The worst first."""

    @cached_property
    def digest(self) -> digest.Digest:
        """The figures of its runs."""
        return digest.of(self.series)

    @property
    def spread_word(self) -> str:
        """The verdict on its spread, or `failed` when a run failed or none is valid."""
        if not is_measured(self.series):
            return "inconclusive"
        return "failed" if self.series.unspoken(self.id) else self.repeatability.verdict

    @property
    def at_ceiling(self) -> bool:
        """It stands at a ceiling that is not the load balancer: it does not tell load balancers apart."""
        return not ceilings.ranks(self.ceiling)

    @property
    def baseline_word(self) -> str:
        """The verdict against the baseline; empty when the gate was given none."""
        return _word_of(self.judgement)

    @property
    def judged(self) -> Regression | None:
        """The numbers against the baseline; None when there are none."""
        return self.judgement if isinstance(self.judgement, Regression) else None

    @property
    def worst(self) -> Kind | None:
        """The kind of its worst finding; None when it passes in every respect."""
        return self.findings[0].kind if self.findings else None


@dataclass(frozen=True)
class SweepOutcome:
    """All points of one backend together."""

    backend: str
    judgement: Sweep[PointKey] | NotJudged
    findings: tuple[Finding, ...]

    @property
    def word(self) -> str:
        """The verdict."""
        return "not judged" if isinstance(self.judgement, NotJudged) else self.judgement.overall.verdict


@dataclass(frozen=True)
class Outcome:
    """All that the gate found."""

    source: str
    """The file that was judged, printable."""
    measured: Measured
    points: tuple[PointOutcome, ...]
    """In the order in which they were measured."""
    sweeps: tuple[SweepOutcome, ...]
    title: str
    """What was compared with, in words."""
    compared: bool
    """A baseline was asked for."""
    missing: tuple[str, ...]
    """Points that the baseline has and the session has not, printable."""
    notes: tuple[str, ...]
    """What the reader should know of the files: a sentence each, printable."""
    rules: Rules
    of_session: tuple[Finding, ...] = ()
    """Findings that no point is to blame for: points may be missing, or none could be judged."""

    @property
    def incomplete(self) -> bool:
        """The session did not come to its end, so that points may be missing."""
        return self.measured.exit_code not in history.JUDGED

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding: of the session, then in the order of points and sweeps."""
        of_points = (finding for point in self.points for finding in point.findings)
        return (
            *self.of_session,
            *of_points,
            *(finding for sweep in self.sweeps for finding in sweep.findings),
        )

    @property
    def session_word(self) -> repeatability.Word:
        """Whether the session as a whole repeats: not when more than 10 % of its points do not."""
        return repeatability.session_verdict(_spread(point) for point in self.points)

    @property
    def exit_code(self) -> int:
        """0 pass, 1 regression or unrepeatable, 2 when what is undecided fails, or nothing was measured."""
        kinds = {finding.kind for finding in self.findings}
        if kinds & set(FAILING):
            return FAILED
        missing = not self.compared and self.rules.fails("not judged")
        undecided = missing or any(self.rules.fails(kind) for kind in kinds)
        return UNDECIDED if undecided or not self.points else PASSED

    @property
    def word(self) -> Word:
        """The verdict in one word; `pass` may stand beside points that were not judged, but not when none was."""
        kinds = {finding.kind for finding in self.findings}
        for kind in ("regression", "unrepeatable", "inconclusive"):
            if kind in kinds:
                return kind
        if any(finding.kind == "not judged" for finding in self.of_session):
            return "not judged"
        return "pass" if self.exit_code == PASSED else "inconclusive"


def is_measured(series: Series) -> bool:
    """Tell whether there is any run but warm-up runs; a record that was cut may end before the first."""
    return any(sample.validity != "warmup" for sample in series.samples)


def _word_of(judgement: Judgement | None) -> str:
    if judgement is None:
        return ""
    return "not judged" if isinstance(judgement, NotJudged) else judgement.verdict


def _spread(point: PointOutcome) -> repeatability.Word:
    return "unrepeatable" if point.spread_word == "failed" else point.repeatability.verdict
