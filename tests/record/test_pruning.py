"""Removing old sessions, and what must stay."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.record import history, marks, pruning
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.writer import RecordWriter

from .sessions import session_id, write_session

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 12, 31, tzinfo=UTC)


def removed(plan: pruning.Plan) -> list[str]:
    return [found.id for found in plan.remove]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five sessions, of which the first is pinned, the second tagged."""
    folders = [write_session(tmp_path, day) for day in range(1, 6)]
    marks.change(folders[0], lambda _: marks.Marks(pinned=True))
    marks.change(folders[1], lambda _: marks.Marks(frozenset({"main"})))
    return tmp_path


def test_the_newest_and_the_marked_stay(root: Path) -> None:
    plan = pruning.plan(root, NOW, keep=2)
    assert removed(plan) == [session_id(3)]
    assert [reason for _, reason in plan.keep] == ["pinned", "tagged main", *["among the 2 newest"] * 2]


def test_with_an_age_the_younger_stay_and_with_both_both_have_to_hold(root: Path) -> None:
    now = datetime(2026, 11, 8, 12, tzinfo=UTC)
    assert removed(pruning.plan(root, now, older_than=timedelta(days=3))) == [session_id(3), session_id(4)]
    assert removed(pruning.plan(root, now, older_than=timedelta(days=3), keep=2)) == [session_id(3)]
    assert removed(pruning.plan(root, now, older_than=timedelta(0), keep=5)) == []


def test_without_a_number_or_an_age_nothing_is_planned(root: Path) -> None:
    with pytest.raises(ValueError, match="every session would go"):
        pruning.plan(root, NOW)


def test_a_session_that_is_being_written_stays(tmp_path: Path) -> None:
    folder = tmp_path / ".kubelb" / session_id(1)
    folder.mkdir(parents=True)
    with RecordWriter(folder / "record.jsonl", SessionStart("", "", {}, {})):
        plan = pruning.plan(tmp_path, NOW, keep=0)
        assert [reason for _, reason in plan.keep] == ["still being written"]
    assert removed(pruning.plan(tmp_path, NOW, keep=0)) == [session_id(1)]


def test_a_young_folder_without_a_record_stays_and_an_old_one_goes(tmp_path: Path) -> None:
    (tmp_path / ".kubelb" / session_id(1)).mkdir(parents=True)
    assert removed(pruning.plan(tmp_path, datetime.now(UTC), keep=0)) == []
    assert removed(pruning.plan(tmp_path, datetime.now(UTC) + timedelta(hours=2), keep=0)) == [session_id(1)]


def test_a_folder_that_somebody_renamed_stays(root: Path) -> None:
    (root / ".kubelb" / session_id(5)).rename(root / ".kubelb" / "before-upgrade")
    plan = pruning.plan(root, NOW, keep=0)
    assert removed(plan) == [session_id(3), session_id(4)]
    assert "renamed" in [reason for _, reason in plan.keep]


def test_what_links_lead_to_is_never_removed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "record.jsonl").write_text("{}")
    (root / ".kubelb" / session_id(6)).symlink_to(outside)
    (root / ".kubelb" / session_id(3) / "artifacts").symlink_to(outside)
    for found in pruning.plan(root, NOW, keep=0).remove:
        assert pruning.size(found) < 10_000
        assert pruning.remove(found, NOW) is None
    assert (outside / "record.jsonl").exists()
    assert not (root / ".kubelb" / session_id(3)).exists()
    assert (root / ".kubelb" / session_id(6)).is_symlink()
    assert sorted(each.id for each in history.sessions(root)) == [session_id(1), session_id(2)]


def test_a_folder_that_became_a_link_after_the_plan_is_not_followed(root: Path, tmp_path: Path) -> None:
    found = pruning.plan(root, NOW, keep=0).remove[0]
    found.folder.rename(tmp_path / "moved")
    found.folder.symlink_to(tmp_path / "moved")
    with pytest.raises(Exception, match="cannot be removed"):
        pruning.remove(found, NOW)
    assert (tmp_path / "moved" / "record.jsonl").exists()


def test_a_session_that_was_tagged_after_the_plan_stays(root: Path) -> None:
    found = pruning.plan(root, NOW, keep=0).remove[0]
    marks.change(found.folder, lambda _: marks.Marks(frozenset({"late"})))
    assert pruning.remove(found, NOW) == "tagged late"
    assert found.record.exists()


def test_a_session_that_is_gone_already_is_said(root: Path) -> None:
    found = pruning.plan(root, NOW, keep=0).remove[0]
    assert pruning.remove(found, NOW) is None
    assert pruning.remove(found, NOW) == "it is gone already"


def test_what_a_killed_pruning_left_is_no_session_and_goes_with_the_next(root: Path) -> None:
    left = root / ".kubelb" / f".removing-{session_id(3)}"
    os.rename(root / ".kubelb" / session_id(3), left)  # noqa: PTH104 - as the pruning that was killed had done
    assert session_id(3) not in [each.id for each in history.sessions(root)]
    pruning.finish(root)
    assert not left.exists()


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "90 d", "1y"])
def test_an_age_without_its_unit_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match="write whole hours, days or weeks"):
        pruning.parse_age(text)


def test_ages_are_hours_days_and_weeks() -> None:
    assert [pruning.parse_age(text) for text in ("12h", "90d", "2w")] == [
        timedelta(hours=12),
        timedelta(days=90),
        timedelta(days=14),
    ]
