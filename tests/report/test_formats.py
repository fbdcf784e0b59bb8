"""Every format by its name, and the Markdown that GitHub collects."""

from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.record.exported import read_report
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.report import formats, markdown

from .sessions import session_lines, source_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.record.sources import Source

TEXT = ("markdown", "openmetrics", "junit", "csv", "json")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.delenv(formats.SUMMARY_VARIABLE, raising=False)
    return source_of(tmp_path, session_lines())


def test_every_format_is_a_file_that_names_the_session(source: Source, tmp_path: Path) -> None:
    wanted = {name: tmp_path / "new" / f"report.{name}" for name in TEXT}
    formats.write_all([source], wanted)
    assert all("20261101T120000Z-0001" in file.read_text() for file in wanted.values())
    modes = {name: stat.S_IMODE(file.stat().st_mode) for name, file in wanted.items()}
    assert modes == {**dict.fromkeys(TEXT, 0o600), "openmetrics": 0o644}


def test_json_of_several_sessions_is_a_folder_with_a_report_of_each(source: Source, tmp_path: Path) -> None:
    second = source_of(tmp_path, session_lines(2))
    formats.Reports([source, second]).write("json", tmp_path / "reports")
    ids = []
    for file in sorted((tmp_path / "reports").iterdir()):
        first = next(read_report(file))
        assert isinstance(first, SessionStart)
        ids.append(first.session)
    assert ids == ["20261101T120000Z-0001", "20261102T120000Z-0002"]


def test_reports_are_made_of_reports_as_of_records(source: Source, tmp_path: Path) -> None:
    formats.Reports([source]).write("json", tmp_path / "report.json")
    again = type(source)(tmp_path / "report.json", named=True)
    for name in ("junit", "openmetrics"):
        formats.Reports([source]).write(name, tmp_path / "first")
        formats.Reports([again]).write(name, tmp_path / "second")
        assert (tmp_path / "first").read_text() == (tmp_path / "second").read_text()


def test_one_format_that_cannot_be_written_does_not_keep_the_others_from_it(
    source: Source, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    wanted = {"markdown": tmp_path / "taken", "junit": tmp_path / "out.xml"}
    with pytest.raises(KubelbError, match=r"The markdown report .*taken cannot be written: Is a directory"):
        formats.write_all([source], wanted)
    assert (tmp_path / "out.xml").exists()
    assert not list(tmp_path.glob(".taken*"))


def test_the_summary_is_appended_where_github_collects_it(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("of a step before\n")
    monkeypatch.setenv(formats.SUMMARY_VARIABLE, str(summary))
    formats.write_all([source], {}, summarize=True)
    text = summary.read_text()
    assert text.startswith("of a step before\n### ")
    formats.write_all([source], {"markdown": summary}, summarize=True)
    assert summary.read_text().count("\n### ") == 2
    formats.write_all([source], {})
    assert summary.read_text().count("\n### ") == 2


def test_without_the_variable_nothing_is_appended_anywhere(source: Source, tmp_path: Path) -> None:
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
    formats.write_all([source], {}, summarize=True)
    assert {path: path.stat().st_size for path in tmp_path.rglob("*")} == before


def test_a_summary_that_is_nearly_full_takes_what_still_fits(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * (markdown.LIMIT - 1500))
    monkeypatch.setenv(formats.SUMMARY_VARIABLE, str(summary))
    formats.write_all([source], {}, summarize=True)
    assert markdown.LIMIT - 1500 < summary.stat().st_size <= markdown.LIMIT
    assert "2 of 4 points failed" in summary.read_text()


def test_a_summary_that_cannot_be_written_is_one_sentence(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(formats.SUMMARY_VARIABLE, str(tmp_path / "nowhere" / "summary.md"))
    with pytest.raises(KubelbError, match="GITHUB_STEP_SUMMARY cannot be written: No such file"):
        formats.write_all([source], {}, summarize=True)


def test_what_could_not_be_written_is_said_before_anything_is_measured(
    source: Source, tmp_path: Path
) -> None:
    same = tmp_path / "report"
    with pytest.raises(ConfigError, match=r"--junit .*report is already asked for as csv: name another file"):
        formats.check({"csv": same, "junit": same})
    with pytest.raises(ConfigError, match="is itself what the report is made from"):
        formats.check({"csv": source.path}, [source])
    formats.check({"csv": same, "junit": tmp_path / "other"}, [source])


def test_looking_at_the_formats_loads_none_of_them() -> None:
    script = (
        "import sys, pathlib, pytest_kubelb.report.formats as formats\n"
        "formats.check({name: pathlib.Path(name) for name in formats.FORMATS})\n"
        "assert not {'pandas', 'numpy', 'scipy', 'pyarrow', 'pytest', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_html_is_one_page(source: Source, tmp_path: Path) -> None:
    formats.Reports([source]).write("html", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html>")
