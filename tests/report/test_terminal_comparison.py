"""The table of each point against the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_kubelb.comparing import Comparison, NotJudged
from pytest_kubelb.report.comparison import lines

from .points import judged_point, regressed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_kubelb.outcomes import Outcome


class FewComparison:
    """Of a Comparison, what is shown; a real one reads sessions from a disk."""

    title = "baseline: 3 sessions of 2026-11-20"
    notes = ("one session is not used: it was measured with 400 connections",)

    def missing(self, measured: Iterable[Mapping[str, str | int]]) -> list[str]:
        return ["ipvs, 40 pods"] if list(measured) else []


def shown(points: Sequence[object], width: int = 80) -> list[str]:
    return lines(cast("Sequence[Outcome]", points), cast("Comparison", FewComparison()), width)


def test_failures_come_first_and_then_what_was_not_judged_and_why() -> None:
    told = shown(
        [
            judged_point(1000, 1010, judgement=regressed(0.0, "pass")),
            judged_point(1000, 1010, pods=8, judgement=regressed(-0.08)),
            judged_point(1000, 1010, pods=16, judgement=NotJudged("the baseline has no valid run of it")),
        ]
    )
    assert told[0] == "baseline: 3 sessions of 2026-11-20"
    assert told[1].split() == ["point", "baseline", "rps", "change", "interval", "MDE", "verdict"]
    assert told[2].startswith("ipvs-host-gw-pods08")
    assert told[2].endswith("regression")
    assert told[3].endswith("pass")
    said = " ".join(told[4:])
    assert "not judged, the baseline has no valid run of it: ipvs-host-gw-pods16" in said
    assert "in the baseline and not measured here: ipvs, 40 pods" in said
    assert "400 connections" in said
    assert max(map(len, told)) <= 80


def test_a_foreign_ceiling_hides_a_slower_load_balancer_and_that_is_said() -> None:
    said = " ".join(shown([judged_point(1000, 1010, ceiling="link", judgement=regressed(0.0, "pass"))]))
    assert (
        "at a ceiling that is not the load balancer, so a slower one would not show there: "
        "ipvs-host-gw-pods04 (link)" in said
    )


def test_a_narrow_terminal_keeps_change_and_verdict() -> None:
    told = shown([judged_point(1000, 1010, judgement=regressed(-0.08))], 40)
    assert told[1].split()[0] == "point"
    assert {"change", "verdict"} <= set(told[1].split())
    assert "Too narrow here for: " in " ".join(told)
    assert max(map(len, told)) <= 40


def test_nothing_judged_has_no_table() -> None:
    assert shown([judged_point(1000, judgement=NotJudged("it has no valid run"))])[0].startswith(
        "not judged, "
    )
