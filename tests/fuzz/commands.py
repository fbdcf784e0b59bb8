"""Targets that feed the sub-commands: a session whose record somebody else wrote, listed, shown, judged and resumed.

Touches a scratch folder, in which each record is one of a root of its own, and what these commands print.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kubelb import cli
from pytest_kubelb.errors import KubelbError
from pytest_kubelb.record import reader, resumable
from tests.fuzz.files import RECORDS, scratch
from tests.fuzz.target import Target
from tests.report import sessions

if TYPE_CHECKING:
    import argparse

ID = "20261123T072210Z-3f9c"


@cache
def _parser() -> argparse.ArgumentParser:
    return cli.parser()


@cache
def _baseline() -> Path:
    return sessions.source_of(Path(tempfile.mkdtemp(dir=scratch())), sessions.session_lines()).path


def _run(*words: str) -> None:
    """Run one sub-command. Raises what it raises, and AssertionError for what a terminal would take for a command."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        arguments = _parser().parse_args(words)
        arguments.run(arguments)
    if not out.getvalue().replace("\n", "").isprintable():
        raise AssertionError(f"{words[0]} would print to a terminal: {out.getvalue()!r}")


def _every_command(data: bytes) -> None:
    """Raise the first refusal: one command may take what another refuses."""
    root = Path(tempfile.mkdtemp(dir=scratch()))
    refused: list[KubelbError] = []
    try:
        record = root / ".kubelb" / ID / "record.jsonl"
        record.parent.mkdir(parents=True)
        record.write_bytes(data)
        there = ("--root", str(root))
        for words in (
            ("history", "list", *there),
            ("history", "show", ID, *there),
            ("gate", str(record), *there),
            ("gate", str(record), "--baseline", str(_baseline()), *there),
            ("gate", str(_baseline()), "--baseline", ID, "--format", "markdown", *there),
            ("evidence", ID, *there),
            ("history", "prune", "--keep", "0", "--dry-run", *there),
        ):
            try:
                _run(*words)
            except KubelbError as error:
                refused.append(error)
        resumable.read(reader.read_record(record))
    finally:
        shutil.rmtree(root)
    if refused:
        raise refused[0]


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [Target("record.jsonl to sub-commands", _every_command, RECORDS, slow=True)]
