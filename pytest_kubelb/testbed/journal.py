"""The undo journal: what a session changed on a host, kept there until it is put back. Reads our own /proc.

The lines of POSIX sh that write, list and remove it run on the host, in the scripts of who changes something. A journal
is one line of JSON in `/run/kubelb-undo/<session>/<kind>-<network namespace>.json`: /run is emptied by a reboot exactly
when the knobs are. It is data and never executed. Its folder is the session's own (mode 0700), inside a folder that
everybody may add to, as in /tmp: so no session needs a privilege to write it, and root believes only what is root's.
It is not in /run/kubelb, which is the folder of labs: what is no lab is removed from there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = "/run/kubelb-undo"
TUNING: Final = "tuning"
LARGEST: Final = 1 << 20

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_TEXTS: Final = ("session", "kind", "host", "since", "controller")


@dataclass(frozen=True)
class Journal:
    """How a session found one subject of one host."""

    session: str
    kind: str
    """The subject: `tuning`."""
    host: str
    """As the session's inventory names it."""
    since: str
    """ISO 8601, UTC: when it was first written."""
    controller: str
    """Host name of the machine that the session runs on."""
    process: int
    """Its process there."""
    started: int
    """When that process started, in clock ticks since its machine booted: tells it from a later one of its number."""
    payload: Mapping[str, object]
    """What was there before, as the kind has it."""


@dataclass(frozen=True)
class Listing:
    """The journals that a host has."""

    journals: tuple[Journal, ...] = ()
    """Those of this host's network namespace that this user may believe."""
    foreign: tuple[str, ...] = ()
    """Folders that belong to another user."""
    broken: tuple[str, ...] = ()
    """Files that are no journal, with the reason."""


def opened(session: str, kind: str, host: str, payload: Mapping[str, object]) -> Journal:
    """Give the journal that this process keeps for `session`. Raises ValueError for names that are no file names."""
    for word in (session, kind):
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word!r} cannot name a journal: letters, digits, dots and dashes are allowed")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    process = os.getpid()
    return Journal(session, kind, host, now, socket.gethostname(), process, _started(process) or 0, payload)


def encode(journal: Journal) -> str:
    """Give the journal as its one line."""
    return json.dumps({"schema_version": 1, **vars(journal)}, ensure_ascii=True, separators=(",", ":")) + "\n"


def decode(text: str) -> Journal:
    """Read what `encode` gave. Raises ValueError that says what is odd."""
    if len(text) > LARGEST:
        raise ValueError(f"has {len(text)} characters, and at most {LARGEST} are read")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON ({error})") from error
    if not isinstance(fields, dict) or fields.get("schema_version") != 1:
        raise ValueError("is no journal of schema_version 1, which is the one this version reads")
    texts = [fields.get(name) for name in _TEXTS]
    numbers = [fields.get(name) for name in ("process", "started")]
    payload = fields.get("payload")
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError(f"lacks one of {', '.join(_TEXTS)}")
    if not all(isinstance(number, int) for number in numbers) or not isinstance(payload, dict):
        raise ValueError("lacks its process or its payload")
    if not _WORD.fullmatch(str(texts[0])) or not _WORD.fullmatch(str(texts[1])):
        raise ValueError(f"names session {texts[0]!r} and kind {texts[1]!r}, which are no file names")
    session, kind, host, since, controller = (str(text) for text in texts)
    return Journal(
        session, kind, host, since, controller, int(numbers[0] or 0), int(numbers[1] or 0), payload
    )


def write_lines(journal: Journal) -> list[str]:
    """Give script lines that write the journal, which is on their stdin, and end the script where that fails.

    They need `ns` (`NAMESPACE_LINE`). Renamed into place: it is there in whole or not at all.
    """
    folder, name = _place(journal)
    fail = f"{{ echo 'the undo journal cannot be written in {ROOT}' >&2; exit 1; }}"
    return [
        f"[ -d {ROOT} ] || $s mkdir -p -m 1777 {ROOT} || {fail}",
        f"( umask 077; mkdir {folder} 2>/dev/null ) || {{ [ -O {folder} ] && [ ! -L {folder} ]; }} || {fail}",
        f"( umask 077; cat >{folder}/{name}.new ) && mv -f {folder}/{name}.new {folder}/{name} || {fail}",
    ]


def remove_lines(journal: Journal) -> list[str]:
    """Give script lines that remove the journal, and the folders that it leaves empty."""
    folder, name = _place(journal)
    return [
        f"rm -f {folder}/{name}",
        f"rmdir {folder} 2>/dev/null && $s rmdir {ROOT} 2>/dev/null || :",
    ]


def _place(journal: Journal) -> tuple[str, str]:
    return shlex.quote(f"{ROOT}/{journal.session}"), f'{shlex.quote(journal.kind)}-"$ns".json'


NAMESPACE_LINE: Final = "ns=$(readlink /proc/self/ns/net); ns=${ns##*[}; ns=${ns%]}"
"""Script line: hosts of a lab share /run, and are told apart by their network namespace."""

LIST_LINES: Final = (
    'echo "@@journals"',
    f"for d in {ROOT}/*/; do",
    '  [ -d "$d" ] || continue',
    '  if [ ! -O "$d" ] || [ -L "${d%/}" ]; then echo "foreign $d"; continue; fi',
    '  for f in "$d"*-"$ns".json; do',
    f'    if [ -f "$f" ] && [ ! -L "$f" ]; then echo "journal $f"; head -c {LARGEST + 1} "$f"; echo; fi',
    "  done",
    "done",
)
"""Script lines that list the journals; they need `ns`. One process for each journal, none where there is none."""


def parse_listing(lines: list[str]) -> Listing:
    """Read what `LIST_LINES` printed after their heading."""
    journals: list[Journal] = []
    foreign: list[str] = []
    broken: list[str] = []
    file = ""
    for line in filter(None, lines):
        word, _, rest = line.partition(" ")
        if word == "foreign":
            foreign.append(rest.rstrip("/"))
        elif word == "journal":
            file = rest
        else:
            try:
                journals.append(decode(line))
            except ValueError as error:
                broken.append(f"{file} {error}")
    return Listing(tuple(journals), tuple(foreign), tuple(broken))


def refuse(host: str, listing: Listing, session: str) -> None:
    """Raise TestbedError when another session than `session` left a journal on the host."""
    for journal in listing.journals:
        if journal.session != session:
            raise TestbedError(
                f"host {host} still has the {journal.kind} of session {journal.session} from {journal.controller}, "
                f"begun {journal.since}: wait for its end, or run `kubelb restore` if it was killed"
            )
    for folder in listing.foreign:
        raise TestbedError(
            f"host {host} has {folder}, the journal of another user's session: "
            "wait for its end, or let that user run `kubelb restore`"
        )
    for problem in listing.broken:
        raise TestbedError(f"host {host}: {problem}; see what wrote it, and remove it by hand")


def is_running(journal: Journal) -> bool:
    """Tell whether the session's process runs on this machine; one of another machine is not seen from here."""
    here = journal.controller == socket.gethostname()
    return here and journal.started != 0 and _started(journal.process) == journal.started


def _started(process: int) -> int | None:
    """Give the start time of a process of this machine: field 22 of /proc/PID/stat, see proc(5). None if it is not."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the program's name may hold blanks and brackets
    return None if len(fields) < 20 or fields[0] == "Z" else int(fields[19])
