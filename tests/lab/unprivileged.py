"""Python as somebody who may less than root: another uid, root without a capability, root of a user namespace only."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_kubelb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOBODY = 65534

AS_NOBODY = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--")
AS_ROOT_OF_A_USER_NAMESPACE = (*AS_NOBODY, "unshare", "--user", "--map-root-user", "--net", "--mount", "--")


def without(capability: str) -> tuple[str, ...]:
    """Give the command prefix for root without `capability` (`sys_admin`)."""
    return ("setpriv", f"--bounding-set=-{capability}", "--inh-caps=-all", "--")


def python(
    who: Sequence[str],
    *words: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run our Python as `who`, `given` on its standard input; skips the test where that cannot be."""
    with open_folder() as runtime:
        words_before, surroundings = prepared(who, runtime)
        return subprocess.run(
            [*words_before, *words],
            cwd=cwd or runtime,
            env={**surroundings, **(environment or {})},
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def prepared(who: Sequence[str], runtime: Path) -> tuple[list[str], dict[str, str]]:
    """Give the command prefix for our Python as `who`, and its environment; skips the test where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (Debian package util-linux)")
    # What else is set for this Python must not lead there: a home or runtime folder that only root may enter.
    surroundings = {
        **os.environ,
        "HOME": str(runtime),
        "XDG_RUNTIME_DIR": str(runtime),
        "PYTHONPATH": os.pathsep.join(
            [str(Path(pytest_kubelb.__file__).parents[1]), *site.getsitepackages()]
        ),
    }
    return [*who, _interpreter(tuple(who), surroundings["PYTHONPATH"])], surroundings


@cache
def _interpreter(who: tuple[str, ...], search_path: str) -> str:
    """Give a Python that `who` may run: ours, or that of the system when ours lies in root's home."""
    for candidate in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        tried = subprocess.run(
            # Not by setpriv itself, which still may enter root's home when it starts its program.
            [*who, "env", candidate, "-c", "import pytest, pytest_kubelb"],
            env={**os.environ, "PYTHONPATH": search_path},
            capture_output=True,
            check=False,
            cwd="/",
        )
        if tried.returncode == 0:
            return candidate
    return pytest.skip(f"{' '.join(who)} can run no Python of this version here")


@contextmanager
def open_folder() -> Iterator[Path]:
    """Give a folder of NOBODY's: pytest's own temporary folders are for its user alone."""
    with tempfile.TemporaryDirectory(prefix="kubelb-test-") as name:
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)
