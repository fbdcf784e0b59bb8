"""The published schema: what we write is valid by it, and what we wrote in earlier versions is still read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.exported import SCHEMA_VERSION, read_report
from pytest_kubelb.record.lines import Line, SessionEnd, SessionStart, Verdict
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.report import json_report, json_schema
from tests.gate.recorded import runs, start

from .sessions import hostile_lines, session_lines, source_of

REPORTS = Path(__file__).with_name("reports")
VERSIONS = range(1, SCHEMA_VERSION + 1)


def validator(version: int = SCHEMA_VERSION, *, closed: bool = False) -> Draft202012Validator:
    schema = json.loads(json_schema.text(version))
    return Draft202012Validator(_closed(schema) if closed else schema)


def _closed(schema: Any) -> Any:
    """Give the schema such that it refuses every field that it does not describe."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items() if name not in ("if", "then")}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_a_schema_with_a_stable_id(version: int) -> None:
    schema = json.loads(json_schema.text(version))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:pytest-kubelb:schema:report:{version}"
    assert schema["properties"]["schema_version"] == {"const": version}


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_a_version_that_there_is_not_has_no_schema(version: int) -> None:
    with pytest.raises(ValueError, match=f"the versions are 1 to {SCHEMA_VERSION}"):
        json_schema.text(version)


@pytest.mark.parametrize("lines", [session_lines(), hostile_lines(), []], ids=["whole", "hostile", "dead"])
def test_the_schema_describes_every_field_that_is_written(tmp_path: Path, lines: list[Line]) -> None:
    record = tmp_path / "record.jsonl"
    if lines:
        record = source_of(tmp_path, lines).path
    else:
        record.touch()
    json_report.write(json_report.build(record), tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    validator(closed=True).validate(report)
    validator().validate({**report, "of_a_hook": 1})


def test_the_schema_refuses_a_run_without_a_result_that_did_not_fail(tmp_path: Path) -> None:
    report = json.loads(json.dumps(json_report.build(source_of(tmp_path, session_lines()).path)))
    report["points"][0]["runs"][1]["result"] = None
    with pytest.raises(ValidationError, match="'failed' was expected"):
        validator().validate(report)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_report_of_an_earlier_version_is_valid_by_its_schema_and_still_read(version: int) -> None:
    path = REPORTS / f"version-{version}.json"
    validator(version, closed=True).validate(json.loads(path.read_text()))
    first, *rest = read_report(path)
    assert isinstance(first, SessionStart)
    assert first.schema_version == version
    samples = [line for line in rest if isinstance(line, Sample)]
    assert [sample.validity for sample in samples] == ["warmup", "valid", "valid", "failed"]
    assert {(sample.ceiling, sample.findings, sample.wire_bytes_per_request) for sample in samples} == {
        (None, (), None)
    }
    assert [line.verdict for line in rest if isinstance(line, Verdict)] == ["repeatable"]
    assert isinstance(rest[-1], SessionEnd)


def test_a_report_of_a_later_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    later = json.loads((REPORTS / "version-1.json").read_text())
    later["schema_version"] = SCHEMA_VERSION + 1
    (tmp_path / "later.json").write_text(json.dumps(later))
    with pytest.raises(KubelbError, match=f"this version reads 1 to {SCHEMA_VERSION}: update it"):
        list(read_report(tmp_path / "later.json"))


def told(lines: list[Line | Note]) -> list[Line]:
    """Give the lines but events and notes, which a report has apart."""
    return [line for line in lines if isinstance(line, SessionStart | Sample | Verdict | SessionEnd)]


def test_a_report_gives_back_the_lines_of_its_record(tmp_path: Path) -> None:
    record = source_of(tmp_path, session_lines()).path
    json_report.write(json_report.build(record), tmp_path / "report.json")
    before, after = told(list(read_record(record))), told(list(read_report(tmp_path / "report.json")))
    assert sorted(before, key=repr) == sorted(after, key=repr)


NAMES = st.text(st.characters(), max_size=20)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(NAMES, NAMES | st.integers(), max_size=3), st.lists(st.floats(0, 1e15), max_size=4))
def test_every_report_is_valid_and_says_the_same_when_it_is_built_again(
    tmp_path: Path, point: dict[str, str | int], rps: list[float]
) -> None:
    report = json_report.build_of([start(), *runs(point, rps, failed=1)])
    validator(closed=True).validate(json.loads(json.dumps(report)))
    json_report.write(report, tmp_path / "report.json")
    again = json_report.build_of(read_report(tmp_path / "report.json"))
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(report))
