"""The `kubelb` command, as a process of its own; a real lab goes up and down by it once.

What is in /run/kubelb is everybody's on this machine, so the commands run in a mount namespace where /run is empty, and
in a PID namespace, with which all that they start ends, however the test ends.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_kubelb
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import requirements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Kubelb = Callable[..., subprocess.CompletedProcess[str]]

COMMAND = [sys.executable, "-c", "import sys; from pytest_kubelb.cli import main; sys.exit(main())"]
# The shell stays: it is the first process there, and reaps those that lose their parents.
SETTLE = "mount -t tmpfs -o mode=0755 tmpfs /run && echo settled && sleep infinity; exit"
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
    *("sh", "-c", SETTLE),
]
NO_LAB = "no lab is up; `kubelb lab up` starts one"


def call(words: Sequence[str], prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *COMMAND, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(Path(pytest_kubelb.__file__).parents[1])},
    )


@pytest.fixture(scope="module")
def alone() -> Iterator[list[str]]:
    """The command prefix that enters the namespaces of this module."""
    if os.geteuid() != 0:
        pytest.skip("namespaces are made by root")
    with subprocess.Popen(ALONE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "settled\n"
        inside = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        yield ["nsenter", "--target", inside, "--mount", "--pid", "--"]
        process.kill()


@pytest.fixture(scope="module")
def kubelb(alone: list[str]) -> Kubelb:
    """Run `kubelb` with these words where no lab is up, unless the test starts one."""
    return lambda *words: call(words, alone)


@pytest.fixture(scope="module")
def up(kubelb: Kubelb) -> Iterator[subprocess.CompletedProcess[str]]:
    """A lab by hand; gives what `kubelb lab up` said."""
    try:
        requirements.check(requirements.choose_kernel("auto"))
    except TestbedError as error:
        pytest.skip(f"this machine cannot run a lab: {error}")
    yield kubelb("lab", "up")
    kubelb("lab", "down")


def test_the_version_is_that_of_the_package() -> None:
    done = call(["--version"])
    assert (done.returncode, done.stdout) == (0, f"kubelb {pytest_kubelb.__version__}\n")


def test_the_installed_command_is_the_same() -> None:
    installed = shutil.which("kubelb", path=str(Path(sys.executable).parent))
    if installed is None:
        pytest.skip("the package is not installed for this Python")
    said = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == call(["--version"]).stdout


@pytest.mark.parametrize(
    ("words", "mentioned"),
    [
        (["--help"], ["lab", "the embedded testbed on this machine"]),
        (["lab", "--help"], ["install", "up", "status", "ssh", "down"]),
        (["lab", "up", "--help"], ["auto,host,uml"]),
        (["lab", "ssh", "--help"], ["k04 … k12"]),
    ],
)
def test_help_names_what_there_is(words: list[str], mentioned: list[str]) -> None:
    done = call(words)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(each in done.stdout for each in mentioned)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["lab"], "the following arguments are required: VERB"),
        (["lap"], "invalid choice: 'lap'"),
        (["lab", "lift"], "invalid choice: 'lift'"),
        (["lab", "up", "--kernel", "mach"], "invalid choice: 'mach'"),
        (["lab", "ssh"], "the following arguments are required: host"),
        (["lab", "down", "now"], "unrecognized arguments: now"),
    ],
)
def test_words_that_it_does_not_know_are_a_usage_error(words: list[str], said: str) -> None:
    done = call(words)
    assert (done.returncode, done.stdout) == (4, "")  # 2 is a verdict: inconclusive
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_lab_status_says_so_and_fails(kubelb: Kubelb) -> None:
    done = kubelb("lab", "status")
    assert (done.returncode, done.stdout, done.stderr) == (1, f"{NO_LAB}\n", "")


def test_without_a_lab_ssh_says_so_and_fails(kubelb: Kubelb) -> None:
    done = kubelb("lab", "ssh", "k12", "true")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"kubelb: {NO_LAB}\n")


def test_without_a_lab_down_has_nothing_to_do(kubelb: Kubelb) -> None:
    done = kubelb("lab", "down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "no lab is up\n", "")


def test_up_says_how_to_reach_the_lab(up: subprocess.CompletedProcess[str]) -> None:
    assert (up.returncode, up.stderr) == (0, "")
    first, *files = up.stdout.splitlines()
    assert re.fullmatch(r"the lab is up after \d+\.\d s; load balancer on kernel: (host|uml)", first)
    assert files.pop().startswith("  control plane  ")
    assert files == [
        "  inventory   /run/kubelb/default/inventory.toml",
        "  ssh         ssh -F /run/kubelb/default/ssh_config k12",
        "  kubeconfig  /run/kubelb/default/kubeconfig",
    ]


def test_status_says_the_same(kubelb: Kubelb, up: subprocess.CompletedProcess[str]) -> None:
    done = kubelb("lab", "status")
    assert (done.returncode, done.stderr) == (0, "")
    first, *files = done.stdout.splitlines()
    assert re.fullmatch(r"a lab is up \(process \d+\); load balancer on kernel: (host|uml)", first)
    assert files == up.stdout.splitlines()[1:]


@pytest.mark.usefixtures("up")
def test_up_while_it_is_up_is_refused(kubelb: Kubelb) -> None:
    done = kubelb("lab", "up")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "kubelb: the lab 'default' is up already; `kubelb lab status` shows it, `kubelb lab down` ends it\n"
    )


WORDS = ["two  blanks", "a 'quoted' \"word\"", "$HOME;`id`", "back\\slash", "", "*", "--", "new\nline"]


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("separator", [[], ["--"]])
@pytest.mark.parametrize("host", ["k12", "k11"])
def test_each_word_of_a_command_arrives_as_one_word(kubelb: Kubelb, separator: list[str], host: str) -> None:
    done = kubelb("lab", "ssh", host, *separator, "printf", "[%s]", *WORDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"[{word}]" for word in WORDS)


@pytest.mark.usefixtures("up")
def test_a_single_word_is_a_command_line_for_the_remote_shell(kubelb: Kubelb) -> None:
    done = kubelb("lab", "ssh", "k05", "hostname; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "k05\n", "")


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("code", [1, 42])
def test_the_exit_code_of_the_remote_command_is_passed_on(kubelb: Kubelb, code: int) -> None:
    assert kubelb("lab", "ssh", "k12", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.usefixtures("up")
def test_options_of_the_command_are_not_taken_for_those_of_ssh(kubelb: Kubelb) -> None:
    done = kubelb("lab", "ssh", "k12", "-V", "x")
    assert done.returncode in (2, 127)  # what the remote shell makes of `-V x`
    assert "OpenSSH" not in done.stderr


@pytest.mark.usefixtures("up")
def test_a_host_that_the_lab_does_not_have_is_refused_with_those_it_has(kubelb: Kubelb) -> None:
    done = kubelb("lab", "ssh", "k99", "true")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "kubelb: the lab has no host 'k99'; choose from k04, k05, k06, k07, k08, k09, k10, k11, k12\n"
    )


@pytest.mark.usefixtures("up")
def test_down_ends_the_lab_and_takes_its_folder_away(kubelb: Kubelb, alone: list[str]) -> None:
    done = kubelb("lab", "down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the lab is down\n", "")
    assert kubelb("lab", "status").returncode == 1
    folders = subprocess.run([*alone, "ls", "-A", "/run/kubelb"], capture_output=True, text=True, check=True)
    assert folders.stdout == ""
    # In this PID namespace there is nobody else's process. What ssh was reached through ends a moment after it.
    deadline = time.monotonic() + 5
    while (left := processes(alone)) != ["sh", "sleep"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == ["sh", "sleep"]


def processes(alone: list[str]) -> list[str]:
    listing = subprocess.run([*alone, "ps", "-e", "-o", "comm="], capture_output=True, text=True, check=True)
    return sorted(set(listing.stdout.split()) - {"ps"})
