"""The generated reference: it has everything that the code has, and the pages keep the house style."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from docs.from_code import PARTS, fill
from docs.from_code.markdown import cell, plain
from pytest_kubelb import hookspecs
from pytest_kubelb.options import OPTIONS
from pytest_kubelb.settings import MARKER_KEYS
from tests.docs.conftest import DOCS

PAGES = sorted(page for page in DOCS.rglob("*.md") if "examples" not in page.parts)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_there_with_its_help_and_all_its_names(option: object) -> None:
    said = PARTS["options"]()
    for name in ("flag", "ini", "env"):
        assert f"`{getattr(option, name)}" in said
    assert plain(str(vars(option)["help"])) in said


def test_the_marker_is_there_with_every_keyword() -> None:
    said = PARTS["marker"]()
    assert all(key in said for key in MARKER_KEYS)


@pytest.mark.parametrize("name", ["testbed", "lb_point", "service", "wrk", "sweep"])
def test_every_fixture_is_there_with_its_scope(name: str) -> None:
    (section,) = re.findall(rf"^## `{name}`\n\nScope: (.+)\. Gives: ", PARTS["fixtures"](), re.MULTILINE)
    assert section == ("session" if name in ("testbed", "lb_point") else "function")


def test_every_hook_is_there_and_says_whose_answer_counts() -> None:
    said = PARTS["hooks"]()
    names = [name for name in vars(hookspecs) if name.startswith("pytest_kubelb_")]
    assert [f"## `{name}`" in said for name in names] == [True] * len(names)
    assert said.count(" counts.") + said.count(" count.") == len(names)


@pytest.mark.parametrize("command", ["lab up", "lab ssh", "import", "history list", "gate", "ab"])
def test_every_command_is_there(command: str) -> None:
    assert f"# `kubelb {command}`" in PARTS["commands"]()


def test_every_schema_is_there_with_all_its_fields() -> None:
    said = PARTS["schemas"]()
    schemas = [
        each for each in (files("pytest_kubelb") / "report").iterdir() if each.name.endswith(".schema.json")
    ]
    for file in schemas:
        assert f"report/{file.name}`" in said
        assert all(f"| `{name}` |" in said for name in json.loads(file.read_text())["properties"])


def test_a_definition_inside_itself_is_opened_once() -> None:
    from docs.from_code.schemas import _section

    tree = {"type": "object", "properties": {"name": {"type": "string"}, "inner": {"$ref": "#/$defs/tree"}}}
    said = _section(
        "tree.schema.json", {"$defs": {"tree": tree}, "properties": {"root": {"$ref": "#/$defs/tree"}}}
    )
    assert "`root.name`" in said
    assert "`root.inner.name`" not in said


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_on_a_page(part: str) -> None:
    assert any(f"<!-- from the code: {part} -->" in page.read_text() for page in PAGES)


def test_a_mark_for_something_unknown_is_an_error() -> None:
    with pytest.raises(KeyError, match="weather"):
        fill("text\n\n<!-- from the code: weather -->\n")


def test_pipes_and_line_breaks_do_not_break_a_table() -> None:
    assert cell("a|b\n  c") == "a\\|b c"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_no_page_has_an_em_dash(page: object) -> None:
    assert "\N{EM DASH}" not in (DOCS / str(page)).read_text(encoding="utf-8")
