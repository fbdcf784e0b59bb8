"""`kubelb gate` from the command line: verdicts against a baseline, what is said, exit codes, bad input."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import pytest_kubelb
from pytest_kubelb.cli import main
from pytest_kubelb.comparing import Comparison
from pytest_kubelb.record import baseline, marks
from pytest_kubelb.report import json_report
from tests.gate.recorded import (
    STEADY,
    UNEVEN,
    UNSURE,
    axes,
    lines,
    runs,
    scaled,
    session_id,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Gate = Callable[..., str]

POINTS = {(backend, pods): STEADY for backend in ("ipvs", "proxy") for pods in (1, 2, 4, 8, 12, 16, 24, 40)}
BEFORE = (0.998, 1.003, 1.0, 0.997, 1.002)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five earlier sessions that differ by some tenths of a per cent, in the working directory."""
    for day, factor in enumerate(BEFORE, 1):
        write(tmp_path, lines(scaled(POINTS, factor), day))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gate(capsys: pytest.CaptureFixture[str]) -> Gate:
    """Run `kubelb gate`, check its exit code, and give what it said on one line: on stderr for code 4."""

    def run(*words: str | Path, code: int) -> str:
        found = main(["gate", *map(str, words)])
        captured = capsys.readouterr()
        assert found == code, captured.out + captured.err
        assert (captured.err == "") == (code != 4)
        return " ".join((captured.err if code == 4 else captured.out).split())

    return run


def remeasured(root: Path, points: dict[tuple[str, int], float], day: int) -> Path:
    """Write a session in which these points are slower by a factor, each measured again twice, provisioned anew."""
    session = lines({key: rps for key, rps in POINTS.items() if key not in points}, day, exit_code=None)
    for (backend, pods), factor in points.items():
        for provisioning in (1, 2, 3):
            rps = [factor * each for each in STEADY]
            session += runs(axes(backend, pods), rps, provisioning=provisioning)
    return write(root, session)


def test_the_newest_session_is_judged_and_passes_when_it_is_as_before(root: Path, gate: Gate) -> None:
    write(root, lines(POINTS, 9))
    said = gate("--baseline", "last:5", code=0)
    assert f"session {session_id(9)} on rack: 16 points, 80 runs" in said
    assert "baseline: last:5, 5 sessions" in said
    assert "sweep through ipvs: pass" in said
    assert said.endswith("16 points repeat and are not slower than the baseline")


def test_a_drop_that_a_fresh_provisioning_confirmed_is_a_regression(root: Path, gate: Gate) -> None:
    remeasured(root, {("proxy", 4): 0.9}, 9)
    said = gate("--baseline", "last:5", code=1)
    assert "kubelb gate: regression (exit code 1): 1 point regression" in said
    assert "proxy-pods04" in said
    assert "-10." in said or "-9." in said


def test_a_drop_seen_once_is_no_regression_yet_and_no_pass(root: Path, gate: Gate) -> None:
    write(root, lines({**POINTS, ("proxy", 4): [0.9 * each for each in STEADY]}, 9))
    report = json.loads(gate("--baseline", "last:5", "--format", "json", "--max-drop", "5%", code=2))
    words = {each["id"]: each["against_baseline"]["verdict"] for each in report["points"]}
    assert words["proxy-pods04"] in ("retest", "inconclusive")
    assert words["ipvs-pods04"] == "pass"


def test_a_small_drop_everywhere_is_found_in_the_sweep(root: Path, gate: Gate) -> None:
    write(root, lines(scaled(POINTS, 0.955), 9))
    report = json.loads(gate("--baseline", "last:5", "--format", "json", code=1))
    assert [each["verdict"] for each in report["sweeps"]] == ["regression", "regression"]
    assert report["verdict"] == "regression"


