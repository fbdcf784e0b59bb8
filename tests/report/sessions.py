"""Recorded sessions for the tests of the formats: with failures, a baseline, evidence, and hostile names."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pytest_kubelb.record.finding import Finding
from pytest_kubelb.record.lines import Event, Line, SessionEnd, Verdict
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.record.sources import Source
from pytest_kubelb.report import recorded
from pytest_kubelb.verdict import regression, repeatability
from tests.gate.recorded import STEADY, UNEVEN, axes, runs, start, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_kubelb.report.recorded import Recorded

HOSTILE = 'a|b`c`<script>alert(1)</script>&amp;\x1b[2J\u202e\n# x\r\ud800**b**[l](http://x)$m$ ]]>\0"\\'
STEAL = Finding(
    "validity", "steal", "k11", 4.5, 2.0, "%", "none", "k11 lost 4.5 % of its CPUs to others, above 2 %"
)
SLOWER = tuple(0.7 * each for each in STEADY)


def verdict(point: dict[str, str | int], rps: Sequence[float], sentence: str | None = None) -> Verdict:
    """Give the line that pytest's reporting hook writes, with a baseline of three sessions at STEADY."""
    judged = repeatability.judge(rps, tolerance=0.05)
    figures = {**asdict(judged), "provisioning": 1}
    figures.pop("verdict")
    against = regression.judge([STEADY] * 3, [list(rps)] * 3, max_drop=0.05)
    return Verdict(point, judged.verdict, {**figures, "against_baseline": asdict(against)}, sentence)


def with_evidence(lines: Iterable[Line], ceiling: str) -> list[Line]:
    """Give every run this ceiling and a finding."""
    return [
        replace(line, ceiling=ceiling, findings=(STEAL,), wire_bytes_per_request=412.5)
        if isinstance(line, Sample)
        else line
        for line in lines
    ]


def session_lines(day: int = 1) -> list[Line]:
    """Give a session with a baseline: a point passes at a ceiling, one is slower, one spreads, one is not judged."""
    one, two, three, four = (axes("ipvs", 1), axes("ipvs", 2), axes("proxy", 1), axes("proxy", 2))
    at = f"2026-11-{day:02}T12:00:01.000+00:00"
    not_judged = verdict(four, STEADY)
    figures = {**not_judged.figures, "against_baseline": {"reason": "the baseline has no valid run of it"}}
    return [
        start(day, passes=1, runs=5, baseline="last:3", on_inconclusive="pass"),
        Event(at, "testbed", {"kernels": {"k11": "Linux 6.1.0 x86_64"}, "hosts": {"k11": {"cpus": 8}}}),
        *with_evidence(runs(one, STEADY), "link"),
        verdict(one, STEADY),
        *with_evidence(runs(two, SLOWER), "lb_cpu"),
        verdict(two, SLOWER, "ipvs-pods02 has regressed: 30 % slower."),
        *runs(three, UNEVEN, failed=1),
        verdict(three, UNEVEN, "proxy-pods01 is unrepeatable: its runs spread."),
        *runs(four, STEADY),
        replace(not_judged, figures=figures),
        Event(at, "sweep", {"backend": "ipvs", "sentence": "the sweep through ipvs has regressed by 15 %."}),
        SessionEnd(f"2026-11-{day:02}T12:10:00.000+00:00", 1),
    ]


def hostile_lines(name: str = HOSTILE) -> list[Line]:
    """Give a session whose names are of somebody who means harm."""
    point: dict[str, str | int] = {
        "backend": name,
        "pods": 4,
        name: name,
        "session": "mine",
        "__x": 1,
    }
    return [start(), *runs(point, UNEVEN, failed=1), *runs({**point, "pods": "4"}, (1e15,) * 3)]


def source_of(root: Path, lines: Sequence[Line]) -> Source:
    """Write a session and give where it is."""
    return Source(write(root, lines) / "record.jsonl", named=True)


def read(root: Path, lines: Sequence[Line] | None = None) -> Recorded:
    """Write a session, `session_lines` without any, and read it as the reports do."""
    return recorded.read(source_of(root, session_lines() if lines is None else lines))
