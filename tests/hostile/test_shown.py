"""Whatever stands in a record, reports show it as text: no new element, no formula that a reader of ours would see run.

Every text of a record and of its evidence is replaced, one after the other, whatever field it is in: a field that is
added later is tried as well.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.sources import Source
from pytest_kubelb.report.formats import Reports
from pytest_kubelb.report.html.build import build
from pytest_kubelb.report.session_text import render
from pytest_kubelb.text.saying import say
from tests.report.html import made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = "</script></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'>{{7*7}}\x1b[2J\u202e=cmd"
KEY = -1
Place = tuple[str | int, ...]


class Shape(HTMLParser):
    """Counts the elements of a page by name and attributes; how many rows or marks there are may differ."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[f"{tag} {' '.join(sorted(name for name, _ in attrs))}"] += 1
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            assert name not in ("src", "href") or (value or "").startswith(("#", "data:")), (tag, name, value)


def shape_of(page: Path) -> set[str]:
    shape = Shape()
    shape.feed(page.read_text(encoding="utf-8"))
    return set(shape.found)


def texts(value: Any, place: Place = (), *, keys: bool = False) -> Iterator[Place]:
    """Give where the texts of a JSON value are, with `keys` names too: `KEY` at the end is that of the field."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict):
        for name, each in value.items():
            if keys:
                yield (*place, name, KEY)
            yield from texts(each, (*place, name), keys=keys)
    elif isinstance(value, list):
        for number, each in enumerate(value[:2]):
            yield from texts(each, (*place, number), keys=keys)


def replaced(value: Any, place: Place) -> Any:
    if not place:
        return HOSTILE
    first, *rest = place
    if rest == [KEY]:
        return {HOSTILE if name == first else name: each for name, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, tuple(rest)) if number == first else each for number, each in enumerate(value)]
    return {name: replaced(each, tuple(rest)) if name == first else each for name, each in value.items()}


def variants(
    lines: list[dict[str, Any]], *, keys: bool = False
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Give the lines with one text replaced, once for each kind of line and place."""
    tried = set()
    for number, line in enumerate(lines):
        for place in texts(line, keys=keys):
            kind = (
                line.get("kind"),
                line.get("name"),
                *(each == KEY if isinstance(each, int) else each for each in place),
            )
            if kind not in tried:
                tried.add(kind)
                changed = replaced(line, place)
                yield f"{kind}", [*lines[:number], changed, *lines[number + 1 :]]


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return made.session(tmp_path / "session", runs=2, pods=(1,))


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def write(file: Path, lines: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("name", ["record.jsonl", "evidence.jsonl"])
def test_no_text_makes_an_element_or_an_attribute_of_the_page(
    session: Path, name: str, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    build([session], page)
    usual = shape_of(page)
    file = session.with_name(name)
    shown = refused = 0
    for place, lines in variants(read(file), keys=name == "evidence.jsonl"):
        write(file, lines)
        try:
            build([session], page)
        except KubelbError:
            refused += 1
            continue
        # A text that is not understood may leave out a part of the page, or say why: that has no attributes of its own.
        new = shape_of(page) - usual
        assert all("script" not in each and "img" not in each for each in new), (place, new)
        assert "alert(1)</script>" not in page.read_text(encoding="utf-8"), place
        shown += "alert(1)" in page.read_text(encoding="utf-8")
    assert shown > 3, "nothing that is hostile is shown, so nothing was tried"


def test_no_text_reaches_the_terminal_as_it_is(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried = 0
    for place, lines in variants(read(session)):
        write(session, lines)
        try:
            reports = Reports([Source(session, named=True)])
            told = render(reports.sessions, 80)
        except KubelbError as error:
            told = str(error)
        assert told.replace("\n", "").isprintable(), place
        tried += 1
    assert tried > 20
    say("k11 said \x1b[2J\x9b0m\u202e", "and more")
    assert capsys.readouterr().out == "k11 said \\x1b[2J\\x9b0m\\u202e\nand more\n"


def test_a_csv_table_has_texts_as_they_are_for_programs_and_not_for_spreadsheets(
    session: Path, tmp_path: Path
) -> None:
    """A quote before `=` would change names for every program that reads the table; docs/security.md says so."""
    lines = read(session)
    for line in lines:
        if line["kind"] in ("sample", "verdict"):
            line["point"]["backend"] = "=cmd|' /C calc'!A0"
    write(session, lines)
    Reports([Source(session, named=True)]).write("csv", tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(newline="") as file:
        assert {row["backend"] for row in csv.DictReader(file)} == {"=cmd|' /C calc'!A0"}