def test_a_point_that_does_not_repeat_fails_beside_a_good_baseline(root: Path, gate: Gate) -> None:
    write(root, lines({**POINTS, ("ipvs", 2): UNEVEN}, 9))
    said = gate("--baseline", "last:5", code=1)
    assert "ipvs-pods02 is unrepeatable" in said


@pytest.mark.parametrize(("word", "code"), [("fail", 2), ("pass", 0)])
def test_inconclusive_is_exit_code_2_unless_it_may_pass(root: Path, gate: Gate, word: str, code: int) -> None:
    write(root, lines({("ipvs", 1): UNSURE}, 9, max_runs=10))
    said = gate("--on-inconclusive", word, code=code)
    assert f"kubelb gate: inconclusive (exit code {code})" in said


def test_without_a_word_inconclusive_is_exit_code_2(root: Path, gate: Gate) -> None:
    write(root, lines({("ipvs", 1): UNSURE}, 9, max_runs=10))
    gate(code=2)


def test_without_a_baseline_it_says_that_nothing_was_compared(root: Path, gate: Gate) -> None:
    write(root, lines(POINTS, 9, baseline="last:5"))
    said = gate(code=0)
    assert said.endswith("16 points repeat, not judged against a baseline")
    assert "The session itself was compared with last:5; here no baseline was given." in said
    assert "--baseline last:5 would be" in said
    gate("--on-missing-baseline", "fail", code=2)


def test_points_on_one_side_only_are_listed_and_fail_as_they_are_told(root: Path, gate: Gate) -> None:
    write(root, lines({("ipvs", 1): STEADY, ("ipvs", 2): STEADY, ("ipvs", 99): STEADY}, 9))
    said = gate("--baseline", "last:5", code=0)
    assert "Not judged against the baseline, the baseline has no valid run of it: ipvs-pods99." in said
    assert "In the baseline and not measured here:" in said
    assert "backend=proxy overlay=vxlan pods=4" in said
    gate("--baseline", "last:5", "--on-missing-baseline", "fail", code=2)


def test_nothing_to_compare_with_is_said_and_not_a_regression(root: Path, gate: Gate) -> None:
    said = gate("--root", root, "--baseline", "pinned", code=0)
    assert "not judged against the baseline" in said
    assert "No session is pinned" in said


def test_a_baseline_from_after_the_session_is_said_to_be(root: Path, gate: Gate) -> None:
    said = gate(session_id(3), "--root", root, "--baseline", "last:2", code=0)
    assert f"later than this session: {session_id(4)}, {session_id(5)}." in said
    assert "later than" not in gate(session_id(5), "--root", root, "--baseline", "last:2", code=0)


def test_another_testbed_is_refused_by_the_field_that_differs(root: Path, gate: Gate) -> None:
    other = lines(POINTS, 9)
    other[0].facts["testbed"] = "attic"  # type: ignore[union-attr,index]  # the first line is a session's start
    write(root, other)
    said = gate("--baseline", "last:5", code=0)
    assert "not judged" in said
    assert "testbed rack" in said
    assert "attic" in said


def test_faster_than_the_baseline_is_said_to_be_stale(root: Path, gate: Gate) -> None:
    write(root, lines(scaled(POINTS, 1.2), 9))
    said = gate("--baseline", "last:5", code=0)
    assert "Faster than the baseline, which is stale there: ipvs-pods01, ipvs-pods02" in said


def test_a_point_at_a_ceiling_is_marked(root: Path, gate: Gate) -> None:
    link = [163900.0, 163901.0, 163900.5, 163900.2]
    write(root, lines({**POINTS, ("ipvs", 20): link}, 9))
    said = gate(code=0)
    assert "repeatable*" in said
    assert "where a slower one would not show: ipvs-pods20." in said


