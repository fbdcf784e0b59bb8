"""The reader of the line that report.lua prints."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import WrkOutputError
from pytest_kubelb.load.json_output import BEGIN, END, parse_json_output, report_script

FIGURES: dict[str, object] = {
    "requests": 50306,
    "bytes": 42761011,
    "duration_us": 1100000,
    "latency": {
        "min_us": 20,
        "mean_us": 83.21,
        "stdev_us": 39.87,
        "max_us": 1550,
        "percentiles_us": {"50": 78, "75": 92, "90": 110, "95": 130, "99": 201, "99.9": 700, "99.99": 1500},
    },
    "errors": {"connect": 1, "read": 2, "write": 3, "status": 5, "timeout": 4},
}


def output(figures: object) -> str:
    return f"Running 1s test\nRequests/sec:  45733.21\n{BEGIN}{json.dumps(figures)}{END}\n"


OUTPUT = output(FIGURES)


def test_rps_is_requests_by_duration() -> None:
    result = parse_json_output(OUTPUT)
    assert result.rps == pytest.approx(50306 / 1.1)
    assert result.duration_s == pytest.approx(1.1)
    assert result.latency.percentiles_us["99.9"] == 700
    assert (result.errors.status, result.errors.timeout) == (5, 4)


def test_the_script_prints_the_markers_that_the_reader_looks_for() -> None:
    assert f'"{BEGIN}{{"' in report_script()
    assert f"{END}\\n" in report_script()


def test_an_output_cut_off_anywhere_is_an_error() -> None:
    for length in range(len(OUTPUT.rstrip())):
        with pytest.raises(WrkOutputError):
            parse_json_output(OUTPUT[:length])


@given(
    start=st.integers(0, len(OUTPUT)),
    length=st.integers(0, 80),
    replacement=st.text(max_size=40)
    | st.sampled_from(["null", "NaN", "1e999", "9" * 5000, "[" * 3000, "true", "-1"]),
)
def test_a_mutated_output_is_read_or_refused_but_nothing_else(
    start: int, length: int, replacement: str
) -> None:
    with suppress(WrkOutputError):
        assert parse_json_output(OUTPUT[:start] + replacement + OUTPUT[start + length :]).rps >= 0


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({**FIGURES, "requests": None}, "'requests' is None, not a whole number"),
        ({**FIGURES, "bytes": -1}, "'bytes' is -1, not a whole number"),
        ({**FIGURES, "duration_us": 0}, "'duration_us' is 0"),
        ({**FIGURES, "latency": []}, r"'latency' is \[\], not an object"),
        ({**FIGURES, "errors": {"connect": 0}}, "'read' is missing"),
        ([], "not a JSON object"),
    ],
)
def test_the_error_names_the_field_that_is_odd(figures: object, says: str) -> None:
    with pytest.raises(WrkOutputError, match=says):
        parse_json_output(output(figures))


def test_no_line_at_all_shows_the_last_line_of_what_wrk_printed() -> None:
    with pytest.raises(WrkOutputError, match=r"the last one is 'Running 1s test'.*standard error"):
        parse_json_output("Running 1s test\n")


def test_two_lines_are_refused() -> None:
    with pytest.raises(WrkOutputError, match="2 times"):
        parse_json_output(OUTPUT + OUTPUT)
