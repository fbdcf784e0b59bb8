"""How sessions are called, and whether one so called still runs."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from pytest_kubelb.testbed.identity import identity_of, lives_here, session_of

ANN, BOB = "ann@laptop pid 1 session a", "bob@desk pid 2 session b"


def test_the_identity_names_user_machine_process_and_session() -> None:
    assert re.fullmatch(rf"\S+@\S+ pid {os.getpid()} session 20260301-abc", identity_of("20260301-abc"))


def test_a_session_of_this_machine_is_known_to_live_or_not_and_one_of_another_is_not() -> None:
    mine = identity_of("s-1")
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert session_of(f"{mine} since {now}") == session_of(mine) == "s-1"
    assert lives_here(mine, now) is True
    assert lives_here(mine, "2001-01-01T00:00:00.000000Z") is False, "another process has its number by now"
    assert lives_here(mine.replace(f"pid {os.getpid()}", f"pid {2**22 + 1}"), now) is False
    assert lives_here(mine, "an unknown time") is None
    assert lives_here(ANN, now) is None
    assert lives_here("carl", now) is None


def test_a_process_number_without_an_end_is_nobodys() -> None:
    identity = identity_of("s").replace(f"pid {os.getpid()}", f"pid {'9' * 5000}")
    assert lives_here(identity, "2026-11-23T07:22:13Z") is None
    assert session_of(identity) == ""