def test_every_way_to_name_the_session_judges_the_same(root: Path, gate: Gate) -> None:
    folder = write(root, lines({**POINTS, ("ipvs", 2): UNEVEN}, 9))
    report = root / "ci" / "report.json"
    report.parent.mkdir()
    json_report.write(json_report.build(folder / "record.jsonl"), report)
    found = []
    for word in (session_id(9), session_id(9)[:9], "last", folder, folder / "record.jsonl", report, root):
        shown = json.loads(gate(word, "--baseline", "last:5", "--format", "json", code=1))
        found.append({name: value for name, value in shown.items() if name != "source"})
    assert all(each == found[0] for each in found)
    assert found[0]["session"]["id"] == session_id(9)


def test_a_report_may_be_the_baseline(root: Path, gate: Gate) -> None:
    folder = write(root, lines(POINTS, 9))
    json_report.write(json_report.build(folder / "record.jsonl"), root / "main.json")
    write(root, lines(POINTS, 10))
    assert f"baseline: main.json, {session_id(9)}" in gate("--baseline", "main.json", code=0)


def test_the_verdicts_are_those_that_the_session_gave(root: Path, gate: Gate) -> None:
    folder = remeasured(root, {("proxy", 4): 0.93, ("ipvs", 1): 0.985}, 9)
    report = json.loads(gate(folder, "--baseline", "last:5", "--format", "json", code=1))
    chosen = baseline.select("last:5", root, session_id(9))
    comparison = Comparison(chosen, len(POINTS))
    for point in report["points"]:
        provisionings = [point["rps"], *point["measured_anew"]]
        expected = comparison.judge(point["point"], provisionings, 0.05)
        assert point["against_baseline"] == pytest.approx(asdict(expected))


def test_junit_has_a_case_for_each_point_and_each_sweep(root: Path, gate: Gate) -> None:
    remeasured(root, {("proxy", 4): 0.9}, 9)
    gate("--baseline", "last:5", "--format", "junit", "--output", "gate.xml", code=1)
    suite = ET.parse(root / "gate.xml").getroot()[0]  # noqa: S314 - made by this test
    failures = {case.get("name"): case.find("failure") for case in suite.iter("testcase")}
    assert {"ipvs-pods01", "proxy-pods04", "sweep[ipvs]", "sweep[proxy]"} <= failures.keys()
    failure = failures["proxy-pods04"]
    assert failure is not None
    assert failure.get("type") == "RegressionError"
    assert failures["ipvs-pods01"] is None


def test_markdown_is_added_to_the_summary_of_a_step(
    root: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = root / "summary.md"
    summary.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    gate("--baseline", "last:2", "--format", "markdown", "--output", summary, code=0)
    before, _, added = summary.read_text().partition("\n")
    assert before == "# Before"
    assert "against the baseline |" in added
    assert gate("--output", root / "other", code=0) == ""
    assert (root / "other").read_text().startswith("session ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "No session, tag or file is called 'nobody'"),
        (("2026",), "5 sessions begin with '2026'"),
        (("last:2",), "'last:2' means 2 sessions, and one is judged at a time"),
        (("--root", "nowhere"), "--root nowhere is no folder"),
        (("--baseline", "nobody"), "No tag, session or file is called 'nobody'"),
        (("--output", "nowhere/x"), "--output nowhere/x cannot be written: No such file or directory"),
        (("--jsonl", "nowhere"), "--jsonl 'nowhere' cannot be read: No such file or directory"),
        (
            ("--jsonl", "-", "--format", "json"),
            "--jsonl answers questions and judges no session: leave out --format",
        ),
        (("last", "--jsonl", "-"), "leave out SESSION"),
        (("no\0thing",), "No session, tag or file"),
    ],
)
def test_what_does_not_exist_or_fit_is_one_sentence(
    root: Path, gate: Gate, words: tuple[str, ...], said: str
) -> None:
    found = gate(*words, code=4)
    assert said in found
    assert found.startswith("kubelb: ")
    assert root.is_dir()


