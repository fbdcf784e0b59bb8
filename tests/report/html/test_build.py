"""The file as a whole: what records of every kind give, and where it is written."""

from __future__ import annotations

import re
import stat
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.imports.making import import_paths
from pytest_kubelb.record.imports.sessions import Choices
from pytest_kubelb.report import json_report
from pytest_kubelb.report.html import fairness_chart, reading, reproduce, tables
from pytest_kubelb.report.html.build import build
from tests.report.html import made

if TYPE_CHECKING:
    from pytest_kubelb.record.lines import Line

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "kuruwa-6th_try"


def text_of(record: Path, destination: Path) -> str:
    build([record], destination)
    return destination.read_text()


def headline(html: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", html)
    assert found is not None
    return found[1]


def test_the_file_is_for_its_owner_alone_and_asks_nothing_of_a_network(tmp_path: Path) -> None:
    html = text_of(made.session(tmp_path / "s"), tmp_path / "new" / "report.html")
    assert stat.S_IMODE((tmp_path / "new" / "report.html").stat().st_mode) == 0o600
    assert not re.findall(r"(?:src|href)=\"(?!#)", html)
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
    assert not re.search(r"\sstyle=", html)


def test_an_older_file_stays_when_a_record_cannot_be_read(tmp_path: Path) -> None:
    destination = tmp_path / "report.html"
    destination.write_text("older")
    with pytest.raises(KubelbError, match="cannot be read"):
        build([tmp_path / "none" / "record.jsonl"], destination)
    assert destination.read_text() == "older"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    record = made.session(tmp_path / "s")
    (tmp_path / "file").write_text("")
    with pytest.raises(KubelbError, match=r"The HTML report .*file/report.html cannot be written"):
        build([record], tmp_path / "file" / "report.html")


def test_the_first_line_answers_the_three_questions(tmp_path: Path) -> None:
    html = text_of(made.session(tmp_path / "s", passes=3, pods=(1, 4)), tmp_path / "r.html")
    told = "ipvs is faster at 2 of 2 pod counts; all 4 points repeat; 93 of 96 runs are valid."
    assert headline(html) == told


def test_one_pass_shows_no_backend_to_be_faster(tmp_path: Path) -> None:
    html = text_of(made.session(tmp_path / "s"), tmp_path / "r.html")
    assert headline(html).startswith("No backend is shown to be faster at any of 6 pod counts; ")
    assert "6 inconclusive: fewer than 3 passes, see --kubelb-passes." in html


def test_an_order_in_which_drift_passes_for_a_difference_forbids_the_ratio(tmp_path: Path) -> None:
    record = made.session(tmp_path / "s", passes=3)
    block = '"order":{"value":"block","origin":"--kubelb-order"},"pods":{'
    record.write_text(record.read_text().replace('"pods":{', block, 1))
    html = text_of(record, tmp_path / "r.html")
    assert "6 not judged: in the order block a drift of the testbed would pass for a difference" in html


def test_an_empty_record_says_that_nothing_was_measured(tmp_path: Path) -> None:
    (tmp_path / "record.jsonl").write_text("")
    assert headline(text_of(tmp_path / "record.jsonl", tmp_path / "r.html")) == "Nothing was measured."


def test_a_killed_session_is_judged_from_its_runs_and_said_to_have_no_end(tmp_path: Path) -> None:
    lines: list[Line] = [
        made.session_start(),
        *(made.sample("ipvs", 4, run, 1000.0 + run) for run in range(6)),
    ]
    html = text_of(made.written(tmp_path / "s", lines), tmp_path / "r.html")
    assert "all 1 point repeat" in html
    assert "1 session did not come to an end." in html
    assert "Only ipvs was measured" in html


def test_records_without_evidence_say_what_is_not_known(tmp_path: Path) -> None:
    html = text_of(made.session(tmp_path / "s", evidence=False), tmp_path / "r.html")
    assert "No evidence was recorded: CPU time, softirqs, interrupts and findings are not known." in html
    assert 'id="heat"' not in html


def test_a_torn_line_of_evidence_is_left_out_with_a_note(tmp_path: Path) -> None:
    record = made.session(tmp_path / "s")
    evidence = record.with_name("evidence.jsonl")
    lines = evidence.read_text().splitlines(keepends=True)
    evidence.write_text("no JSON\n" + "".join(lines) + lines[0][:200])
    session = reading.read([record]).sessions[0]
    assert session.evidence_runs == len(lines)
    assert any("2 lines cannot be read as evidence" in note for note in session.notes)
    assert "2 lines cannot be read as evidence" in text_of(record, tmp_path / "r.html")


def test_the_run_shown_of_a_point_is_the_one_nearest_to_its_median(tmp_path: Path) -> None:
    session = reading.read([made.session(tmp_path / "s", runs=7)]).sessions[0]
    for point in session.points:
        shown = session.evidence[point.index]
        rates = {run.run: run.result.rps for run in point.valid if run.result is not None}
        assert abs(rates[shown.run] - (point.median or 0)) == min(
            abs(rps - (point.median or 0)) for rps in rates.values()
        )


def test_a_json_report_gives_the_same_points_as_its_record(tmp_path: Path) -> None:
    record = made.session(tmp_path / "s", evidence=False)
    json_report.write(json_report.build(record), tmp_path / "report.json")
    of_record, of_report = reading.read([record]), reading.read([tmp_path / "report.json"])
    assert [(p.axes, p.median, p.word, p.ceiling) for p in of_record.points] == [
        (p.axes, p.median, p.word, p.ceiling) for p in of_report.points
    ]


def test_several_sessions_stand_side_by_side_and_a_session_given_twice_once(tmp_path: Path) -> None:
    records = [made.session(tmp_path / f"s{number}", number=number, passes=1) for number in range(3)]
    build([*records, records[0]], tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text()
    assert "3 sessions" in html
    assert "s_I, between runs of different provisionings and sessions" in html
    for number in range(3):
        assert f"session 20261123T08000{number}Z-00a{number}" in html


def test_panels_beyond_the_third_are_folded(tmp_path: Path) -> None:
    records = [
        made.session(tmp_path / f"s{number}", number=number, runs=3, pods=(1, 2)) for number in range(5)
    ]
    build(records, tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text().count("<summary>Requests per second, session") == 2


def test_secrets_are_withheld(tmp_path: Path) -> None:
    run = replace(
        made.sample("ipvs", 2, 0, 900.0),
        command="wrk -H 'Authorization: Bearer abcdef' http://me:hunter2@10.0.0.1/",
        validity="failed",
        result=None,
        reason="curl --token=abcdef said 401",
    )
    html = text_of(made.written(tmp_path / "s", [made.session_start(), run]), tmp_path / "r.html")
    assert "[redacted]" in html
    for secret in ("abcdef", "hunter2", "s3cr3t"):
        assert secret not in html


def test_the_command_gives_the_settings_that_are_not_the_default(tmp_path: Path) -> None:
    html = text_of(made.session(tmp_path / "s"), tmp_path / "r.html")
    assert "pytest benches/ \\\n  --kubelb-pods 1,2,4-16/4 \\\n  --kubelb-runs 8</pre>" in html


def test_a_tuning_is_told_only_where_there_is_one(tmp_path: Path) -> None:
    start = made.session_start()
    runs = [
        made.sample("ipvs", 4, run, 1000.0 + 500 * (tuning == "rps") + run, tuning=tuning)
        for tuning in ("none", "rps")
        for run in range(3)
    ]
    sheet = reading.read([made.written(tmp_path / "s", [start, *runs])])
    assert [panel.title for panel in sheet.panels] == ["vxlan", "vxlan, tuning rps"]


def test_eighteen_thousand_runs_fit_into_ten_megabytes(tmp_path: Path) -> None:
    record = made.session(
        tmp_path / "s", pods=[1, *range(2, 42, 2)], runs=430, evidence=False, verdicts=False
    )
    build([record], tmp_path / "r.html")
    assert len(reading.read([record]).points) == 42
    assert (tmp_path / "r.html").stat().st_size < 10_000_000


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published runs are not beside the repository")
def test_the_published_runs_rank_no_backend_where_the_link_is_full(tmp_path: Path) -> None:
    choices = Choices(
        into=tmp_path,
        backend=None,
        overlay="unknown",
        pods=None,
        duration_s=None,
        session_per="folder",
        testbed="imported",
        tolerance=0.05,
        dry_run=False,
    )
    (imported,), _ = import_paths([PUBLISHED], {}, choices)
    assert imported.session is not None
    html = text_of(imported.session.record, tmp_path / "r.html")
    assert headline(html) == (
        "No backend is shown to be faster at any of 21 pod counts; 28 of 42 points repeat; it can be trusted only "
        "below the ceilings."
    )
    sheet = reading.read([imported.session.record])
    ipvs = {point.pods: point for point in sheet.panels[0].of("ipvs")}
    assert [pods for pods, point in ipvs.items() if not point.ranks] == list(range(18, 42, 2))
    assert round(ipvs[20].median or 0) == 163914
    assert html.count("not judged, ") >= 12


def test_a_pod_without_a_connection_counts_in_the_fairness_and_late_counters_do_not(tmp_path: Path) -> None:
    session = reading.read([made.session(tmp_path / "s", pods=(4,), runs=3)]).sessions[0]
    point = session.points[0]
    counted = {"172.16.5.2": {"connections": 30}, "172.16.6.2": {"connections": 10}}
    told = replace(session.evidence[0], hosts={"k11": {"endpoints": counted, "counters": {"ipvs.conns": 40}}})
    shares = fairness_chart.of_run(point, told)
    assert shares is not None
    assert shares.relative == [3.0, 1.0, 0.0, 0.0]
    late = replace(told, hosts={"k11": {"endpoints": counted, "counters": {"ipvs.conns": 41}}})
    assert fairness_chart.of_run(point, late) is None


def test_settings_are_told_as_read_back_with_what_they_were(tmp_path: Path) -> None:
    table = tables.tuning(reading.read([made.session(tmp_path / "s")]))
    assert table is not None
    others = ", ".join(host for host in made.HOSTS if host != "k11")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["seed", "k11", "rps_cpus eth0 rx-0", "1-3", "was none"],
        ["seed", f"k11, {others}", "rps_flow_cnt eth0 rx-0", "8192", ""],
        ["seed", f"k11, {others}", "irqbalance", "stopped", ""],
        ["seed", "k11", "turbo", "-", "unsupported: no intel_pstate here"],
        # No profile has set it on these; on k11 it is told once.
        ["seed", others, "rps_cpus eth0 rx-0", "1-3", ""],
        ["seed", ", ".join(made.HOSTS), "conntrack_max", "262144", ""],
    ]


def test_hosts_that_are_alike_share_a_row_and_their_offloads_are_folded(tmp_path: Path) -> None:
    page = text_of(made.session(tmp_path / "one"), tmp_path / "report.html")
    assert page.count("AMD EPYC 7302P") == 1
    assert f'<th scope="row">{", ".join(made.HOSTS)}</th>' in page
    assert "<details><summary>1 offload on</summary>eth0: rx-gro</details>" in page


def test_the_command_measures_what_was_measured_and_writes_nothing(tmp_path: Path) -> None:
    record = made.session(tmp_path / "one", backends=("ipvs",))
    first, *rest = record.read_text().splitlines(keepends=True)
    said = '"backend":{"value":"ipvs,proxy","origin":"default"},"html":{"value":"r.html","origin":"--kubelb-html"}'
    record.write_text(first.replace('"settings":{', '"settings":{' + said + ",") + "".join(rest))
    command = reproduce.of(reading.read([record]).sessions[0]).command
    assert "--kubelb-backend ipvs" in command
    assert "--kubelb-html" not in command
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:-1]))
    assert "--kubelb-backend" not in reproduce.of(reading.read([record]).sessions[0]).command


@pytest.mark.parametrize("name", ["run", "pods"])
def test_a_number_of_anything_in_a_record_costs_no_memory(tmp_path: Path, name: str) -> None:
    """Axes and pods without a count were once as many as the largest number."""
    record = made.session(tmp_path / "session", runs=2, pods=(1,))
    for file in (record, record.with_name("evidence.jsonl")):
        file.write_text(re.sub(rf'"{name}": ?1\b', f'"{name}":{2**62}', file.read_text()))
    assert str(2**62) in record.read_text()
    tracemalloc.start()
    try:
        build([record], tmp_path / "out.html")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", ["1e999", "-1e999", "9" * 400, '"0.5"', "null", "[]"])
@pytest.mark.parametrize("name", ["tolerance", "cv", "mean", "minimum", "confidence", "p", "change", "tau"])
def test_figures_of_a_verdict_that_are_none_are_judged_again(tmp_path: Path, name: str, value: str) -> None:
    record = made.session(tmp_path / "session", runs=6, pods=(1, 2))
    changed, count = re.subn(rf'("{name}": ?)-?[0-9.e-]+', rf"\g<1>{value}", record.read_text())
    assert count
    record.write_text(changed)
    build([record], tmp_path / "out.html")
