"""`kubelb import`: logs of wrk and CSV tables become records. Touches the files named and `.kubelb/`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_kubelb.errors import ConfigError
from pytest_kubelb.text.saying import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from pytest_kubelb.record.imports.dirt import Warned
    from pytest_kubelb.record.imports.making import Imported
    from pytest_kubelb.record.imports.sessions import Choices

    Value = TypeVar("Value")

_FILES_SHOWN: Final = 5


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb import`."""
    parser = groups.add_parser(
        "import",
        help="make records of wrk's logs and of CSV tables",
        description="Make records of logs that hold wrk's text, and of CSV tables of pods and requests/s.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a log, a table, or a folder of them")
    parser.add_argument(
        "--into", default=".", metavar="DIR", help="folder whose .kubelb gets the records (.)"
    )
    parser.add_argument(
        "--session-per",
        choices=("folder", "index", "file"),
        default="folder",
        help="one session for all logs of a folder with one label (the default), for each run index, or each file",
    )
    parser.add_argument(
        "--backend", metavar="NAME", help="backend of all files, instead of what their names say"
    )
    parser.add_argument(
        "--backend-from",
        action="append",
        default=[],
        metavar="WORD=NAME",
        help="backend of files or folders with WORD in their name; known are lvs, ipvs, proxy, clusterip",
    )
    parser.add_argument("--overlay", default="unknown", metavar="NAME", help="overlay of all runs (unknown)")
    parser.add_argument("--pods", metavar="N", help="pod count of runs whose log does not say it")
    parser.add_argument("--duration", metavar="TIME", help="how long each run of a table was (10s, 1m)")
    parser.add_argument(
        "--testbed", default="imported", metavar="NAME", help="name of the testbed (imported)"
    )
    parser.add_argument("--tolerance", default="5%", help="largest CV that counts as repeatable (5%%)")
    parser.add_argument("--dry-run", action="store_true", help="read and judge, and write nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import, print the tables on standard output and what was odd on standard error; give 0.

    Raises ConfigError for a mistake in the options, KubelbError when nothing can be imported.
    """
    from pytest_kubelb.record.imports.making import import_paths
    from pytest_kubelb.record.imports.names import parse_words

    choices = _choices(arguments)
    words = parse_words(arguments.backend_from)
    paths = [_path(text, "PATH") for text in arguments.paths]
    sessions, warned = import_paths(paths, words, choices)
    for line in _warnings(warned):
        say(f"warning: {line}", file=sys.stderr)
    for session in sessions:
        _show(session)
    return 0


def _choices(arguments: argparse.Namespace) -> Choices:
    from pytest_kubelb import option_values
    from pytest_kubelb.record.imports.names import parse_backend
    from pytest_kubelb.record.imports.run import MOST_PODS
    from pytest_kubelb.record.imports.sessions import Choices

    backend, pods, duration = arguments.backend, arguments.pods, arguments.duration
    return Choices(
        into=_path(arguments.into, "--into"),
        backend=None if backend is None else parse_backend(backend, "--backend"),
        overlay=parse_backend(arguments.overlay, "--overlay"),
        pods=None if pods is None else _read(option_values.whole(1, MOST_PODS), pods, "--pods"),
        duration_s=None if duration is None else _read(option_values.parse_duration, duration, "--duration"),
        session_per=arguments.session_per,
        testbed=arguments.testbed,
        tolerance=_read(option_values.parse_tolerance, arguments.tolerance, "--tolerance"),
        dry_run=arguments.dry_run,
    )


def _read(parse: Callable[[str], Value], text: str, option: str) -> Value:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}.") from error


def _path(text: str, option: str) -> Path:
    if not text or "\0" in text:
        raise ConfigError(f"{option} {text!r} is not a path: name a file or a folder.")
    return Path(text)


def _warnings(warned: Sequence[Warned]) -> list[str]:
    """Give the warnings, kind by kind; of a kind that most files have, the first files."""
    by_kind: dict[str, list[Warned]] = {}
    for one in warned:
        by_kind.setdefault(one.kind, []).append(one)
    lines = []
    for kind, found in by_kind.items():
        lines += [str(one) for one in found[:_FILES_SHOWN]]
        left = found[_FILES_SHOWN:]
        if left:
            lines.append(
                f"{left[0].file}:{left[0].lines[0]}: the same ({kind}) here and in {len(left) - 1} more files; "
                "the events of the record have each."
            )
    return lines


def _show(session: Imported) -> None:
    from pytest_kubelb.record.imports.dirt import shown
    from pytest_kubelb.record.imports.summary import tables, validities

    where = "nothing written" if session.session is None else shown(session.session.record)
    label = f", {session.group.label}" if session.group.label else ""
    files = len(session.group.files)
    say(
        f"{session.group.folder}{label}: {files} {'file' if files == 1 else 'files'}, {validities(session.runs)}"
    )
    say(f"  {where}")
    print()
    say(*tables(session.runs, session.judged))
