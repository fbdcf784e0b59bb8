"""`kubelb history list|show|tag|untag|pin|unpin|prune`: the sessions of a root folder. Touches its `.kubelb/`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_kubelb.text.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_kubelb.record.history import Found
    from pytest_kubelb.record.levels import SessionLevels
    from pytest_kubelb.record.marks import Marks

_SESSION = "a session's id or the start of one, a tag, last, last:N, or pinned"
_LISTED = ("session", "state", "testbed", "points", "runs", "marks")


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb history` and its verbs."""
    group = groups.add_parser("history", help="the sessions that were recorded: list, tag, pin, prune")
    verbs = group.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str, run: Callable[[argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        parser = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.add_argument(
            "--root",
            type=Path,
            metavar="DIR",
            help="the rootdir of the sessions. Default: the nearest folder with a .kubelb, from here upwards.",
        )
        parser.set_defaults(run=run)
        return parser

    verb("list", _list, "list the sessions, oldest first")
    verb("show", _show, "show what sessions measured, and on what").add_argument(
        "sessions", nargs="+", metavar="SESSION", help=_SESSION
    )
    tag = verb("tag", _tag, "give sessions a tag; several sessions may have the same")
    tag.add_argument("tag", metavar="TAG", help="letters, digits, dots, dashes")
    tag.add_argument("sessions", nargs="+", metavar="SESSION", help=_SESSION)
    untag = verb("untag", _untag, "take a tag away")
    untag.add_argument("tag", metavar="TAG", help="the tag")
    untag.add_argument(
        "sessions", nargs="*", metavar="SESSION", help=f"{_SESSION}. Default: all that have the tag."
    )
    for name, pinned in (("pin", True), ("unpin", False)):
        text = (
            "pin sessions as the baseline `pinned`"
            if pinned
            else "take sessions out of the baseline `pinned`"
        )
        verb(name, partial(_pin, pinned=pinned), text).add_argument(
            "sessions", nargs="+", metavar="SESSION", help=_SESSION
        )
    prune = verb(
        "prune", _prune, "remove old sessions; never pinned or tagged ones, or one that still goes on"
    )
    prune.add_argument("--keep", type=_count, metavar="N", help="keep the N newest")
    prune.add_argument("--older-than", type=_age, metavar="AGE", help="keep what is younger: 90d, 12h, 4w")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def _list(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.record import history

    root = _root(arguments)
    found = history.sessions(root)
    if not found:
        say(f"{root} has no sessions")
        return
    _print_table([_LISTED, *map(_row, found)])


def _row(found: Found) -> Sequence[str]:
    from pytest_kubelb.errors import KubelbError
    from pytest_kubelb.record import levels
    from pytest_kubelb.record.reader import read_record

    noted = [*(["pinned"] if found.marks.pinned else []), *sorted(found.marks.tags)]
    if not found.has_record:
        return (found.id, "empty", "", "0", "0", ", ".join(noted))
    try:
        session = levels.read(read_record(found.record))
    except KubelbError:
        return (found.id, "unreadable", "", "", "", ", ".join(noted))
    if session.imported:
        noted.insert(0, "imported")
    testbed = str(session.fingerprint.get("testbed", ""))
    state = _state(found, session)
    return (found.id, state, testbed, str(len(session.points)), str(session.runs), ", ".join(noted))


def _state(found: Found, session: SessionLevels) -> str:
    from pytest_kubelb.record import history

    if session.end is None:
        return "running" if history.is_locked(found) else "no end"
    if session.ab:
        # The exit codes of `kubelb ab` are its own: 2 is inconclusive.
        return f"a/b {session.ab_verdict or ('failed' if session.complete else 'interrupted')}"
    words = {0: "passed", 1: "failed", 2: "interrupted"}
    return words.get(session.end.exit_code, f"exit {session.end.exit_code}")


def _show(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.record import fingerprint, levels
    from pytest_kubelb.record.points import point_text
    from pytest_kubelb.record.reader import read_record

    for found in _chosen(arguments):
        if not found.has_record:
            say(f"{found.id}: it has no record")
            continue
        session = levels.read(read_record(found.record))
        end = f"ended {session.end.at} with exit code {session.end.exit_code}" if session.end else "no end"
        say(f"{found.id}: started {session.started}, {end}, {session.runs} runs")
        for name, value in fingerprint.told(session.fingerprint):
            say(f"  {name}: {value}")
        rows = [("  point", "valid runs", "median req/s")]
        for key, level in session.points.items():
            rps = level.rps
            rows.append((f"  {point_text(key)}", str(len(rps)), f"{median(rps):,.0f}"))
        _print_table(rows)
        for note in session.notes:
            say(f"  {note}")


def _tag(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.record import marks

    tag = marks.check_tag(arguments.tag)
    for found in _chosen(arguments):
        marks.change(found.folder, lambda old: marks.Marks(old.tags | {tag}, old.pinned))
        say(f"{found.id} is tagged {tag}")


def _untag(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.record import history, marks

    tag = arguments.tag
    root = _root(arguments)
    tagged = [found for found in history.sessions(root) if tag in found.marks.tags]
    if not tagged:
        raise ConfigError(f"No session in {root} is tagged {tag!r}{history.hint(root, tag)}.")
    for found in _chosen(arguments) if arguments.sessions else tagged:
        had = tag in found.marks.tags
        marks.change(found.folder, lambda old: marks.Marks(old.tags - {tag}, old.pinned))
        say(f"{found.id} {'is no longer' if had else 'was not'} tagged {tag}")


def _pin(arguments: argparse.Namespace, *, pinned: bool) -> None:
    from pytest_kubelb.record import marks

    def edit(old: Marks) -> Marks:
        return marks.Marks(old.tags, pinned)

    for found in _chosen(arguments):
        marks.change(found.folder, edit)
        done = "is pinned" if pinned else "is no longer pinned" if found.marks.pinned else "was not pinned"
        say(f"{found.id} {done}")


def _prune(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.record import pruning

    if arguments.keep is None and arguments.older_than is None:
        raise ConfigError(
            "kubelb history prune needs to know what to keep: give --keep N, --older-than 90d, or both."
        )
    root, now = _root(arguments), datetime.now(UTC)
    plan = pruning.plan(root, now, keep=arguments.keep, older_than=arguments.older_than)
    freed = removed = 0
    if not arguments.dry_run:
        pruning.finish(root)
    for found in plan.remove:
        size = pruning.size(found)
        reason = None if arguments.dry_run else pruning.remove(found, now)
        if reason is not None:
            say(f"kept {found.id}: {reason}")
            continue
        freed, removed = freed + size, removed + 1
        say(f"{'would remove' if arguments.dry_run else 'removed'} {found.id} ({size:,} bytes)")
    for found, reason in plan.keep:
        say(f"{'would keep' if arguments.dry_run else 'kept'} {found.id}: {reason}")
    say(f"{removed} of {len(plan.remove) + len(plan.keep)} sessions, {freed:,} bytes")


def _chosen(arguments: argparse.Namespace) -> list[Found]:
    """Give the sessions that the words mean, each once. Raises ConfigError when a word means none."""
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.record import history

    root, chosen = _root(arguments), {}
    for word in arguments.sessions:
        found = history.resolve(root, word)
        if not found:
            left_out = (
                "it leaves out imported sessions, those of kubelb ab and those that did not come to their end; "
                if history.last(word) is not None and history.sessions(root)
                else ""
            )
            raise ConfigError(f"{word!r} means no session in {root}: {left_out}see `kubelb history list`.")
        chosen.update({each.id: each for each in found})
    return list(chosen.values())


def _root(arguments: argparse.Namespace) -> Path:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.record import history

    root: Path | None = arguments.root
    if root is None:
        return history.nearest_root(Path.cwd())
    if not root.is_dir():
        raise ConfigError(f"--root {root} is no folder: name the rootdir of the sessions.")
    return root


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of sessions: write a whole number of at least 0"
        )
    return int(text)


def _age(text: str) -> object:
    from pytest_kubelb.record.pruning import parse_age

    try:
        return parse_age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
