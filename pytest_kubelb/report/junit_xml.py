"""The elements of JUnit XML (xunit2) that `kubelb gate` and `kubelb report` write. Pure: values in, XML out.

xunit2 knows no properties of a testcase, and no counts but whole numbers and seconds without an exponent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from pytest_kubelb.gate.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_kubelb.gate.outcome import Finding, Kind, PointOutcome, Rules

FAILURES: Final[dict[Kind, str]] = {
    "regression": "RegressionError",
    "unrepeatable": "RepeatabilityError",
    "inconclusive": "InconclusiveError",
    "not judged": "InconclusiveError",
}
"""The names that pytest gives to the failures."""


def properties(suite: ET.Element, pairs: Iterable[tuple[str, str]]) -> None:
    """Add the properties of a suite, each name once."""
    added = ET.SubElement(suite, "properties")
    for name, value in dict(pairs).items():
        ET.SubElement(added, "property", name=plain(name), value=plain(value))


def case(classname: str, name: str, spent_s: float, findings: Sequence[Finding], rules: Rules) -> ET.Element:
    """Give a testcase that fails with what the rules do not let pass, and is skipped where there is no verdict."""
    made = ET.Element("testcase", classname=classname, name=name, time=seconds(spent_s))
    failing = [finding for finding in findings if rules.fails(finding.kind)]
    open_ = [finding for finding in findings if finding.kind == "inconclusive" and finding not in failing]
    if failing:
        failure = ET.SubElement(made, "failure", type=FAILURES[failing[0].kind], message=failing[0].sentence)
        failure.text = "\n".join(finding.sentence for finding in failing)
    elif open_:
        ET.SubElement(made, "skipped", type=open_[0].kind, message=open_[0].sentence)
    return made


def spent_s(point: PointOutcome) -> float:
    """Give the wall time of all runs of a point, in seconds."""
    groups = (point.series.samples, *point.series.measured_anew)
    return sum(sample.wall_s for group in groups for sample in group)


def count(suite: ET.Element, started: str) -> None:
    """Set the counts of a finished suite, and when it was started unless that is empty."""
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", seconds(sum(float(case.get("time", "0")) for case in cases)))
    if started:
        suite.set("timestamp", started)


def document(suites: Iterable[ET.Element]) -> str:
    """Give the XML of finished suites with its declaration, its last line ended."""
    root = ET.Element("testsuites")
    root.extend(suites)
    ET.indent(root, "")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def seconds(value: float) -> str:
    """Give seconds with three digits after the point, as the schema wants them."""
    return f"{min(value, 1e12):.3f}"
