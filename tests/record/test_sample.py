"""Samples and series."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.sample import VALIDITIES, Sample, Series

from .lines import POINT, sample

counts = st.integers(0, 2**63 - 1)
figures = st.floats(0, 1e18)
results = st.builds(
    WrkResult,
    rps=figures,
    requests=counts,
    bytes=counts,
    duration_s=figures,
    latency=st.builds(
        Latency, figures, figures, figures, st.dictionaries(st.sampled_from(["50", "99.9"]), figures)
    ),
    errors=st.builds(SocketErrors, counts, counts, counts, counts, counts),
)
samples = st.builds(
    Sample,
    point=st.dictionaries(st.text(), st.text() | st.integers()),
    provisioning=counts,
    run=counts,
    validity=st.sampled_from(VALIDITIES),
    reason=st.none() | st.text(),
    started=st.text(),
    wall_s=figures,
    command=st.text(),
    result=results,
)


@given(samples)
def test_a_sample_comes_back_from_json_as_it_was(written: Sample) -> None:
    assert Sample.from_json(json.loads(json.dumps(written.to_json()))) == written


def test_a_failed_run_has_no_result_and_comes_back_without_one() -> None:
    failed = sample(0, validity="failed")
    assert Sample.from_json(failed.to_json()) == failed


def test_a_read_only_point_can_be_written() -> None:
    written = replace(sample(0), point=MappingProxyType(POINT))
    assert json.loads(json.dumps(written.to_json()))["point"] == POINT


def test_a_valid_run_without_a_result_is_refused() -> None:
    with pytest.raises(ValueError, match="'result' is missing in a run whose validity is 'valid'"):
        replace(sample(0), result=None)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"validity": "good"}, "'validity' is 'good', not one of valid, warmup"),
        ({"wall_s": float("nan")}, "'wall_s' is nan, not a finite number"),
        ({"run": True}, "'run' is True, not a whole number"),
        ({"point": {"pods": [4]}}, r"'point.pods' is \[4\], not a string or a whole number"),
        ({"reason": 7}, "'reason' is 7, not a string"),
        ({"result": 40000}, "'result' is 40000, not an object"),
    ],
)
def test_an_odd_field_is_named(changed: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Sample.from_json({**sample(0).to_json(), **changed})


def test_a_missing_field_is_named() -> None:
    fields = sample(0).to_json()
    del fields["command"]
    with pytest.raises(ValueError, match="'command' is missing"):
        Sample.from_json(fields)


def test_only_valid_runs_count() -> None:
    runs = (
        sample(0, 10.0, "warmup"),
        sample(0, 40.0),
        sample(1, 30.0, "stalled"),
        sample(2, 0.0, "failed"),
        sample(3, 41.0),
    )
    assert Series(POINT, runs, tolerance=0.05).valid_rps == (40.0, 41.0)
