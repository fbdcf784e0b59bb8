"""The outcome as JUnit XML of the family xunit2. Pure: values in, text out.

One testcase for each point and one for each backend's sweep. The failures have the names that pytest gives them.
What is undecided is `skipped` where the rules let it pass, so that nobody takes it for green. The figures stand in
`system-out`: xunit2 knows no properties of a testcase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pytest_kubelb.gate import words
from pytest_kubelb.gate.outcome import UNDECIDED
from pytest_kubelb.gate.plain import plain
from pytest_kubelb.report import junit as figures
from pytest_kubelb.report import junit_xml

if TYPE_CHECKING:
    from pytest_kubelb.gate.outcome import Outcome, PointOutcome, Rules, SweepOutcome


def render(outcome: Outcome) -> str:
    """Give the XML with its declaration, its last line ended."""
    suite = ET.Element("testsuite", name="kubelb gate")
    junit_xml.properties(suite, [(f"kubelb_{name}", value) for name, value in _about(outcome)])
    for point in outcome.points:
        suite.append(_point(point, outcome.rules))
    for sweep in outcome.sweeps:
        suite.append(_sweep(sweep, outcome.rules))
    if outcome.of_session:
        suite.append(_session(outcome))
    if outcome.exit_code == UNDECIDED and suite.find("testcase/failure") is None:
        suite.append(_undecided(outcome))
    ET.SubElement(suite, "system-out").text = "\n".join([*words.head(outcome), *words.notes(outcome)])
    junit_xml.count(suite, outcome.measured.started)
    return junit_xml.document([suite])


def _about(outcome: Outcome) -> list[tuple[str, str]]:
    measured = outcome.measured
    return [
        ("verdict", outcome.word),
        ("exit_code", str(outcome.exit_code)),
        ("summary", words.summary(outcome)),
        ("session", measured.id),
        ("session_verdict", outcome.session_word),
        ("testbed", measured.testbed),
        ("source", outcome.source),
        ("baseline", outcome.title),
    ]


def _point(point: PointOutcome, rules: Rules) -> ET.Element:
    spent_s = junit_xml.spent_s(point)
    case = junit_xml.case("kubelb.gate.points", point.id, spent_s, point.findings, rules)
    pairs = [
        *figures.properties(point.series, point.repeatability),
        *figures.comparison_properties(point.judgement),
        ("kubelb_at_ceiling", str(point.at_ceiling).lower()),
    ]
    lines = [
        *(finding.sentence for finding in point.findings),
        *(plain(f"{name}={value}") for name, value in pairs),
    ]
    ET.SubElement(case, "system-out").text = "\n".join(lines)
    return case


def _sweep(sweep: SweepOutcome, rules: Rules) -> ET.Element:
    case = junit_xml.case("kubelb.gate.sweeps", f"sweep[{sweep.backend}]", 0.0, sweep.findings, rules)
    lines = [words.sweep_line(sweep), *(finding.sentence for finding in sweep.findings)]
    ET.SubElement(case, "system-out").text = "\n".join(lines)
    return case


def _session(outcome: Outcome) -> ET.Element:
    """Give the case of what no point is to blame for; never green, also where the rules let it pass."""
    case = junit_xml.case("kubelb.gate", "session", 0.0, outcome.of_session, outcome.rules)
    if len(case) == 0:
        first = outcome.of_session[0]
        ET.SubElement(case, "skipped", type=first.kind, message=first.sentence)
    ET.SubElement(case, "system-out").text = "\n".join(finding.sentence for finding in outcome.of_session)
    return case


def _undecided(outcome: Outcome) -> ET.Element:
    """Give the case of a session that fails for no finding: nothing was measured, or no baseline given."""
    case = ET.Element("testcase", classname="kubelb.gate", name="session", time=junit_xml.seconds(0.0))
    failure = ET.SubElement(
        case, "failure", type=junit_xml.FAILURES["inconclusive"], message=words.summary(outcome)
    )
    failure.text = words.summary(outcome)
    return case
