"""How the outcome is shown, whatever the names in it are. With a baseline: tests/commands/test_gate.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_kubelb.gate import json_report, junit, text, words
from pytest_kubelb.gate.outcome import Rules
from pytest_kubelb.report import markdown

from .recorded import STEADY, UNEVEN, UNSURE, axes, judged, lines, runs, start

if TYPE_CHECKING:
    from pytest_kubelb.gate.outcome import Outcome

XUNIT2 = xmlschema.XMLSchema(Path(__file__).with_name("xunit2.xsd"))
MIXED = {("ipvs", 1): STEADY, ("ipvs", 2): UNSURE, ("proxy", 1): UNEVEN, ("proxy", 2): STEADY}
COLLAPSED = (40000.0, 40100.0, 20000.0, 40050.0, 39950.0)
RISING = tuple(39000.0 + 250 * step for step in range(10))
HOSTILE = "a|b`c`<script>alert(1)</script>&amp;\x1b[2J\u202e\n# x\r\ud800**b**[l](http://x)$m$ ]]>\0"


def mixed(**rules: str) -> Outcome:
    return judged(lines(MIXED, max_runs=10), Rules(**rules))  # type: ignore[arg-type]  # words of a test


def hostile() -> Outcome:
    point: dict[str, str | int] = {"backend": HOSTILE, "pods": 4, HOSTILE: HOSTILE}
    return judged([start(), *runs(point, UNEVEN, failed=1), *runs({**point, "pods": 10**30}, (1e15,) * 3)])


def summary_of(outcome: Outcome) -> str:
    return markdown.render(outcome, f"kubelb gate: {words.summary(outcome)}")


def test_the_text_has_the_worst_first_and_ends_with_the_verdict() -> None:
    shown = text.render(mixed()).splitlines()
    rows = [line.split() for line in shown if re.match(r"(ipvs|proxy)-pods\d\d +\d", line)]
    assert [(row[0], row[-1]) for row in rows] == [
        ("proxy-pods01", "unrepeatable"),
        ("ipvs-pods02", "inconclusive"),
        ("ipvs-pods01", "repeatable"),
        ("proxy-pods02", "repeatable"),
    ]
    said = " ".join(shown)
    assert "proxy-pods01 is unrepeatable: the CV of 5 valid runs is 20.79%" in said
    assert "the session as a whole: unrepeatable; 1 of 4 points does not repeat (25%), 1 may not" in said
    assert said.endswith(
        "kubelb gate: unrepeatable (exit code 1): 1 point unrepeatable, 1 point inconclusive, not judged "
        "against a baseline"
    )


@pytest.mark.parametrize(
    "outcome", [mixed(), hostile(), judged(lines({}))], ids=["mixed", "hostile", "empty"]
)
def test_the_text_is_printable_and_80_columns_wide(outcome: Outcome) -> None:
    shown = text.render(outcome).splitlines()
    assert all(line.isprintable() for line in shown)
    assert max(map(len, shown)) <= 80


def test_hundreds_of_failures_are_counted_and_not_all_spelled_out() -> None:
    outcome = judged(lines({("ipvs", pods): UNEVEN for pods in range(1, 301)}))
    assert "and 250 more findings" in text.render(outcome)
    summary = summary_of(outcome)
    assert "and 250 more findings" in summary
    assert "and 100 more points" in summary
    assert len(summary.encode()) < 2**20


def test_every_sentence_and_what_the_terminal_says_of_the_runs_is_shown() -> None:
    outcome = judged(
        lines({**MIXED, ("ipvs", 4): COLLAPSED, ("ipvs", 8): RISING}, max_runs=10, exit_code=None)
    )
    shown = " ".join(text.render(outcome).split())
    summary = summary_of(outcome)
    assert len(outcome.findings) == 4
    for finding in outcome.findings:
        assert finding.sentence in shown
        assert markdown.escaped(finding.sentence) in summary
    for said in ("rising over their runs", "with collapsed runs (their numbers)", "ipvs-pods04 (3)"):
        assert said in shown
        assert markdown.escaped(said) in summary
    assert "kubelb gate --tolerance" in shown


@pytest.mark.parametrize(
    ("points", "whole", "last"),
    [
        ({("ipvs", 1): STEADY}, "repeatable; its only point repeats", "1 point repeats, not judged"),
        ({("ipvs", 1): UNEVEN}, "unrepeatable; its only point does not repeat", "1 point unrepeatable,"),
        ({("ipvs", 1): UNSURE}, "inconclusive; its only point may not repeat", "1 point inconclusive,"),
        ({}, "inconclusive; nothing was measured", "nothing was measured"),
        (
            {("ipvs", 1): STEADY, ("ipvs", 2): STEADY},
            "repeatable; 0 of 2 points do not repeat",
            "2 points repeat, not judged",
        ),
    ],
)
def test_numbers_agree_with_their_words(
    points: dict[tuple[str, int], tuple[float, ...]], whole: str, last: str
) -> None:
    shown = " ".join(text.render(judged(lines(points, max_runs=10))).split())
    assert f"the session as a whole: {whole}" in shown
    assert last in shown


@pytest.mark.parametrize(("rule", "tag"), [("fail", "failure"), ("pass", "skipped")])
def test_points_that_may_be_missing_are_shown_in_every_format(rule: str, tag: str) -> None:
    rules = Rules(on_inconclusive=rule)  # type: ignore[arg-type]  # a parameter of a test is a plain str
    outcome = judged(lines({("ipvs", 1): STEADY}, exit_code=None), rules)
    assert cases(outcome)["session"].find(tag) is not None
    assert "kubelb gate: inconclusive (exit code" in text.render(outcome)
    assert summary_of(outcome).startswith("### \N{WHITE QUESTION MARK ORNAMENT} kubelb gate: inconclusive")
    report = json_report.build(outcome)
    assert isinstance(report, dict)
    assert report["verdict"] == "inconclusive"
    assert "points may be missing" in report["session"]["findings"][0]["sentence"]


def test_json_has_every_point_with_its_runs_verdicts_and_sentences() -> None:
    report = json.loads(json.dumps(json_report.build(mixed()), allow_nan=False))
    assert (report["schema"], report["schema_version"]) == ("pytest-kubelb-gate", 1)
    assert (report["verdict"], report["exit_code"]) == ("unrepeatable", 1)
    assert report["session"]["verdict"] == "unrepeatable"
    assert report["baseline"]["compared"] is False
    points = {each["id"]: each for each in report["points"]}
    assert {name: each["verdict"] for name, each in points.items()} == {
        "ipvs-pods01": "pass",
        "ipvs-pods02": "inconclusive",
        "proxy-pods01": "unrepeatable",
        "proxy-pods02": "pass",
    }
    assert points["proxy-pods01"]["rps"] == list(UNEVEN)
    assert points["proxy-pods01"]["point"] == axes("proxy", 1)
    assert points["proxy-pods01"]["repeatability"]["cv"] == pytest.approx(0.2079, abs=1e-3)
    assert points["proxy-pods01"]["findings"][0]["kind"] == "unrepeatable"
    assert points["ipvs-pods01"]["against_baseline"] is None


def test_json_shows_why_a_run_is_not_valid() -> None:
    report = json_report.build(judged([start(), *runs(axes("ipvs", 4), STEADY, failed=1)]))
    assert isinstance(report, dict)
    invalid = [{"run": 99, "validity": "failed", "reason": "the benchmarker lost its route"}]
    assert report["points"][0]["invalid"] == invalid
    assert report["points"][0]["repeatability"]["verdict"] == "failed"


def cases(outcome: Outcome) -> dict[str, ET.Element]:
    rendered = junit.render(outcome)
    XUNIT2.validate(rendered)
    suite = ET.fromstring(rendered)[0]  # noqa: S314 - made by this test
    found = {case.get("name", ""): case for case in suite.iter("testcase")}
    assert suite.get("tests") == str(len(found))
    for attribute, tag in (("failures", "failure"), ("skipped", "skipped")):
        assert suite.get(attribute) == str(sum(case.find(tag) is not None for case in found.values()))
    return found


def test_junit_has_a_case_for_each_point_with_pytests_failures() -> None:
    found = cases(mixed())
    assert list(found) == ["ipvs-pods01", "ipvs-pods02", "proxy-pods01", "proxy-pods02"]
    failures = {name: case.find("failure") for name, case in found.items()}
    assert {name: failure.get("type") for name, failure in failures.items() if failure is not None} == {
        "ipvs-pods02": "InconclusiveError",
        "proxy-pods01": "RepeatabilityError",
    }
    assert "kubelb_cv_percent=20.7884" in (found["proxy-pods01"].findtext("system-out") or "")
    assert found["ipvs-pods01"].get("time") == "360.120"


def test_junit_skips_what_is_inconclusive_and_passes_by_the_rules() -> None:
    skipped = cases(mixed(on_inconclusive="pass"))["ipvs-pods02"].find("skipped")
    assert skipped is not None
    assert "ipvs-pods02 is inconclusive" in (skipped.get("message") or "")


def test_junit_is_never_green_where_the_exit_code_is_not_0() -> None:
    assert cases(judged(lines({})))["session"].find("failure") is not None
    missing = judged(lines({("ipvs", 1): STEADY}), Rules(on_missing_baseline="fail"))
    assert cases(missing)["session"].find("failure") is not None


def test_junit_survives_names_that_xml_does_not_have() -> None:
    assert all(name.isprintable() for name in cases(hostile()))


def test_markdown_has_one_table_whatever_the_names_are() -> None:
    shown = summary_of(hostile())
    table = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.count("|") for line in table} == {6}
    for special in ("<script", "`", "**", "](", "http://", "$m", "\x1b", "\u202e"):
        assert special not in shown
    assert "&#60;script&#62;" in shown


def test_markdown_says_the_verdict_first() -> None:
    first, *rest = summary_of(mixed()).splitlines()
    assert first.startswith("### \N{CROSS MARK} kubelb gate: unrepeatable (exit code 1): ")
    assert any("the session as a whole" in line for line in rest)


NAMES = st.text(st.characters(), max_size=30)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(NAMES, st.one_of(NAMES, st.integers()), max_size=3),
    st.lists(st.floats(0, 9e18), max_size=5),
    NAMES,
)
def test_every_format_survives_every_record(point: dict[str, str | int], rps: list[float], name: str) -> None:
    session = [start(), *runs(point, rps), *runs({**point, "backend": name}, rps)]
    outcome = judged(session)
    assert max(map(len, text.render(outcome).splitlines())) <= 80
    json.dumps(json_report.build(outcome), allow_nan=False)
    XUNIT2.validate(junit.render(outcome))
    assert len({line.count("|") for line in summary_of(outcome).splitlines() if "|" in line}) == 1
