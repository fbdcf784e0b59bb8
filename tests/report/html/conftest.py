"""A browser for all tests of a module, the sessions they look at, and axe-core."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.report.html.build import build
from tests.report.html import made
from tests.report.html.chromium import PROGRAM, Chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AXE = "axe-core@4.14.1"


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of one session that tells everything."""
    folder = tmp_path_factory.mktemp("report")
    build([made.session(folder / "session", passes=2)], folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A headless Chromium."""
    if PROGRAM is None:
        pytest.skip("no chromium is installed: the page cannot be looked at")
    with Chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from the npm registry: its licence (MPL) keeps it out of this repository."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, which axe-core comes with")
    folder = tmp_path_factory.mktemp("axe")
    try:
        done = subprocess.run(
            [npm, "pack", AXE, "--silent", "--cache", folder / "cache"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not fetch {AXE} within 120 s")
    packed = sorted(folder.glob("axe-core-*.tgz"))
    if done.returncode or not packed:
        pytest.skip(f"npm cannot fetch {AXE}: {done.stderr.strip()[:200]}")
    with tarfile.open(packed[0]) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source is not None
        with source:
            return source.read().decode()
