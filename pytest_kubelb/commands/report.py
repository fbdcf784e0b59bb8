"""`kubelb report`: every format rebuilt from records alone. Touches the records it reads, and the files asked for."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_kubelb.record.sources import Source

_DESCRIPTION = (
    "Show recorded sessions, or write them in any of the formats; several stand side by side. Verdicts are those of "
    "the session, and where it gave none those of kubelb gate. Without a format the summary goes to stdout."
)


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb report`."""
    from pytest_kubelb.report.formats import FORMATS

    parser = groups.add_parser(
        "report", help="every report, rebuilt from the records", description=_DESCRIPTION
    )
    parser.add_argument(
        "sessions",
        nargs="*",
        metavar="SESSION",
        help="a session's id or the start of one, a tag, last:N, pinned, or a path: a session's folder, a rootdir, a "
        "record.jsonl, a file of --kubelb-json. Default: the newest session of the root.",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="the rootdir of the sessions. Default: the nearest folder with a .kubelb, from here upwards.",
    )
    for name, holds in FORMATS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write to this file {holds}.")
    parser.add_argument(
        "--json-schema", action="store_true", help="print the JSON Schema of --json, and do nothing else."
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from pytest_kubelb.report import formats

    if arguments.json_schema:
        from pytest_kubelb.report import json_schema

        sys.stdout.write(json_schema.text())
        return
    sources = _sources(arguments.sessions, _root(arguments.root))
    given = {name: getattr(arguments, name) for name in formats.FORMATS}
    wanted = {name: file for name, file in given.items() if file is not None}
    formats.check(wanted, sources)
    if wanted:
        formats.write_all(sources, wanted)
        return
    from pytest_kubelb.report import session_text

    text = session_text.render(formats.Reports(sources).sessions, shutil.get_terminal_size().columns)
    # A terminal that lacks a sign must not turn a report into a traceback.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _sources(words: Sequence[str], root: Path) -> list[Source]:
    """Give the sessions that the words mean, each once, in the order of the words."""
    from pytest_kubelb.gate import choice

    if not words:
        return [choice.source(None, root)]
    return list({source.path.resolve(): source for word in words for source in _of(word, root)}.values())


def _of(word: str, root: Path) -> Sequence[Source]:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.record import history, sources

    known = history.lookup(root, word)
    if known is None:
        path = sources.path_of(word)
        if "\0" in word or not sources.exists(path):
            raise ConfigError(
                f"No session, tag or file is called {word!r}{history.hint(root, word)}; name a session's id or folder, "
                "a record.jsonl, or a JSON report."
            )
        found = [source for source in sources.find(path) if source.named or not _is_of_ab(source)]
        if not found:
            raise ConfigError(f"{word!r} has no session but those of kubelb ab, which reports them itself.")
        return found
    with_record = [sources.Source(each.record, named=True) for each in known if each.has_record]
    if not with_record:
        without = "they have no record" if known else "there is none such"
        raise ConfigError(
            f"{word!r} means no session in {root} to report: {without}; see kubelb history list."
        )
    return with_record


def _is_of_ab(source: Source) -> bool:
    from pytest_kubelb.record import history
    from pytest_kubelb.record.lines import SessionStart

    first = next(source.lines(), None)
    return isinstance(first, SessionStart) and history.is_ab(first)


def _root(given: Path | None) -> Path:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.record import history

    if given is None:
        return history.nearest_root(Path.cwd())
    if not given.is_dir():
        raise ConfigError(f"--root {given} is no folder: name the rootdir of the sessions.")
    return given