@pytest.mark.parametrize(
    "words",
    [
        ("--tolerance", "5x"),
        ("--max-drop", "0"),
        ("--max-drop", "-5%"),
        ("--on-inconclusive", "maybe"),
        ("--format", "html"),
        ("--flag",),
        ("a", "b"),
    ],
)
def test_words_that_it_does_not_know_are_a_usage_error(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["gate", *words])
    assert ended.value.code == 4
    assert "Traceback" not in capsys.readouterr().err


def test_without_any_session_it_says_what_to_do(tmp_path: Path, gate: Gate) -> None:
    assert "There is no session in" in gate("--root", tmp_path, code=4)


@pytest.mark.parametrize(
    "breakage",
    [
        lambda text: text.replace("40000.0", "NaN"),
        lambda text: text.replace("40000.0", "1e999"),
        lambda text: text.replace("40000.0", "-1"),
        lambda text: text.replace("40000.0", "9" * 5000),
        lambda text: text.replace('"kind": "sample"', '"kind": "rumour"'),
        lambda text: text.replace("40000.0", "[" * 100_000),
        lambda text: "\n" + text,
    ],
    ids=["nan", "infinite", "negative", "huge", "unknown", "deep", "blank"],
)
def test_a_record_that_is_none_is_one_sentence_and_no_verdict(
    root: Path, gate: Gate, breakage: Callable[[str], str]
) -> None:
    record = write(root, lines(POINTS, 9)) / "record.jsonl"
    record.write_text(breakage(record.read_text()))
    said = gate("--baseline", "last:5", code=4)
    assert "record.jsonl" in said
    assert said.count("kubelb: ") == 1
    assert len(said) < 1000


def test_a_torn_record_is_judged_with_a_note(root: Path, gate: Gate) -> None:
    record = write(root, lines(POINTS, 9)) / "record.jsonl"
    record.write_bytes(record.read_bytes()[:-20])
    said = gate(code=2)
    assert "torn" in said
    assert "it was killed or still goes on" in said
    assert "kubelb gate: inconclusive (exit code 0)" in gate("--on-inconclusive", "pass", code=0)


def of_ab(root: Path, day: int) -> Path:
    session = lines(POINTS, day)
    session[0].facts["ab"] = {}  # type: ignore[union-attr,index]  # the first line is a session's start
    return write(root, session)


def test_a_session_of_ab_is_refused_by_name_and_passed_over_as_the_newest(root: Path, gate: Gate) -> None:
    folder = of_ab(root, 9)
    report = root / "report.json"
    json_report.write(json_report.build(folder / "record.jsonl"), report)
    for word in (session_id(9), folder, folder / "record.jsonl", report):
        said = gate(word, code=4)
        assert "is of an A/B session, which `kubelb ab` itself judges" in said
    for words in ((), (root,)):
        assert f"session {session_id(5)} on" in gate(*words, code=0)


def test_a_root_with_sessions_of_ab_only_has_none_to_judge(tmp_path: Path, gate: Gate) -> None:
    of_ab(tmp_path, 9)
    said = gate("--root", tmp_path, code=4)
    assert "no session but those of `kubelb ab`" in said


@pytest.mark.parametrize("how", ["tag", "pinned", "id", "last", "path"])
def test_a_baseline_that_is_only_the_judged_session_says_so(tmp_path: Path, gate: Gate, how: str) -> None:
    folder = write(tmp_path, lines({("ipvs", 1): STEADY}, 1))
    marks.change(folder, lambda _: marks.Marks(frozenset({"main"}), pinned=True))
    word = {"tag": "main", "id": session_id(1), "path": str(folder)}.get(how, how)
    words = ("--root", tmp_path, "--baseline", word)
    report = json.loads(gate(*words, "--format", "json", code=0))
    assert report["notes"] == [f"The only session of {word} is the one that is judged."]
    said = gate(*words, code=0)
    assert "kubelb gate: not judged (exit code 0): 1 point not judged against the baseline" in said


