"""The report in a real browser: it renders, is quiet, works by mouse and keyboard, and can be read by everybody."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record.lines import Event, SessionStart, Verdict
from pytest_kubelb.report.html.build import build
from tests.report.html import made

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.html.chromium import Chromium

HOSTILE = "</script><script>globalThis.broken = 1</script><img src=x onerror='globalThis.broken = 2'>\"'&{{ 7 * 7 }}"


def place_of(browser: Chromium, selector: str) -> tuple[float, float]:
    """Scroll to an element and give its middle in the window."""
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    x, y = browser.run(
        f"""(() => {{
          const found = document.querySelector({json.dumps(selector)});
          found.scrollIntoView({{block: 'center'}});
          const box = found.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
    )
    return x, y


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 360])
def test_it_renders_without_a_message_a_request_or_a_horizontal_scroll_bar(
    browser: Chromium, page: Path, width: int, scheme: str
) -> None:
    browser.open(page, width=width, scheme=scheme)
    assert browser.messages == []
    assert browser.requests == [page.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    drawn = (
        "[...document.querySelectorAll('svg.chart')].filter((each) => each.getBoundingClientRect().width > 0)"
    )
    assert browser.run(f"{drawn}.length") >= 6


def test_several_sessions_fit_on_a_phone(browser: Chromium, tmp_path: Path) -> None:
    records = [
        made.session(tmp_path / f"s{number}", number=number, runs=3, pods=(1, 2)) for number in range(4)
    ]
    build(records, tmp_path / "r.html")
    browser.open(tmp_path / "r.html", width=360)
    assert browser.run("document.documentElement.scrollWidth") == 360


def test_texts_of_a_picture_do_not_overlap(browser: Chromium, page: Path) -> None:
    overlaps = """[...document.querySelectorAll('svg.chart')].flatMap((chart) => {
      const boxes = [...chart.querySelectorAll('text')]
        .map((text) => [text.textContent, text.getBoundingClientRect()]).filter(([, b]) => b.width);
      return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
        p.left < q.right && q.left < p.right && p.top + 2 < q.bottom && q.top + 2 < p.bottom).map(([b]) => [a, b]));
    })"""
    for width in (1280, 360):
        browser.open(page, width=width)
        assert browser.run(overlaps) == []


def test_a_click_on_a_point_shows_its_runs(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.click(*place_of(browser, "#rps svg.wide .pt .mark"))
    assert browser.run("document.querySelector('dialog').open")
    assert browser.run("document.querySelector('dialog h3').textContent") == "ipvs, 1 pod, vxlan"
    assert browser.run("document.querySelectorAll('dialog tbody tr').length") == 16


def test_a_point_is_chosen_by_keyboard_and_the_focus_comes_back_to_it(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('#rps svg.wide .pt').focus()")
    browser.press("ArrowRight")
    browser.press("Enter")
    assert browser.run("document.querySelector('dialog h3').textContent") == "ipvs, 2 pods, vxlan"
    browser.press("Escape")
    assert not browser.run("document.querySelector('dialog').open")
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith("ipvs, 2 pods")


def test_each_picture_is_one_stop_of_the_tab_key(browser: Chromium, page: Path) -> None:
    browser.open(page)
    stops = """[...document.querySelectorAll('svg.chart')]
      .map((chart) => chart.querySelectorAll('[tabindex="0"]').length)"""
    assert set(browser.run(stops)) <= {0, 1}
    browser.run("document.querySelector('#rps svg.wide .pt').focus()")
    browser.press("Tab")
    assert browser.run("document.activeElement.closest('section').id") == "ratio"


def test_the_table_is_sorted_by_keyboard_with_what_is_not_known_last(browser: Chromium, page: Path) -> None:
    browser.open(page)
    column = "[...document.querySelectorAll('#table-points tbody tr')].map((row) => Number(row.cells[3].dataset.v))"
    browser.run("document.querySelectorAll('#table-points thead button')[3].focus()")
    browser.press("Enter")
    rising = browser.run(column)
    assert rising == sorted(rising)
    assert (
        browser.run("document.querySelector('#table-points th[aria-sort]').getAttribute('aria-sort')")
        == "ascending"
    )
    browser.press("Enter")
    assert browser.run(column) == rising[::-1]


def test_the_heat_maps_follow_the_point_that_is_chosen(browser: Chromium, page: Path) -> None:
    browser.open(page)
    assert browser.run("document.querySelectorAll('#heat section').length") == len(made.HOSTS)
    assert browser.run("document.querySelector('#heat h3').textContent") == "k11"
    before = browser.run("document.querySelector('#heat').textContent")
    browser.run(
        """(() => {
          const list = document.getElementById('heat-point');
          list.value = '0';
          list.dispatchEvent(new Event('change'));
        })()"""
    )
    assert browser.run("document.querySelector('#heat').textContent") != before


def test_without_load_and_during_a_run_have_one_scale(browser: Chromium, page: Path) -> None:
    browser.open(page)
    shown = browser.run(
        """[...document.querySelectorAll('#heat section:first-of-type table')]
             .filter((table) => table.caption.textContent.startsWith('Softirqs'))
             .map((table) => [table.caption.textContent, ...[...table.rows[1].cells].slice(1, 2)
               .map((cell) => [cell.textContent, cell.className])].flat())"""
    )
    (at_rest, few, pale), (during, many, strong) = shown
    assert (at_rest, during) == (
        "Softirqs of k11, per second, without load",
        "Softirqs of k11, per second, during the run",
    )
    assert (few, pale) == ("140", "n h1")
    assert float(many.replace(",", "")) > 5000
    assert strong == "n h8"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Chromium, page: Path, axe: str, scheme: str) -> None:
    browser.open(page, scheme=scheme)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    # Evaluated by the debugger, which the page's own policy does not bind.
    browser.run(f"(() => {{ {axe} }})()")
    told = """axe.run({resultTypes: ['violations']}).then((found) => found.violations.map(
      (each) => [each.id, each.nodes.length, each.nodes[0].html.slice(0, 200), each.nodes[0].failureSummary]))"""
    assert browser.run(told) == []
    browser.run(
        "document.querySelector('#rps svg.wide .pt').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert browser.run(told) == []


def test_hostile_texts_of_a_record_stay_texts(browser: Chromium, tmp_path: Path) -> None:
    run = made.sample("ipvs", 2, 0, 900.0)
    hostile = replace(
        run,
        point={"backend": HOSTILE, "pods": 2, "overlay": HOSTILE, HOSTILE: HOSTILE},
        validity="contaminated",
        reason=HOSTILE,
        command=HOSTILE,
        started=HOSTILE,
        findings=(replace(made.FINDING, signal=HOSTILE, host=HOSTILE, unit=HOSTILE, sentence=HOSTILE),),
    )
    start = SessionStart(
        HOSTILE,
        HOSTILE,
        {HOSTILE: HOSTILE, "testbed": HOSTILE, "hosts": {HOSTILE: {"kernel": HOSTILE}}},
        {HOSTILE: {"value": HOSTILE, "origin": HOSTILE}},
    )
    record = made.written(
        tmp_path / "s",
        [
            start,
            Event(HOSTILE, HOSTILE, {HOSTILE: HOSTILE}),
            Event(
                "", "tuned", {"profile": HOSTILE, "host": HOSTILE, "changed": {HOSTILE: [HOSTILE, HOSTILE]}}
            ),
            hostile,
            replace(hostile, run=1),
            Verdict(hostile.point, HOSTILE, {"ceiling": HOSTILE}, HOSTILE),
        ],
    )
    evidence = {
        "kind": "evidence",
        "point": dict(hostile.point),
        "provisioning": 1,
        "run": 0,
        "warmup": False,
    }
    told = made.delta(HOSTILE, 2, 2, 30.0) | {
        "endpoints": {HOSTILE: {"packets": 5}},
        "softirqs_per_s": {HOSTILE: [1.0, 2.0]},
    }
    line = {**evidence, "hosts": {HOSTILE: told}}
    record.with_name("evidence.jsonl").write_text(json.dumps(line, separators=(",", ":")) + "\n")
    build([record], tmp_path / "r.html")
    browser.open(tmp_path / "r.html")
    browser.run(
        "document.querySelector('#rps svg.wide .pt').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert browser.run("document.querySelector('dialog').open")
    assert browser.run("globalThis.broken") is None
    assert browser.messages == []
    assert browser.requests == [(tmp_path / "r.html").as_uri()]
    assert browser.run("document.querySelectorAll('img, script:not([type])').length") == 1
    assert browser.run("document.querySelector('#heat h3').textContent") == HOSTILE
    assert "{{ 7 * 7 }}" in browser.run("document.title")


def test_a_script_that_is_not_ours_does_not_run(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.run(
        """(() => {
          const added = document.createElement('script');
          added.textContent = 'globalThis.broken = 1';
          document.body.append(added);
        })()"""
    )
    assert browser.run("globalThis.broken") is None


def test_it_is_printed_on_pages_with_everything_unfolded(browser: Chromium, page: Path) -> None:
    browser.open(page)
    assert browser.pdf().startswith(b"%PDF-")
    assert browser.run("[...document.querySelectorAll('details')].every((each) => each.open)")
