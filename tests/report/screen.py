"""A terminal for the tests: a command runs on a real pty, and what it wrote is shown on a screen in memory."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LIVE = re.compile(
    r"(?:\r\x1b\[2K|\r|\n)([^\r\n\x1b]*(?:being provisioned|measuring|run \d|[0-9]/[0-9])[^\r\n\x1b]*)(?=\r\x1b\[2K)"
)
LIMIT_S = 120


@dataclass(frozen=True)
class Session:
    """What became of a command on a terminal."""

    exit_code: int
    written: str
    rows: int
    columns: int

    @property
    def live(self) -> list[str]:
        """Every text that the live line showed, one after the other."""
        return [text.rstrip() for text in _LIVE.findall(self.written)]

    @property
    def lines(self) -> list[str]:
        """What can be read in the end, what has scrolled away included."""
        return self.shown(self.written)

    def shown(self, written: str) -> list[str]:
        """Give what can be read after `written`, the rows from the top, without the blank ones at the end."""
        screen = pyte.HistoryScreen(self.columns, self.rows, history=5000)
        pyte.Stream(screen).feed(written)
        above = ["".join(line[column].data for column in range(self.columns)) for line in screen.history.top]
        lines = [line.rstrip() for line in [*above, *screen.display]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def before(self, text: str) -> list[str]:
        """Give what could be read when `text` had just been written for the first time."""
        return self.shown(self.written[: self.written.index(text) + len(text)])


def run(
    argv: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    *,
    rows: int = 40,
    columns: int = 80,
    answers: Mapping[str, str] | None = None,
) -> Session:
    """Run `argv` on a terminal of that size; `answers` maps what is waited for to what is then typed."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=dict(env),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    try:
        written = _everything(leader, dict(answers or {}))
        return Session(process.wait(LIMIT_S), written, rows, columns)
    finally:
        os.close(leader)
        if process.poll() is None:
            process.kill()
            process.wait()


def _everything(leader: int, answers: dict[str, str]) -> str:
    written = b""
    while select.select([leader], [], [], LIMIT_S)[0]:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            break
        if not piece:
            break
        written += piece
        for waited, answer in list(answers.items()):
            if waited.encode() in written:
                os.write(leader, answer.encode())
                del answers[waited]
    return written.decode()