@pytest.mark.parametrize(("rule", "code", "tag"), [("pass", 0, "skipped"), ("fail", 2, "failure")])
def test_when_no_point_can_be_judged_the_word_is_not_pass(
    root: Path, gate: Gate, rule: str, code: int, tag: str
) -> None:
    write(root, lines({("ipvs", 99): STEADY}, 9))
    words = ("--baseline", "last:5", "--on-missing-baseline", rule, "--format")
    assert f"kubelb gate: not judged (exit code {code})" in gate(*words, "text", code=code)
    assert f"kubelb gate: not judged (exit code {code})" in gate(*words, "markdown", code=code)
    report = json.loads(gate(*words, "json", code=code))
    assert (report["verdict"], report["exit_code"]) == ("not judged", code)
    suite = ET.fromstring(gate(*words, "junit", code=code))[0]  # noqa: S314 - made by this test
    (case,) = (case for case in suite.iter("testcase") if case.get("name") == "session")
    assert case.find(tag) is not None


QUESTION = {"baseline": [[1000.0, 1001.0], [1002.0, 999.0]], "candidate": [1000.0, 1001.0]}


def asked(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogatepass"))))


def test_questions_are_answered_in_their_order_one_line_each(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {"baseline": [[1000.0, 1001.0, 999.0]] * 5, "candidate": [500.0, 501.0]}
    confirmed = {**slow, "candidates": [[500.0, 501.0], [502.0, 499.0], [501.0, 500.0]]}
    suite = {"cells": {"a": QUESTION, "b": slow}}
    asked(monkeypatch, "\n".join(json.dumps(each) for each in (QUESTION, slow, confirmed, suite)))
    answers = [json.loads(line) for line in gate("--jsonl", "-", code=0).split()]
    words = [each.get("verdict") for each in answers[:3]]
    assert words[1:] == ["retest", "regression"]
    assert answers[3]["verdicts"].keys() == {"a", "b"}
    assert answers[3]["overall"] in ("regression", "retest", "inconclusive")


def test_questions_may_stand_in_a_file(root: Path, gate: Gate) -> None:
    (root / "questions").write_text(json.dumps(QUESTION) + "\n\n" + json.dumps(QUESTION) + "\n")
    assert gate("--jsonl", "questions", code=0).count("verdict") == 2


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "[]",
        "{}",
        '{"baseline": [[1, NaN]], "candidate": [1]}',
        '{"baseline": [[1, 1e999]], "candidate": [1]}',
        '{"baseline": [[1]], "candidate": [' + "9" * 4000 + "]}",
        '{"baseline": [[1]], "candidate": [' + "9" * 5000 + "]}",
        '{"baseline": [[1]], "candidate": [-1]}',
        '{"baseline": [[1]], "candidate": ["1"]}',
        '{"baseline": [[1]], "candidate": [true]}',
        '{"baseline": 1, "candidate": [1]}',
        '{"cells": []}',
        '{"cells": {"a": 1}}',
        '{"cells": {"\\u001b[2J%s": 1}}' % ("x" * 5000),
        "[" * 100_000,
        "\ud800",
    ],
)
def test_a_bad_question_is_one_sentence_with_the_number_of_its_line(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    asked(monkeypatch, f"{json.dumps(QUESTION)}\n{bad}\n")
    said = gate("--jsonl", "-", code=4)
    assert said.startswith("kubelb: stdin:2: this is no question: ")
    assert len(said) < 1000


def test_each_question_is_answered_before_the_next_is_asked() -> None:
    command = [sys.executable, "-c", "import sys; from pytest_kubelb.cli import main; sys.exit(main())"]
    environment = {**os.environ, "PYTHONPATH": str(Path(pytest_kubelb.__file__).parents[1])}
    with subprocess.Popen(
        [*command, "gate", "--jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            process.stdin.write(json.dumps(QUESTION) + "\n")
            process.stdin.flush()
            assert "verdict" in json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait() == 0
