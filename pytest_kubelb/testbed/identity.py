"""How a session is called where it holds something, and whether that one runs still. Reads /proc of this machine."""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
from datetime import datetime
from typing import Final

from pytest_kubelb.testbed.journal import started

_IDENTITY: Final = re.compile(
    r"\S+@(?P<machine>\S+) pid (?P<process>[0-9]{1,10}) session (?P<session>\S+)", re.ASCII
)


def identity_of(session: str) -> str:
    """Give how this process is called in a lock: `user@machine pid N session ID`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # in a container, a number may have no name
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()} pid {os.getpid()} session {session}"


def session_of(identity: str) -> str:
    """Give the session of an identity, also one with `since` behind it; empty where it has none."""
    found = _IDENTITY.fullmatch(identity.partition(" since ")[0])
    return found["session"] if found else ""


def lives_here(identity: str, since: str) -> bool | None:
    """Tell whether the session of an identity, which has the testbed `since` then, runs; None if it was elsewhere.

    A process of its number that began later is another one.
    """
    found = _IDENTITY.fullmatch(identity)
    if found is None or found["machine"] != socket.gethostname():
        return None
    began = started(int(found["process"]))
    if began is None:
        return False
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")
    try:
        return time.time() - age_s <= datetime.fromisoformat(since).timestamp() + 1.0
    except ValueError:
        return None
