"""The undo journal: what a session changed on a host, kept there until it is put back. Reads our own /proc.

The lines of POSIX sh that write, list and remove it run on the host, in the scripts of who changes something. A journal
is one line of JSON in `/run/kubelb-undo/<session>/<kind>[.<subject>]-<network namespace>.json`: /run is emptied by a
reboot exactly when the knobs are. It is data and never executed. Its folder is the session's own (mode 0700), inside a
folder that everybody may add to, as in /tmp: so no session needs a privilege to write it, and root believes only what
is root's. It is not in /run/kubelb, which is the folder of labs: what is no lab is removed from there. The journal of
the load generator lies in the folder that it is about, in /tmp, since a benchmarker may give no privilege at all.
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
LOAD_FOLDERS: Final = "/tmp/kubelb."  # noqa: S108 - made with mode 0700 under a name that nobody can foresee
TUNING: Final = "tuning"
IPVS: Final = "ipvs"
PROXY: Final = "proxy"
LOAD: Final = "load"
LARGEST: Final = 1 << 20

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_TEXTS: Final = ("session", "kind", "host", "since", "controller")


@dataclass(frozen=True)
class Journal:
    """How a session found one subject of one host."""

    session: str
    kind: str
    """What was changed: `tuning`, `ipvs`, `proxy` or `load`."""
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
    subject: str = ""
    """Tells several of one kind and session apart, such as two virtual servers; empty where there can be one only."""


@dataclass(frozen=True)
class Listing:
    """The journals that a host has."""

    journals: tuple[Journal, ...] = ()
    """Those of this host's network namespace that this user may believe."""
    foreign: tuple[str, ...] = ()
    """Folders that belong to another user."""
    broken: tuple[str, ...] = ()
    """Files that are no journal, with the reason."""


def opened(session: str, kind: str, host: str, payload: Mapping[str, object], subject: str = "") -> Journal:
    """Give the journal that this process keeps for `session`. Raises ValueError for names that are no file names."""
    for word in (session, kind, subject or kind):
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word!r} cannot name a journal: letters, digits, dots and dashes are allowed")
    # To the millisecond: of two that one session wrote, the later one is put back first.
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    process = os.getpid()
    began = started(process) or 0
    return Journal(session, kind, host, now, socket.gethostname(), process, began, payload, subject)


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
    texts = [*(fields.get(name) for name in _TEXTS), fields.get("subject", "")]
    numbers = [fields.get(name) for name in ("process", "started")]
    payload = fields.get("payload")
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError(f"lacks one of {', '.join(_TEXTS)}")
    if not all(isinstance(number, int) for number in numbers) or not isinstance(payload, dict):
        raise ValueError("lacks its process or its payload")
    if not _WORD.fullmatch(str(texts[0])) or not _WORD.fullmatch(str(texts[1])):
        raise ValueError(f"names session {texts[0]!r} and kind {texts[1]!r}, which are no file names")
    session, kind, host, since, controller, subject = (str(text) for text in texts)
    if subject and not _WORD.fullmatch(subject):
        raise ValueError(f"names {subject!r} as its subject, which is no file name")
    process, began = (int(number or 0) for number in numbers)
    return Journal(session, kind, host, since, controller, process, began, payload, subject)


def write_lines(journal: Journal) -> list[str]:
    """Give script lines that write the journal, the first line of their stdin; the script ends where that fails.

    They need `ns` (`NAMESPACE_LINE`). Renamed into place: it is there in whole or not at all. The rest of stdin is left
    to the lines that follow.
    """
    folder, name = _place(journal)
    fail = f"{{ echo 'the undo journal cannot be written in {ROOT}' >&2; exit 1; }}"
    return [
        f"[ -d {ROOT} ] || $s mkdir -p -m 1777 {ROOT} || {fail}",
        f"( umask 077; mkdir {folder} 2>/dev/null ) || {{ [ -O {folder} ] && [ ! -L {folder} ]; }} || {fail}",
        f"IFS= read -r journal || {fail}",
        f"( umask 077; printf '%s\\n' \"$journal\" >{folder}/{name}.new ) &&"
        f" mv -f {folder}/{name}.new {folder}/{name} || {fail}",
    ]


def remove_lines(journal: Journal) -> list[str]:
    """Give script lines that remove the journal, and the folders that it leaves empty."""
    folder, name = _place(journal)
    return [
        f"rm -f {folder}/{name}",
        f"rmdir {folder} 2>/dev/null && $s rmdir {ROOT} 2>/dev/null || :",
    ]


def file_name(journal: Journal) -> str:
    """Give the name of its file as a word of a script that has `ns` (`NAMESPACE_LINE`)."""
    about = f"{journal.kind}.{journal.subject}" if journal.subject else journal.kind
    return f'{shlex.quote(about)}-"$ns".json'


def _place(journal: Journal) -> tuple[str, str]:
    return shlex.quote(f"{ROOT}/{journal.session}"), file_name(journal)


NAMESPACE_LINE: Final = "ns=$(readlink /proc/self/ns/net); ns=${ns##*[}; ns=${ns%]}"
"""Script line: hosts of a lab share /run, and are told apart by their network namespace."""

LIST_LINES: Final = (
    'echo "@@journals"',
    f"for d in {ROOT}/*/ {LOAD_FOLDERS}*/; do",
    '  [ -d "$d" ] || continue',
    '  if [ ! -O "$d" ] || [ -L "${d%/}" ]; then',
    f'    case $d in {ROOT}/*) echo "foreign $d" ;; esac',  # a folder of another user in /tmp keeps nobody out
    "    continue",
    "  fi",
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


def label(journal: Journal) -> str:
    """Give what the journal is about, for people: `ipvs 192.168.0.111-8888 of session ID`."""
    about = f"{journal.kind} {journal.subject}" if journal.subject else journal.kind
    return f"{about} of session {journal.session}"


def refuse(host: str, listing: Listing, session: str) -> None:
    """Raise TestbedError when another session than `session`, or another process of it, left a journal on the host."""
    for journal in listing.journals:
        ours = journal.controller == socket.gethostname() and journal.process == os.getpid()
        if journal.session != session or not ours:
            raise TestbedError(
                f"host {host} still has the {label(journal)} from {journal.controller}, "
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
    return here and journal.started != 0 and started(journal.process) == journal.started


def started(process: int) -> int | None:
    """Give the start time of a process of this machine: field 22 of /proc/PID/stat, see proc(5). None if it is not."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the program's name may hold blanks and brackets
    return None if len(fields) < 20 or fields[0] == "Z" else int(fields[19])
