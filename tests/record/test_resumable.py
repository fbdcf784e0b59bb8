"""What is finished of a session, wherever its record ends; and writing on where it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.gate.session import Gatherer
from pytest_kubelb.record import levels, planned, resumable
from pytest_kubelb.record.frame import load
from pytest_kubelb.record.lines import Event, SessionEnd, Verdict
from pytest_kubelb.record.points import point_key
from pytest_kubelb.record.reader import Note, read_record
from pytest_kubelb.record.resumption import RESUMED, Abandoned
from pytest_kubelb.record.sample import Sample
from pytest_kubelb.record.writer import RecordWriter

from .lines import START, sample

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_kubelb.record.resumable import Resumable

PODS = (1, 2, 3)
RUNS = 3
AT = "2026-11-23T07:22:13Z"


def axes(pods: int) -> dict[str, str | int]:
    return {"backend": "ipvs", "pods": pods, "overlay": "vxlan"}


def plan() -> list[planned.Planned]:
    return [planned.Planned(f"test_rps[pods={n}]", f"ipvs-pods{n}", axes(n), 1, RUNS, 1, 1) for n in PODS]


def measure(writer: RecordWriter, item: planned.Planned, provisioning: int) -> None:
    writer.append(Event(AT, planned.BEGUN, {"item": item.item}))
    for run in range(RUNS):
        made = sample(run, 1000.0 * provisioning + run)
        writer.append(replace(made, point=item.point, provisioning=provisioning))
    writer.append(Verdict(item.point, "repeatable", {"provisioning": provisioning, "tolerance": 0.05}, None))


def sweep(path: Path) -> None:
    with RecordWriter(path, START) as writer:
        for details in planned.details(plan()):
            writer.append(Event(AT, planned.PLANNED, details))
        for item in plan():
            measure(writer, item, 1)
        writer.append(SessionEnd(AT, 0))


def resumed(path: Path) -> Event:
    known = resumable.read(read_record(path))
    return Event(AT, RESUMED, {"abandoned": [each.to_json() for each in known.abandoned]})


def go_on(path: Path) -> Resumable:
    """Measure what is left, as a session does, and give what was known before."""
    known = resumable.read(read_record(path))
    with RecordWriter(path, lambda cut: resumed(path)) as writer:  # noqa: ARG005 - as the torn line is cut off
        for item in known.left:
            measure(writer, item, known.provisioning(point_key(item.point), item.provisioning, 1))
        writer.append(SessionEnd(AT, 0))
    return known


def samples(path: Path) -> list[Sample]:
    return [line for line in read_record(path) if isinstance(line, Sample)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The record of a sweep that came to its end."""
    path = tmp_path_factory.mktemp("whole") / "record.jsonl"
    sweep(path)
    return path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(cuts=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=3))
def test_cut_anywhere_and_resumed_no_finished_run_is_lost_and_no_finished_point_measured_again(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, cuts: list[float]
) -> None:
    path = tmp_path_factory.mktemp("cut") / "record.jsonl"
    path.write_bytes(whole)
    first = len(whole.split(b"\n")[0]) + len(whole.split(b"\n")[1]) + 2
    for cut in cuts:
        content = path.read_bytes()
        path.write_bytes(content[: first + round(cut * (len(content) - first))])
        before = samples(path)
        known = go_on(path)
        after = samples(path)
        assert after[: len(before)] == before
        again = {each.point["pods"] for each in after[len(before) :]}
        assert again == {item.point["pods"] for item in known.left}
        assert len(after) == len(before) + RUNS * len(known.left)
        # All of them are finished now, and each is judged by the runs of one provisioning, all of them.
        assert not resumable.read(read_record(path)).left
        gatherer = Gatherer()
        levels_of = levels.read(gatherer.watch(read_record(path)))
        assert sorted(int(item.series.point["pods"]) for item in gatherer.measured().items) == list(PODS)
        assert [len(item.series.samples) for item in gatherer.measured().items] == [RUNS] * len(PODS)
        assert [item.series.measured_anew for item in gatherer.measured().items] == [()] * len(PODS)
        assert [len(level.rps) for level in levels_of.points.values()] == [RUNS] * len(PODS)
        assert levels_of.end == SessionEnd(AT, 0)
        assert not any(isinstance(line, Note) for line in read_record(path))


