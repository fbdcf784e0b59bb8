"""The folder of a session."""

from __future__ import annotations

import os
import re
import stat
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record.session import new_session, session_id
from pytest_kubelb.record.writer import RecordWriter

from .lines import START

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 7, 22, 10, tzinfo=UTC)


def test_an_id_is_the_start_in_utc_and_four_digits() -> None:
    assert session_id(NOW, "3f9c") == "20261123T072210Z-3f9c"
    assert session_id(NOW.astimezone(timezone(timedelta(hours=9))), "3f9c") == "20261123T072210Z-3f9c"


def test_two_sessions_of_one_second_get_two_folders(tmp_path: Path) -> None:
    first, second = new_session(tmp_path, NOW), new_session(tmp_path, NOW)
    assert first.id != second.id
    assert all(re.fullmatch(r"20261123T072210Z-[0-9a-f]{4}", session.id) for session in (first, second))
    assert first.folder == tmp_path / ".kubelb" / first.id


def test_nobody_else_can_read_a_session_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        session = new_session(tmp_path, NOW)
        RecordWriter(session.record, START).close()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(session.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(session.record.stat().st_mode) == 0o600


def test_a_rootdir_that_takes_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".kubelb").write_text("a file where the folder should be")
    with pytest.raises(KubelbError, match=r"cannot be made under .*\.kubelb: .*--rootdir"):
        new_session(tmp_path, NOW)
