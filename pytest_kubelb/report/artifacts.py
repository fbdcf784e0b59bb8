"""What is kept of single points: wrk's output, evidence, commands, log. Touches `<session folder>/artifacts/`.

What comes is written at once, so that a session that dies leaves what it had: in `<point id>.unfinished`. Folders are
for their owner alone (0700), files too (0600), no text is kept with its secrets, and no file grows beyond its limit.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Final, Protocol

from pytest_kubelb.errors import KubelbError
from pytest_kubelb.text.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

FOLDER: Final = "artifacts"
"""The folder's name in that of the session."""
WHEN: Final = ("never", "on-failure", "always")
"""The words of --kubelb-artifacts."""
MOST_BYTES: Final[Mapping[str, int]] = {
    "wrk.txt": 2**20,
    "evidence.jsonl": 16 * 2**20,
    "commands.txt": 2 * 2**20,
    "log.txt": 2 * 2**20,
}
"""Files of a point, and the bytes that each may have; what comes later is counted and left out."""
MOST_BYTES_IN_ALL: Final = 512 * 2**20
"""Bytes of all points that one session keeps; points after that have none, which a file says."""
_UNFINISHED: Final = ".unfinished"
_LONGEST_NAME: Final = 100


class Ran(Protocol):
    """A command that ended on a host, as `testbed.hosts.Completed` is."""

    @property
    def host(self) -> str:
        """Its name."""

    @property
    def command(self) -> str:
        """The command line."""

    @property
    def stderr(self) -> str:
        """What it said."""

    @property
    def exit_code(self) -> int:
        """-1 when it was killed by a signal."""

    @property
    def elapsed_s(self) -> float:
        """Seconds, measured here."""


class Artifacts:
    """The artifacts of one session."""

    def __init__(
        self,
        session_folder: Path,
        when: str,
        *,
        secrets: Collection[str] = (),
        most_bytes: int = MOST_BYTES_IN_ALL,
    ) -> None:
        """`when` is one of `WHEN`; `secrets` are texts that must not be kept: tokens, passwords, keys."""
        if when not in WHEN:
            raise ValueError(f"artifacts are kept {', '.join(WHEN)}, not {when!r}")
        self._folder = session_folder / FOLDER
        self._when = when
        self._secrets = frozenset(secrets)
        self._left = most_bytes

    def point(self, point_id: str) -> PointArtifacts | None:
        """Begin the artifacts of a point; None when none are kept, never or no longer.

        Raises KubelbError when the folder cannot be made.
        """
        if self._when == "never":
            return None
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if self._folder.is_symlink():  # in a session that is gone on with
                raise OSError(errno.ELOOP, "it is a link, and leads out of the session's folder")
            if self._left <= 0:
                self._say_full()
                return None
            return PointArtifacts(self, _free(self._folder, _safe(point_id)), self._secrets)
        except OSError as error:
            raise _cannot(self._folder, error) from error

    def keeps(self, *, failed: bool) -> bool:
        """Tell whether those of a point that ended so are kept."""
        return failed or self._when == "always"

    def spend(self, count: int) -> None:
        """Count bytes that are kept for good."""
        self._left -= count

    def _say_full(self) -> None:
        said = self._folder / "full.txt"
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("The artifacts of this session have reached their limit; later points have none.\n")


class PointArtifacts:
    """What is kept of one point; until it is finished, its folder is called `.unfinished`.

    Every method raises KubelbError when the disk does not take it.
    """

    def __init__(self, session: Artifacts, folder: Path, secrets: frozenset[str]) -> None:
        self._session = session
        self._kept = folder
        self._folder = folder.with_name(folder.name + _UNFINISHED)
        self._folder.mkdir(mode=0o700)
        self._secrets = secrets
        self._sizes = dict.fromkeys(MOST_BYTES, 0)
        self._left_out = dict.fromkeys(MOST_BYTES, 0)

    def wrk(self, number: int, command: str, printed: str, said: str = "") -> None:
        """Keep what one run of wrk printed, as it was printed, and what it said on its standard error."""
        self._append("wrk.txt", f"# run {number + 1}: {command}\n{_ended(printed)}{_ended(said)}")

    def evidence(self, line: Mapping[str, object]) -> None:
        """Keep one line of the evidence, a JSON object."""
        self._append("evidence.jsonl", json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n")

    def command(self, ran: Ran) -> None:
        """Keep that a command ran on a host; what it said only when it failed."""
        said = _ended(ran.stderr) if ran.exit_code else ""
        self._append(
            "commands.txt",
            f"{ran.host}$ {ran.command}  # exit code {ran.exit_code}, {ran.elapsed_s:.3f} s\n{said}",
        )

    def log(self, text: str) -> None:
        """Keep lines of a log."""
        self._append("log.txt", _ended(text))

    def finish(self, *, failed: bool) -> Path | None:
        """End them: give the folder that is kept, or None when the point is not one of which something is kept."""
        try:
            if not self._session.keeps(failed=failed):
                shutil.rmtree(self._folder)
                return None
            for name, count in self._left_out.items():
                if count:
                    self._write(
                        name, f"… and {count} more bytes, left out: at most {MOST_BYTES[name]}\n".encode()
                    )
            self._folder.rename(self._kept)
        except OSError as error:
            raise _cannot(self._folder, error) from error
        self._session.spend(sum(self._sizes.values()))
        return self._kept

    def _append(self, name: str, text: str) -> None:
        data = redacted(text, self._secrets).encode("utf-8", "backslashreplace")
        if self._sizes[name] + len(data) > MOST_BYTES[name]:
            self._left_out[name] += len(data)
            return
        try:
            self._write(name, data)
        except OSError as error:
            raise _cannot(self._folder / name, error) from error

    def _write(self, name: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(self._folder / name, flags, 0o600), "ab") as file:
            file.write(data)
        self._sizes[name] += len(data)


def _safe(point_id: str) -> str:
    """Give a file name: ids may come from hooks, and hold what they like."""
    name = re.sub(r"[^A-Za-z0-9._+-]", "_", point_id).strip(".")[:_LONGEST_NAME]
    return name or "point"


def _free(folder: Path, name: str) -> Path:
    number = 1
    path = folder / name
    while path.exists() or path.with_name(path.name + _UNFINISHED).exists():
        number += 1
        path = folder / f"{name}-{number}"
    return path


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _cannot(path: Path, error: OSError) -> KubelbError:
    return KubelbError(
        f"The artifacts in {path} cannot be kept: {error.strerror}; free space there, or go without them by "
        "--kubelb-artifacts never."
    )
