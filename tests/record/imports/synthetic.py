"""Synthetic logs in the original's format; no figure of them was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.imports.dirt import Dirt
from pytest_kubelb.record.imports.text_lines import numbered_lines
from pytest_kubelb.record.imports.wrk_logs import read_runs
from tests.load.classic_text import classic_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BytesIO
    from pathlib import Path

    from pytest_kubelb.record.imports.run import ImportedRun

EPOCH_S = 1_500_000_000
COMMAND = "wrk -c800 -t40 -d60s http://10.254.0.10/"
NO_ERRORS = SocketErrors(0, 0, 0, 0, 0)


def report(rps: float, *, duration_s: float = 60.0, errors: SocketErrors = NO_ERRORS) -> str:
    """Give what wrk prints of one run."""
    requests = round(rps * duration_s)
    latency = Latency(96_680.0, 255_420.0, 2_000_000.0, {})
    return classic_text(
        WrkResult(requests / duration_s, requests, requests * 247, duration_s, latency, errors)
    )


def block(
    pods: int | str,
    rps: float,
    started_s: int = EPOCH_S,
    *,
    wall_s: int = 60,
    duration_s: float = 60.0,
    errors: SocketErrors = NO_ERRORS,
) -> str:
    """Give one run as the original's script logs it."""
    return (
        f"podnum={pods}\nStart time: {started_s}\n{COMMAND}\n"
        f"{report(rps, duration_s=duration_s, errors=errors)}End time: {started_s + wall_s}\n\n"
    )


def sweep(rates: Iterable[float], started_s: int = EPOCH_S) -> str:
    """Give a log of 1, 2, 3 ... pods."""
    return "".join(block(pods, rps, started_s + 100 * pods) for pods, rps in enumerate(rates, 1))


def parsed(text: str) -> tuple[list[ImportedRun], dict[str, str]]:
    """Give the runs of a log, and its dirt: kind -> the warning."""
    dirt = Dirt("a.log")
    lines = enumerate(text.split("\n"), 1)
    runs = list(read_runs(lines, dirt))
    return runs, {warned.kind: str(warned) for warned in dirt.warned()}


def pieces(file: BytesIO) -> tuple[list[tuple[int, str]], dict[str, str]]:
    """Give the numbered lines of a file, and its dirt."""
    dirt = Dirt("a.log")
    found = list(numbered_lines(file, dirt))
    return found, {warned.kind: str(warned) for warned in dirt.warned()}


def written(folder: Path, **files: str) -> Path:
    """Write logs: name without `.log` -> text."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.log").write_text(text)
    return folder
