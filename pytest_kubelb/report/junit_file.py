"""Recorded sessions as JUnit XML of the family xunit2, without pytest. Pure: values in, text out.

The figures of a point are properties, which xunit2 allows to suites alone: so each point is a suite of one testcase. A
suite before them is the session's, with the facts of the testbed as its properties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pytest_kubelb.report import ceilings, headline, junit, junit_xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_kubelb.gate.outcome import PointOutcome
    from pytest_kubelb.report.recorded import Recorded


def render(sessions: Sequence[Recorded]) -> str:
    """Give the XML with its declaration, its last line ended."""
    return junit_xml.document(suite for session in sessions for suite in _suites(session))


def _suites(session: Recorded) -> Iterator[ET.Element]:
    outcome = session.outcome
    whole = ET.Element("testsuite", name=f"kubelb {session.id}")
    about = [("session", session.id), ("verdict", headline.of(session)), ("baseline", outcome.title)]
    pairs = [*((f"kubelb_{name}", value) for name, value in about), *junit.suite_properties(session.facts)]
    junit_xml.properties(whole, pairs)
    case = junit_xml.case("kubelb.session", session.id, 0.0, outcome.of_session, outcome.rules)
    whole.append(case)
    ET.SubElement(whole, "system-out").text = "\n".join([headline.of(session), *session.sweeps])
    junit_xml.count(whole, outcome.measured.started)
    yield whole
    for point in outcome.points:
        yield _point(session, point)


def _point(session: Recorded, point: PointOutcome) -> ET.Element:
    suite = ET.Element("testsuite", name=f"kubelb {session.id} {point.id}")
    pairs = [
        *junit.properties(point.series, point.repeatability),
        *junit.comparison_properties(point.judgement),
    ]
    if (ceiling := ceilings.of_point(point.series)) is not None:
        pairs.append(("kubelb_ceiling", ceiling))
    junit_xml.properties(suite, pairs)
    rules = session.outcome.rules
    case = junit_xml.case("kubelb.points", point.id, junit_xml.spent_s(point), point.findings, rules)
    suite.append(case)
    if point.findings:
        ET.SubElement(suite, "system-out").text = "\n".join(each.sentence for each in point.findings)
    junit_xml.count(suite, session.outcome.measured.started)
    return suite