def test_a_session_that_was_resumed_and_killed_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    sweep(path)
    RecordWriter(path, lambda cut: resumed(path)).close()  # noqa: ARG005
    assert levels.read(read_record(path)).end is None
    gatherer = Gatherer()
    list(gatherer.watch(read_record(path)))
    assert gatherer.measured().exit_code is None


def test_the_frame_tells_runs_that_were_given_up_from_those_that_count(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    sweep(path)
    lines = path.read_bytes().splitlines(keepends=True)
    # Without the end, the last verdict and the last run: two runs of the third point stay.
    path.write_bytes(b"".join(lines[:-3]))
    go_on(path)
    frame = load(path)
    assert frame.validity.value_counts()["abandoned"] == RUNS - 1
    assert set(frame[frame.validity == "abandoned"].provisioning) == {1}
    assert (frame[frame.validity == "valid"].groupby("pods").size() == RUNS).all()


def test_an_item_under_which_the_testbed_broke_is_not_finished_and_its_verdict_is_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.jsonl"
    item = plan()[0]
    with RecordWriter(path, START) as writer:
        for details in planned.details(plan()):
            writer.append(Event(AT, planned.PLANNED, details))
        writer.append(Event(AT, planned.BEGUN, {"item": item.item}))
        writer.append(replace(sample(0), point=item.point))
        writer.append(Event(AT, planned.ITEM_FAILED, {"sentence": "k11 is gone", "broken": True}))
        figures = {"provisioning": 1, "against_baseline": {"verdict": "regression"}}
        writer.append(Verdict(item.point, "inconclusive", figures, None))
    known = go_on(path)
    assert [each.item for each in known.left] == [each.item for each in plan()]
    assert known.abandoned[0].runs == 1
    level = levels.read(read_record(path)).points[point_key(item.point)]
    assert not level.regressed
    assert list(level.provisionings) == [2]


def test_a_bench_that_failed_by_itself_is_finished_and_fails_again(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    item = plan()[0]
    with RecordWriter(path, START) as writer:
        writer.append(Event(AT, planned.BEGUN, {"item": item.item}))
        writer.append(replace(sample(0), point=item.point))
        writer.append(Event(AT, planned.ITEM_FAILED, {"sentence": "too slow", "broken": False}))
        writer.append(Verdict(item.point, "repeatable", {"provisioning": 1}, None))
    assert resumable.read(read_record(path)).finished[item.item].failure == "too slow"


def test_a_plan_of_many_items_is_several_lines_none_of_which_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    many = [replace(plan()[0], item=f"{'x' * 200}[{number}]") for number in range(2500)]
    with RecordWriter(path, START) as writer:
        for details in planned.details(many):
            writer.append(Event(AT, planned.PLANNED, details))
    assert list(resumable.read(read_record(path)).planned.values()) == many


def test_a_record_that_is_open_cannot_be_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with (
        RecordWriter(path, START),
        pytest.raises(KubelbError, match=r"is still being written, by the process [0-9]+ on "),
    ):
        RecordWriter(path, lambda cut: resumed(path))  # noqa: ARG005


def test_a_link_is_not_gone_on_with(tmp_path: Path) -> None:
    sweep(tmp_path / "elsewhere.jsonl")
    (tmp_path / "record.jsonl").symlink_to("elsewhere.jsonl")
    with pytest.raises(KubelbError, match="cannot be opened to go on with it"):
        RecordWriter(tmp_path / "record.jsonl", lambda cut: resumed(tmp_path / "record.jsonl"))  # noqa: ARG005


@pytest.mark.parametrize("abandoned", [None, 3, [3], [{"point": 4}], [{"point": {}, "provisioning": -1}]])
def test_an_odd_list_of_what_was_given_up_gives_up_nothing(abandoned: object) -> None:
    heard = Abandoned()
    assert heard.hear(Event(AT, RESUMED, {"abandoned": abandoned}))
    assert heard.each == []


def test_an_odd_plan_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with RecordWriter(path, START) as writer:
        writer.append(Event(AT, planned.PLANNED, json.loads('{"items": [{"item": 4}]}')))
    with pytest.raises(ValueError, match="'item' is 4, not a string"):
        resumable.read(read_record(path))
