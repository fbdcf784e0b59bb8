"""`kubelb gate`: judge a recorded session outside pytest, for CI. Touches the records it reads, and the file asked for.

Exit code 1 is a verdict here, so that whatever cannot be read ends with 4, as a usage error does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_kubelb.comparing import Comparison
    from pytest_kubelb.gate.outcome import Outcome

_STDIN = "-"
_FORMATS = ("text", "json", "junit", "markdown")
_DESCRIPTION = (
    "Judge a recorded session: does each point repeat, and is it slower than the baseline? "
    "Exit codes: 0 pass (or not judged), 1 regression or unrepeatable, 2 inconclusive, 4 usage (also what cannot be "
    "read)."
)


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `kubelb gate`."""
    parser = groups.add_parser("gate", help="judge a recorded session, for CI", description=_DESCRIPTION)
    parser.add_argument(
        "session",
        nargs="?",
        metavar="SESSION",
        help="a session's id or the start of one, a tag, last, or a path: a session's folder, a rootdir, a "
        "record.jsonl, a file of --kubelb-json. Default: the newest session of the root that is none of kubelb ab.",
    )
    parser.add_argument(
        "--baseline",
        metavar="WHAT",
        help="compare with these earlier sessions: a tag, a session, a folder, last:5, pinned, or a file of "
        "--kubelb-json. Default: none, and nothing is compared.",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="the rootdir of the sessions. Default: the nearest folder with a .kubelb, from here upwards.",
    )
    parser.add_argument(
        "--tolerance",
        type=_share,
        metavar="SHARE",
        help="the largest CV that repeats, as 5%% or 0.05. Default: as the session had it, else 5%%.",
    )
    parser.add_argument(
        "--max-drop",
        type=_share,
        metavar="SHARE",
        help="the drop against the baseline that must not pass. Default: as the session had it, else 5%%.",
    )
    parser.add_argument(
        "--on-inconclusive",
        choices=("pass", "fail"),
        help="exit code for what has too few, or too uneven, runs for a verdict: 2 (fail) or 0. Default: fail.",
    )
    parser.add_argument(
        "--on-missing-baseline",
        choices=("pass", "fail"),
        help="exit code for what the baseline cannot judge: 2 (fail) or 0. Default: pass.",
    )
    parser.add_argument("--format", choices=_FORMATS, help="how to show it. Default: text.")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it to this file. Default: stdout.")
    parser.add_argument(
        "--jsonl",
        metavar="FILE",
        help="answer questions instead, one JSON object on each line of this file (- is stdin): "
        '{"baseline": [[...], ...], "candidate": [...]} or {"cells": {name: that, ...}}.',
    )
    parser.set_defaults(run=_run)


def _share(text: str) -> float:
    from pytest_kubelb.option_values import parse_tolerance

    try:
        return parse_tolerance(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _run(arguments: argparse.Namespace) -> int:
    from pytest_kubelb.errors import ConfigError, KubelbError

    try:
        if arguments.jsonl is not None:
            return _answer(arguments)
        outcome = _judged(arguments)
        _show(_RENDERERS[arguments.format or "text"](outcome), arguments.output)
    except KubelbError as error:
        raise ConfigError(str(error)) from error
    return outcome.exit_code


def _answer(arguments: argparse.Namespace) -> int:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.gate import stream

    # What the stream does not heed must not be given with it: it would be believed.
    heeded = {"jsonl", "run"}
    other = [name for name, value in vars(arguments).items() if value is not None and name not in heeded]
    if other:
        flag = "SESSION" if other[0] == "session" else f"--{other[0].replace('_', '-')}"
        raise ConfigError(f"--jsonl answers questions and judges no session: leave out {flag}.")
    if arguments.jsonl == _STDIN:
        stream.answer_all(sys.stdin.buffer, sys.stdout, "stdin")
        return 0
    try:
        with Path(arguments.jsonl).open("rb") as questions:
            stream.answer_all(questions, sys.stdout, arguments.jsonl)
    except OSError as error:
        raise ConfigError(
            f"--jsonl {arguments.jsonl!r} cannot be read: {error.strerror}; give a file of questions, or - for stdin."
        ) from error
    return 0


def _judged(arguments: argparse.Namespace) -> Outcome:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.gate import choice, verdicts
    from pytest_kubelb.gate.outcome import Rules
    from pytest_kubelb.gate.plain import plain
    from pytest_kubelb.gate.session import Gatherer
    from pytest_kubelb.record import levels

    root = _root(arguments.root)
    source = choice.source(arguments.session, root)
    gatherer = Gatherer()
    current = levels.read(gatherer.watch(source.lines()))
    measured = gatherer.measured()
    if measured.of_ab:
        raise ConfigError(
            f"{plain(str(source.path))} is of an A/B session, which `kubelb ab` itself judges: name a session that "
            "pytest measured."
        )
    rules = Rules(
        tolerance=arguments.tolerance,
        max_drop=arguments.max_drop,
        on_inconclusive=arguments.on_inconclusive or "fail",
        on_missing_baseline=arguments.on_missing_baseline or "pass",
    )
    comparison: Comparison | None = None
    notes: list[str] = []
    if arguments.baseline is not None:
        comparison, notes = choice.comparison(arguments.baseline, root, current, measured)
    try:
        return verdicts.judge(measured, comparison, rules, str(source.path), notes)
    except ValueError as error:
        raise ConfigError(f"{source.path} cannot be judged: {error}.") from error


def _root(given: Path | None) -> Path:
    from pytest_kubelb.errors import ConfigError
    from pytest_kubelb.record import history

    if given is None:
        return history.nearest_root(Path.cwd())
    if not given.is_dir():
        raise ConfigError(f"--root {given} is no folder: name the rootdir of the sessions.")
    return given


def _show(text: str, output: Path | None) -> None:
    from pytest_kubelb.errors import KubelbError

    if output is None:
        # A terminal that lacks a sign must not turn a verdict into a traceback.
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return
    try:
        # Appended where GitHub collects what several steps say.
        with output.open("a" if _collects(output) else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise KubelbError(
            f"--output {output} cannot be written: {error.strerror}; name another file."
        ) from error


def _collects(output: Path) -> bool:
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    return summary is not None and output.absolute() == Path(summary).absolute()


def _text(outcome: Outcome) -> str:
    from pytest_kubelb.gate import text

    return text.render(outcome)


def _json(outcome: Outcome) -> str:
    from pytest_kubelb.gate import json_report

    return json.dumps(json_report.build(outcome), allow_nan=False, indent=1) + "\n"


def _junit(outcome: Outcome) -> str:
    from pytest_kubelb.gate import junit

    return junit.render(outcome)


def _markdown(outcome: Outcome) -> str:
    from pytest_kubelb.gate import words
    from pytest_kubelb.report import markdown

    return markdown.render(outcome, f"kubelb gate: {words.summary(outcome)}")


_RENDERERS: dict[str, Callable[[Outcome], str]] = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "markdown": _markdown,
}
