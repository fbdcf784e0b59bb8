"""The figures as OpenMetrics text, read by the parser of Prometheus' own client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_kubelb.report import openmetrics
from tests.gate.recorded import STEADY, runs, start

from .sessions import HOSTILE, hostile_lines, read, session_lines

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.core import Metric


def parsed(text: str) -> dict[str, Metric]:
    assert text.endswith("\n# EOF\n") or text == "# EOF\n"
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # of the client
    return {family.name: family for family in families}


def values(family: Metric, label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for sample in family.samples}


def test_every_family_has_its_unit_in_its_name(tmp_path: Path) -> None:
    families = parsed(openmetrics.render([read(tmp_path)]))
    assert all(name.endswith(f"_{family.unit}") for name, family in families.items() if family.unit)
    assert {family.unit for family in families.values()} == {"", "requests_per_second", "seconds", "ratio"}
    assert all(family.documentation for family in families.values())


def test_a_point_has_its_axes_as_labels_and_the_time_of_its_last_run(tmp_path: Path) -> None:
    families = parsed(openmetrics.render([read(tmp_path)]))
    first = families["kubelb_point_median_requests_per_second"].samples[0]
    assert first.labels == {
        "session": "20261101T120000Z-0001",
        "pass": "1",
        "backend": "ipvs",
        "pods": "1",
        "overlay": "vxlan",
    }
    assert first.value == 40000.0
    assert str(first.timestamp) == "1795418533.000000000"  # 2026-11-23T07:22:13Z


def test_verdicts_ceilings_and_runs_are_states_and_counts(tmp_path: Path) -> None:
    families = parsed(openmetrics.render([read(tmp_path)]))
    verdicts = families["kubelb_point_verdict"]
    true = [each.labels["kubelb_point_verdict"] for each in verdicts.samples if each.value]
    assert true == ["repeatable", "repeatable", "failed", "repeatable"]
    ceilings = [each for each in families["kubelb_point_ceiling"].samples if each.value]
    assert [each.labels["kubelb_point_ceiling"] for each in ceilings] == ["link", "lb_cpu"]
    failed = [
        each.value for each in families["kubelb_point_runs"].samples if each.labels["validity"] == "failed"
    ]
    assert failed == [0, 0, 1, 0]
    assert families["kubelb_point_baseline_change_ratio"].samples[1].value == pytest.approx(-0.3, abs=0.01)
    latency = families["kubelb_point_latency_seconds"].samples[0]
    assert (latency.labels["quantile"], latency.value) == ("0.5", 78e-6)


def test_several_sessions_are_told_apart_by_their_label(tmp_path: Path) -> None:
    sessions = [read(tmp_path, session_lines(day)) for day in (1, 2)]
    families = parsed(openmetrics.render(sessions))
    assert set(values(families["kubelb_session_exit_code"], "session")) == {
        "20261101T120000Z-0001",
        "20261102T120000Z-0002",
    }


def test_without_a_session_there_is_nothing_but_the_end() -> None:
    assert openmetrics.render([]) == "# EOF\n"


def test_hostile_names_stay_inside_their_label(tmp_path: Path) -> None:
    families = parsed(openmetrics.render([read(tmp_path, hostile_lines())]))
    labels = families["kubelb_point_mean_requests_per_second"].samples[0].labels
    assert labels["axis_session"] == "mine"
    assert labels["x"] == "1"
    assert HOSTILE.partition("\x1b")[0] in labels["backend"]


NAMES = st.text(st.characters(), max_size=20)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(NAMES, NAMES | st.integers(), max_size=4), st.lists(st.floats(0, 1e15), max_size=3))
def test_every_record_gives_text_that_parses(
    tmp_path_factory: pytest.TempPathFactory, point: dict[str, str | int], rps: list[float]
) -> None:
    lines = [
        start(),
        *runs(point, rps),
        *runs({**point, "pods": 1}, STEADY),
        *runs({**point, "pods": "1"}, STEADY),
    ]
    parsed(openmetrics.render([read(tmp_path_factory.mktemp("root"), lines)]))
