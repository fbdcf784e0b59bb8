"""From pairs to pass, regression or inconclusive, with the sentence that says it. Pure: values in, values out.

The ratio is B/A. What it takes for a verdict is the gate's rule, seen from the allowed drop d: `pass` when the whole
interval is above 1 - d; else `regression` when it is wholly below 1 and the ratio itself has fallen by d/2 or more.
Where both sides sit at a ceiling by their spread, what is compared is the ceiling with itself: inconclusive. One side
alone at a ceiling is judged: the difference is then at least what is seen.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_kubelb.ab.pairs import counted
from pytest_kubelb.verdict import ceiling, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_kubelb.ab.pairs import Pair
    from pytest_kubelb.verdict.ratio import Ratio

Word: TypeAlias = Literal["pass", "regression", "inconclusive"]

EXIT_CODES: Final[Mapping[Word, int]] = {"pass": 0, "regression": 1, "inconclusive": 2}
MOST_PAIRS_ADVISED: Final = 200
"""Beyond that other things than the number of pairs are wrong."""


@dataclass(frozen=True)
class Outcome:
    """What came out of a comparison."""

    verdict: Word
    ratio: Ratio
    """Of B to A."""
    made: int
    """Pairs, those that do not count included."""
    at_ceiling: tuple[str, ...]
    """The sides whose spread is that of a ceiling: `a`, `b`."""
    max_drop: float
    """How much slower B may be, a fraction."""

    @property
    def exit_code(self) -> int:
        """The command's: 0 pass, 1 regression, 2 inconclusive."""
        return EXIT_CODES[self.verdict]

    @property
    def smallest_drop(self) -> float | None:
        """The smallest drop that four such sessions in five would find, a fraction; None when unknown."""
        return None if self.ratio.mde is None else self.ratio.mde / (1 + self.ratio.mde)

    @property
    def figures(self) -> dict[str, object]:
        """The numbers by name; JSON values. `ratio`, `low` and `high` are of B/A."""
        figures = asdict(self.ratio)
        del figures["verdict"]
        return {
            **figures,
            "smallest_drop": self.smallest_drop,
            "pairs_made": self.made,
            "at_ceiling": list(self.at_ceiling),
            "max_drop": self.max_drop,
        }

    @property
    def sentence(self) -> str:
        """The verdict in words, with its numbers, and what to do."""
        told = self._told()
        if self.verdict == "pass":
            return f"pass: B is not slower than A by {_percent(self.max_drop)} or more: {told}."
        if self.verdict == "regression":
            return (
                f"regression: B is slower than A, and not shown to be so by less than {_percent(self.max_drop)}: "
                f"{told}; see what makes B slower, or raise --max-drop if that is acceptable."
            )
        return (
            f"inconclusive: whether B is slower than A by {_percent(self.max_drop)} cannot be said: {told}; "
            f"{self._remedy()}."
        )

    def _told(self) -> str:
        judged = self.ratio
        parts = [f"{judged.pairs} of {self.made} pairs count"]
        if judged.ratio is not None:
            parts.insert(0, f"B/A is {judged.ratio:.4f}")
        if judged.low is not None and judged.high is not None and judged.p is not None:
            parts.insert(1, f"95 % interval {judged.low:.4f} to {judged.high:.4f}, p {judged.p:.2g}")
        if self.smallest_drop is not None:
            parts.append(
                f"a drop of {_percent(self.smallest_drop)} would be found in four of five such sessions"
            )
        if self.at_ceiling:
            named = " and ".join(side.upper() for side in self.at_ceiling)
            parts.append(
                f"by the spread {named} {'sit' if len(self.at_ceiling) > 1 else 'sits'} at a ceiling"
            )
        elif judged.reason and judged.low is None:
            parts.append(judged.reason)
        return ", ".join(parts)

    def _remedy(self) -> str:
        if len(self.at_ceiling) > 1:
            return "find what limits both, such as a full link, and compare below it"
        if self.ratio.mde is None:
            return "see why the other pairs do not count, and give --runs of at least 3"
        # The interval narrows, on its logarithmic scale, with the square root of the number of pairs.
        too_wide = math.log1p(self.ratio.mde) / -math.log1p(-min(self.max_drop, 0.99))
        pairs = math.ceil(self.ratio.pairs * max(2.0, too_wide**2))
        if pairs > MOST_PAIRS_ADVISED:
            return (
                "lengthen --duration, or see what else uses the hosts: more pairs alone would not be enough"
            )
        return f"give --runs {pairs} or lengthen --duration"


def judge(pairs: Sequence[Pair], max_drop: float) -> Outcome:
    """Judge B against A; `max_drop` is a fraction."""
    rps = counted(pairs)
    spread = {"a": [a for a, _ in rps], "b": [b for _, b in rps]}
    at_ceiling = tuple(ceiling.at_ceiling(spread))
    limits = (ceiling.BY_SPREAD, ceiling.BY_SPREAD) if len(at_ceiling) == len(spread) else (None, None)
    judged = ratio.judge([(b, a) for a, b in rps], least=max_drop / 2, ceilings=limits)
    return Outcome(_word(judged, max_drop), judged, len(pairs), at_ceiling, max_drop)


def _word(judged: Ratio, max_drop: float) -> Word:
    if judged.low is not None and judged.low > 1 - max_drop:
        return "pass"
    return "regression" if judged.verdict == "b_faster" else "inconclusive"  # it has the ratio of B to A


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
