"""The reader of wrk's classic text."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import WrkOutputError
from pytest_kubelb.load.classic_output import parse_classic_output
from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult

from .classic_text import REAL_OUTPUT, classic_text

# Two decimals of a number that is at least 0.85: what wrk's own rounding loses.
ROUNDING = 0.005 / 0.85 * 1.01

times_us = st.floats(0, 3e9)
counts = st.integers(0, 10**9)
results = st.builds(
    lambda requests, duration_s, size, latency, errors: WrkResult(
        requests / duration_s, requests, size, duration_s, latency, errors
    ),
    requests=counts,
    duration_s=st.floats(0.9, 7200),
    size=st.integers(0, 2**45),
    latency=st.builds(
        Latency,
        times_us,
        times_us,
        times_us,
        st.fixed_dictionaries(dict.fromkeys(("50", "75", "90", "99"), times_us)) | st.just({}),
    ),
    errors=st.builds(SocketErrors, counts, counts, counts, counts, counts),
)


def test_every_figure_of_a_real_output_is_read() -> None:
    assert parse_classic_output(REAL_OUTPUT) == WrkResult(
        rps=45733.21,
        requests=50306,
        bytes=round(40.78 * 2**20),
        duration_s=1.10,
        latency=Latency(83.21, 39.87, 1550.0, {"50": 78.0, "75": 92.0, "90": 110.0, "99": 201.0}),
        errors=SocketErrors(connect=1, read=2, write=3, status=5, timeout=4),
    )


@given(results)
def test_what_wrk_prints_is_read_back_to_its_rounding(result: WrkResult) -> None:
    read = parse_classic_output(classic_text(result))
    assert read.requests == result.requests
    assert read.errors == result.errors
    assert read.rps == pytest.approx(result.rps, abs=0.0051)
    assert read.bytes == pytest.approx(result.bytes, rel=ROUNDING, abs=1)
    assert read.duration_s == pytest.approx(result.duration_s, rel=ROUNDING)
    assert read.latency.mean_us == pytest.approx(result.latency.mean_us, rel=ROUNDING, abs=0.0051)
    assert read.latency.stdev_us == pytest.approx(result.latency.stdev_us, rel=ROUNDING, abs=0.0051)
    assert read.latency.max_us == pytest.approx(result.latency.max_us, rel=ROUNDING, abs=0.0051)
    assert read.latency.percentiles_us == pytest.approx(
        dict(result.latency.percentiles_us), rel=ROUNDING, abs=0.0051
    )


def test_an_output_cut_off_anywhere_is_an_error() -> None:
    for length in range(len(REAL_OUTPUT.rstrip())):
        with pytest.raises(WrkOutputError):
            parse_classic_output(REAL_OUTPUT[:length])


@given(
    start=st.integers(0, len(REAL_OUTPUT)),
    length=st.integers(0, 80),
    replacement=st.text(max_size=40)
    | st.sampled_from(["\n", "nan", "9" * 5000, "٣", "Latency 1", "\0", "inf%"]),
)
def test_a_mutated_output_is_read_or_refused_but_nothing_else(
    start: int, length: int, replacement: str
) -> None:
    mutated = REAL_OUTPUT[:start] + replacement + REAL_OUTPUT[start + length :]
    with suppress(WrkOutputError):
        read = parse_classic_output(mutated)
        assert read.rps >= 0
        assert read.duration_s > 0


@given(st.text())
def test_text_that_is_not_from_wrk_is_refused(text: str) -> None:
    with pytest.raises(WrkOutputError):
        parse_classic_output(text)


@pytest.mark.parametrize("name", ["Latency ", "Req/Sec", "requests in", "Requests/sec", "Transfer/sec"])
def test_the_error_names_the_line_that_is_missing(name: str) -> None:
    text = "".join(line for line in REAL_OUTPUT.splitlines(keepends=True) if name not in line)
    with pytest.raises(WrkOutputError, match=f"no '{name.strip()}' line"):
        parse_classic_output(text)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("93.31%", "93.31", "Latency"),
        ("39.87us", "39.87parsecs", "Latency"),
        ("22.97k", "22.97kk", "Req/Sec"),
        ("1.10s,", "nans,", "requests in"),
        ("read 2", "read two", "Socket errors"),
        ("responses: 5", "responses: -5", "Non-2xx"),
        ("45733.21", "inf", "Requests/sec"),
        ("37.07MB", "37.07XB", "Transfer/sec"),
        ("92.00us", "92.00", "Latency Distribution"),
    ],
)
def test_the_error_names_and_shows_the_line_that_is_odd(old: str, new: str, named: str) -> None:
    with pytest.raises(WrkOutputError, match=rf"'{named}' line .* does not read as wrk prints it.*{new}"):
        parse_classic_output(REAL_OUTPUT.replace(old, new))


def test_figures_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(WrkOutputError, match=r"'Requests/sec' line .* contradicts '50306 requests in"):
        parse_classic_output(REAL_OUTPUT.replace("45733.21", "4573.32"))


def test_two_outputs_in_one_text_are_refused() -> None:
    with pytest.raises(WrkOutputError, match=r"'Latency' line .* is there twice"):
        parse_classic_output(REAL_OUTPUT * 2)


def test_a_run_without_a_single_response_is_read_as_zero() -> None:
    text = classic_text(
        replace(
            parse_classic_output(REAL_OUTPUT),
            rps=0.0,
            requests=0,
            bytes=0,
            latency=Latency(0, 0, 0, {}),
            errors=SocketErrors(0, 12, 0, 0, 0),
        )
    )
    read = parse_classic_output(text)
    assert (read.rps, read.requests, read.latency.max_us, read.errors.read) == (0, 0, 0, 12)


def test_percentiles_up_to_100_are_read_as_wrk2_prints_them() -> None:
    text = REAL_OUTPUT.replace("     99%  201.00us", " 99.990%  201.00us\n100.000%    1.55ms")
    read = parse_classic_output(text)
    assert read.latency.percentiles_us == {"50": 78.0, "75": 92.0, "90": 110.0, "99.99": 201.0, "100": 1550.0}


def test_figures_that_are_nan_without_a_response_are_zero_and_refused_otherwise() -> None:
    nan = REAL_OUTPUT.replace("83.21us   39.87us   1.55ms   93.31%", "-nanus    -nanus   0.00us     -nan%")
    with pytest.raises(WrkOutputError, match=r"'Latency' line .* has no figures, in spite of 50306 requests"):
        parse_classic_output(nan)
    silent = nan.replace("50306 requests", "0 requests").replace("45733.21", "0.00").replace("22.97k", "-nan")
    read = parse_classic_output(silent)
    assert (read.rps, read.latency.mean_us, read.latency.stdev_us) == (0, 0, 0)
