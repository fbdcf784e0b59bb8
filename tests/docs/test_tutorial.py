"""The tutorial, command by command: in a fresh home, from the installation to the last line, in a real lab.

The shell blocks of the page are one script, as for a reader who types them one after the other. Labs by hand are
everybody's on a machine, so the script sees an empty /run/kubelb of its own; and it is in a PID namespace, with which
all that it starts ends, however the test ends.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

import pytest

from tests.docs.blocks import blocks
from tests.docs.conftest import DOCS, environment

PAGE = (DOCS / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = blocks(PAGE, "sh")
ALONE = [
    *(
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ),
    *(
        "bash",
        "-c",
        'mkdir -p -m 700 /run/kubelb && mount -t tmpfs -o mode=0700 tmpfs /run/kubelb && exec "$@"',
        "-",
    ),
]
# What a shared machine makes of a few runs of a second is no matter of the page: no point is to fail by it.
LENIENT = {"KUBELB_TOLERANCE": "100%", "KUBELB_MAX_DROP": "90%"}
NO_INDEX = re.compile("NewConnectionError|NameResolutionError|ConnectTimeoutError|Failed to establish")


@dataclass(frozen=True)
class Typed:
    """What became of the page's commands."""

    exit_code: int
    said: dict[str, str]
    """A block's first line -> everything that the block printed."""

    def after(self, first_line: str) -> str:
        """Give what the block printed that begins so."""
        return next(printed for command, printed in self.said.items() if command.startswith(first_line))


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory, lab_kernel: str) -> Typed:
    """The whole page, typed once."""
    assert lab_kernel
    home = tmp_path_factory.mktemp("home")
    (home / "pytest-kubelb").symlink_to(DOCS.parent)
    script = "\n".join(["set -e", *(f"echo '%% {number}'\n{block}" for number, block in enumerate(COMMANDS))])
    done = subprocess.run(
        [*ALONE, "bash", "-c", script],
        cwd=home,
        env=environment(HOME=str(home), PIP_CACHE_DIR=pip_cache(), **LENIENT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1200,
    )
    if done.returncode and NO_INDEX.search(done.stdout):
        pytest.skip("the package index cannot be reached, and the tutorial begins with pip install")
    pieces = re.split(r"^%% \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    first_lines = [block.splitlines()[0] for block in COMMANDS]
    return Typed(done.returncode, dict(zip(first_lines, pieces, strict=False)))


def pip_cache() -> str:
    """Give pip's own cache, so that a fresh home does not download everything again."""
    asked = subprocess.run(
        ["pip", "cache", "dir"], env=environment(), capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or os.devnull


def test_every_command_of_the_tutorial_ends_well(typed: Typed) -> None:
    assert typed.exit_code == 0, list(typed.said.items())[-1]
    assert len(typed.said) == len(COMMANDS)


def without_times(text: str) -> list[str]:
    """Give the lines without their estimates, which change with what is measured of the lab."""
    return [" ".join(re.sub(r"\d+ (?:min|s)\b", "", line).split()) for line in text.splitlines()]


def test_the_plan_is_the_one_that_the_page_shows(typed: Typed) -> None:
    (shown,) = [block for block in blocks(PAGE, "text") if "kubelb plan" in block]
    said = without_times(typed.after("pytest --kubelb-plan"))
    assert [line for line in without_times(shown) if line not in said] == []


def test_the_first_session_measures_every_point_and_passes(typed: Typed) -> None:
    said = typed.after("pytest --kubelb-json")
    assert "6 passed" in said
    assert "ipvs-pods01" in said
    assert "repeatable" in said


def test_the_columns_that_the_page_explains_are_those_of_the_table(typed: Typed) -> None:
    (shown,) = [block for block in blocks(PAGE, "text") if block.startswith("point ")]
    heads = [
        line.split() for line in typed.after("pytest --kubelb-json").splitlines() if line.startswith("point ")
    ]
    assert shown.splitlines()[0].split() in heads


def test_the_point_that_is_to_fail_fails_with_exit_code_1(typed: Typed) -> None:
    said = typed.after('pytest -k "ipvs and pods04"')
    assert "ipvs-pods04 is unrepeatable" in said
    assert said.rstrip().endswith("exit code 1")


def test_the_second_session_is_compared_with_the_tagged_one(typed: Typed) -> None:
    said = typed.after("first=")
    assert "against the baseline" in said
    assert "4 passed" in said  # three points, and their sweep


def test_the_lab_by_hand_answers_and_is_gone_in_the_end(typed: Typed) -> None:
    said = typed.after("kubelb lab up")
    assert "192.168.0.111" in said
    assert said.rstrip().endswith("the lab is down")
