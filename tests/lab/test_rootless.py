"""The lab of an ordinary user: really another uid, in a user namespace, from `kubelb lab up` to its end.

Run by root, who becomes that user; what a machine refuses such a user is in test_requirements.py.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import doors, rootless, topology
from tests.lab.traces import MARK, machine
from tests.lab.unprivileged import AS_NOBODY, NOBODY, open_folder, prepared, python

if TYPE_CHECKING:
    from collections.abc import Iterator

SOMEBODY_ELSE = 65533
AS_SOMEBODY_ELSE = (
    "setpriv",
    "--reuid",
    str(SOMEBODY_ELSE),
    "--regid",
    str(SOMEBODY_ELSE),
    "--clear-groups",
    "--",
)
KUBELB = "import sys; from pytest_kubelb.cli import main; sys.argv[0] = 'kubelb'; sys.exit(main())"
BENCH = """
import subprocess

def test_rps(wrk):
    wrk()
    ask = "for each in $(pgrep nginx); do grep -E '^(Uid|CapEff|NoNewPrivs):' /proc/$each/status; done"
    print(subprocess.run(["ssh", "-F", {ssh_config!r}, "k05", ask], capture_output=True, text=True).stdout)
"""


@dataclass(frozen=True)
class User:
    """An ordinary user with a folder of their own, which is where their labs are."""

    folder: Path

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run our Python as this user."""
        command, environment = prepared(AS_NOBODY, self.folder)
        return subprocess.run(
            [*command, *words],
            cwd=self.folder,
            env={**environment, MARK: str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def kubelb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `kubelb` as this user."""
        return self.python("-c", KUBELB, *words)

    def ssh(self, host: str, command: str) -> str:
        """Give what a shell command prints on a host of the lab that is up."""
        done = self.kubelb("lab", "ssh", host, command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def lab(self) -> Path:
        """The state folder of the lab by hand."""
        return self.folder / "kubelb" / "default"

    def processes(self) -> list[str]:
        """Give the command lines of all processes that carry this user's mark."""
        wanted = f"{MARK}={self.folder}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue  # it ended meanwhile, or is a kernel thread
        return found


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    """An ordinary user whose machine can run a lab."""
    with open_folder() as folder:
        user = User(folder)
        none = user.kubelb("lab", "status")
        if "none can be started" in none.stdout:
            pytest.skip(f"an ordinary user can have no lab here: {none.stdout.strip()}")
        assert none.stdout == "no lab is up; `kubelb lab up` starts one\n", none.stderr
        yield user


@pytest.fixture(scope="module")
def before() -> dict[str, object]:
    """The machine before the lab."""
    return machine()


@pytest.fixture(scope="module")
def up(user: User, before: dict[str, object]) -> Iterator[subprocess.CompletedProcess[str]]:
    """A lab that the user started by hand."""
    assert before
    done = user.kubelb("lab", "up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield done
    user.kubelb("lab", "down")


@pytest.mark.usefixtures("up")
def test_the_status_says_what_such_a_lab_cannot_do(user: User) -> None:
    done = user.kubelb("lab", "status")
    assert done.returncode == 0
    assert "load balancer on kernel: uml" in done.stdout
    said = done.stdout.partition("it is an ordinary user's lab, in a user namespace:\n")[2]
    assert [line.strip() for line in said.splitlines()] == list(rootless.LIMITS)


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("host", ["k05", "k11", "k12"])
def test_its_user_is_root_of_every_host(user: User, host: str) -> None:
    said = user.ssh(host, "hostname; id -un; [ -w /proc/sys/net/ipv4/ip_forward ] && echo may; ls -A ~")
    assert said.split() == [host, "root", "may"]


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("host", ["k11", "k12"])
def test_a_host_gives_a_terminal(user: User, host: str) -> None:
    # Two -t ask for one although this test has none.
    ssh = ["ssh", "-tt", "-F", str(user.lab / "ssh_config"), host, "tty"]
    done = subprocess.run(
        [*AS_NOBODY, *ssh], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout.strip()) == (0, "/dev/pts/0"), done.stderr


@pytest.mark.usefixtures("up")
def test_both_backends_are_measured_and_the_pods_may_do_nothing(user: User) -> None:
    (user.folder / "test_rps.py").write_text(BENCH.format(ssh_config=str(user.lab / "ssh_config")))
    (user.folder / "pytest.ini").write_text("[pytest]\n")
    options = ["--kubelb-runs=2", "--kubelb-pods=4", "--kubelb-tolerance=100%", "-s", "--color=no"]
    done = user.python("-m", "pytest", "-p", "no:cacheprovider", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    for backend in ("ipvs", "proxy"):
        assert f"{backend}-pods04  2/2 runs valid" in done.stdout
    # Each worker has a pod at most: nginx and its process for the connections, seen twice.
    assert done.stdout.count(f"CapEff:\t{0:016x}\n") == done.stdout.count("CapEff:") >= 4, done.stdout
    assert done.stdout.count("NoNewPrivs:\t1\n") == done.stdout.count("NoNewPrivs:")
    assert len(list(user.folder.glob(".kubelb/*/record.jsonl"))) == 1


@pytest.mark.usefixtures("up")
def test_only_its_user_can_open_its_files_and_sockets(user: User) -> None:
    for folder in (user.lab.parent, user.lab):
        status = folder.stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (NOBODY, 0o700)
    names = ("id_", "host_key", "kubeconfig")
    secret = [path for path in user.lab.iterdir() if path.name.startswith(names)]
    assert len(secret) == len(topology.NODES) + 2
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in secret)
    # The user's own folder keeps nobody out, as /run/user/UID would: it is the lab's that does.
    user.folder.chmod(0o755)
    for command in (
        ["cat", str(user.lab / "id_ed25519")],
        ["nc", "-U", str(doors.door(user.lab, "k12"))],
        ["ls", str(user.lab)],
    ):
        done = subprocess.run(
            [*AS_SOMEBODY_ELSE, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
        assert done.returncode != 0, command
        assert "Permission denied" in done.stderr, done.stderr


@pytest.mark.usefixtures("up")
def test_another_user_does_not_see_that_it_is_up(user: User) -> None:
    done = python(AS_SOMEBODY_ELSE, "-c", KUBELB, "lab", "ssh", "k12", "id", cwd=Path("/"))
    assert done.returncode != 0
    assert str(user.lab) not in done.stdout + done.stderr


@pytest.mark.usefixtures("up")
def test_the_machine_is_as_it_was_while_it_is_up(before: dict[str, object]) -> None:
    assert machine() == before


def test_killing_what_holds_it_leaves_nothing(
    user: User, before: dict[str, object], up: subprocess.CompletedProcess[str]
) -> None:
    assert up.returncode == 0
    assert any("linux.uml" in each for each in user.processes())
    os.kill(json.loads((user.lab / "lab.json").read_text())["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (left := user.processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    assert machine() == before
    assert user.kubelb("lab", "down").stdout == "no lab is up\n"
    assert not user.lab.exists()


def test_a_session_of_its_own_leaves_nothing(user: User, before: dict[str, object]) -> None:
    (user.folder / "test_rps.py").write_text("def test_rps(wrk):\n    wrk()\n")
    (user.folder / "pytest.ini").write_text("[pytest]\n")
    options = ["--kubelb-runs=2", "--kubelb-pods=1", "--kubelb-tolerance=100%", "-k", "ipvs"]
    done = user.python("-m", "pytest", "-p", "no:cacheprovider", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert user.processes() == []
    assert list(user.lab.parent.iterdir()) == []
    assert machine() == before


def test_the_machines_own_ipvs_is_refused_to_an_ordinary_user(user: User) -> None:
    done = user.kubelb("lab", "up", "--kernel", "host")
    assert done.returncode != 0
    assert done.stderr == (
        "kubelb: --kubelb-lab-kernel host: this machine's IPVS is for root of the machine alone;"
        " run the lab as root, or use --kubelb-lab-kernel uml\n"
    )


def test_a_folder_too_far_down_for_sockets_is_said(tmp_path: Path) -> None:
    doors.require_short(Path("/run/user/1000/kubelb/default"))
    deep = tmp_path / ("d" * doors.LONGEST_PATH_BYTES)
    with pytest.raises(
        TestbedError, match=r"too far down: its sockets would have .* bytes, and the kernel takes 107"
    ):
        doors.require_short(deep)
