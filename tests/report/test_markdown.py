"""The summary in Markdown, for pull requests and for $GITHUB_STEP_SUMMARY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_kubelb.report import markdown
from tests.gate.recorded import STEADY, UNEVEN, lines, runs, start

from .sessions import HOSTILE, hostile_lines, read, session_lines

if TYPE_CHECKING:
    from pathlib import Path


def test_the_verdict_is_first_then_the_failures_then_the_table(tmp_path: Path) -> None:
    text = markdown.of_sessions([read(tmp_path)])
    shown = text.splitlines()
    assert shown[0].startswith("### \N{CROSS MARK} kubelb 20261101T120000Z-0001: 2 of 4 points failed")
    assert [line.split()[1] for line in shown[2:4]] == ["ipvs-pods02", "proxy-pods01"]
    rows = [line for line in shown if line.startswith(("| ipvs", "| proxy"))]
    assert [row.split(" | ")[0] for row in rows] == [
        "| ipvs-pods02",
        "| proxy-pods01",
        "| proxy-pods02",
        "| ipvs-pods01",
    ]
    assert shown.index(rows[0]) > 4


def test_the_summary_says_what_was_not_judged_the_ceilings_and_the_change(tmp_path: Path) -> None:
    text = markdown.of_sessions([read(tmp_path)])
    assert "Not judged against the baseline, the baseline has no valid run of it: proxy-pods02." in text
    assert (
        "Ceiling link (a link was full, which says nothing about the load balancer and must not rank backends): "
        "ipvs-pods01."
    ) in text.replace("&#95;", "_")
    assert "Ceiling lb_cpu (the load balancer's CPUs were busy): ipvs-pods02." in text.replace("&#95;", "_")
    assert "-30.0% |" in text
    assert "the sweep through ipvs has regressed by 15 %." in text
    assert "the benchmarker lost its route" in text


def test_columns_without_anything_in_them_are_not_there(tmp_path: Path) -> None:
    text = markdown.of_sessions([read(tmp_path, lines({("ipvs", 1): STEADY}))])
    assert "| point | runs | rps | CV | verdict |" in text


def test_several_sessions_stand_side_by_side_and_then_each_for_itself(tmp_path: Path) -> None:
    sessions = [read(tmp_path, session_lines(day)) for day in (1, 2)]
    sessions.append(read(tmp_path, lines({("ipvs", 40): UNEVEN}, day=3)))
    text = markdown.of_sessions(sessions)
    assert text.startswith("### 3 sessions side by side\n\n- A: kubelb 20261101T120000Z-0001: ")
    assert "| ipvs-pods01 | 40,000 (0.2%) | 40,000 (0.2%) | - |" in text
    assert "| ipvs-pods40 | - | - | 40,000 (20.8%) |" in text
    assert text.count("\n### ") == 3


def test_names_of_somebody_who_means_harm_are_text(tmp_path: Path) -> None:
    text = markdown.of_sessions([read(tmp_path, hostile_lines())])
    for special in ("<script", "`", "**", "](", "http://", "$m", "\x1b", "\u202e", "\r"):
        assert special not in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_a_summary_fits_what_is_left_of_a_mebibyte_and_keeps_the_verdict(tmp_path: Path) -> None:
    names = [(f"{HOSTILE}{HOSTILE}{number}", 1) for number in range(600)]
    session = read(tmp_path, lines(dict.fromkeys(names, UNEVEN)))
    for most in (markdown.LIMIT, 100_000, 20_000, 2_000, 0):
        text = markdown.of_sessions([session], most_bytes=most)
        assert len(text.encode()) <= most
        assert text.startswith("### \N{CROSS MARK} kubelb" if most else "")
    assert "and 400 more points" in markdown.of_sessions([session])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text(st.characters()))
def test_escaped_text_stays_on_one_line_of_a_table(text: str) -> None:
    shown = markdown.escaped(text)
    assert not set("|`<>*_[]\\~$@") & set(shown)
    assert "://" not in shown


def test_a_session_without_a_point_says_so(tmp_path: Path) -> None:
    text = markdown.of_sessions([read(tmp_path, [start(), *runs({}, ())][:1])])
    assert "nothing was measured" in text.splitlines()[0]
