"""The labs' state folders: locks that go with their holders, and what is removed when."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import state
from pytest_kubelb.lab.state import Facts
from tests.lab.unprivileged import AS_ROOT_OF_A_USER_NAMESPACE, python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FACTS = Facts(pid=1, init_pid=2, kernel="uml", boot_s=3.0)

# Takes the lock as a lab does, hands it on to a child as a lab does, and says when.
HOLD = """
import os, subprocess, sys
from pathlib import Path
from pytest_kubelb.lab import state
lock = state._try_lock(Path(sys.argv[1]) / state.LOCK)
assert lock is not None
with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock]) as child:
    print("held", flush=True)
    sys.stdin.read()
"""
# A lab that starts and ends, over and over, among others that do: its folder has to stay its own meanwhile.
CHURN = """
import os, sys
from pathlib import Path
from pytest_kubelb.lab import state
root = Path(sys.argv[1])
state.labs_root = lambda: root
for number in range(150):
    state.remove_dead()
    folder, lock = state.create(f"session-{os.getpid()}-{number}")
    (folder / "key").write_text("mine")
    state.remove_dead()
    assert (folder / "key").read_text() == "mine"
    os.close(lock)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all labs, put elsewhere: others run labs on this machine, and `remove_dead` is for all."""
    folder = tmp_path / "labs"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(state, "labs_root", lambda: folder)
    return folder


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process, and its child, that hold the lock of `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def make(root: Path, name: str) -> Path:
    """Make the folder of a lab that is dead, with something in it."""
    folder = root / name
    (folder / "uml").mkdir(parents=True)
    (folder / "uml" / "console.log").write_text("")
    return folder


def test_a_lab_is_alive_while_a_process_holds_its_lock(root: Path) -> None:
    folder = make(root, "default")
    assert not state.is_alive(folder)
    with holder(folder) as process:
        assert state.is_alive(folder)
        process.communicate("")
    assert not state.is_alive(folder)


def test_the_kernel_releases_the_lock_of_processes_that_were_killed(root: Path) -> None:
    folder = make(root, "default")
    with holder(folder) as process:
        process.send_signal(signal.SIGKILL)  # its child ends with its standard input
        state.wait_gone(folder, timeout_s=5)
        process.wait()
    assert not state.is_alive(folder)


@pytest.mark.usefixtures("root")
def test_a_child_that_outlives_the_holder_keeps_the_lab_alive() -> None:
    folder, lock = state.create("default")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock]) as child:
        os.close(lock)
        assert state.is_alive(folder)
        child.kill()
    assert not state.is_alive(folder)


@pytest.mark.usefixtures("root")
def test_waiting_for_a_lab_that_does_not_end_is_given_up() -> None:
    folder, lock = state.create("default")
    with pytest.raises(
        TestbedError, match=r"the lab in .*default still has processes 0 s after it was killed"
    ):
        state.wait_gone(folder, timeout_s=0.02)
    os.close(lock)


def test_a_lab_whose_folder_is_gone_is_not_alive(root: Path) -> None:
    assert not state.is_alive(root / "default")
    assert not state.is_alive(root / "never" / "there")


def test_remove_dead_removes_dead_folders_and_nothing_else(root: Path) -> None:
    dead, alive = make(root, "dead"), make(root, "alive")
    (root / "a-file").write_text("not a lab's")
    with holder(alive):
        assert state.remove_dead() == ["dead"]
        assert not dead.exists()
        assert (alive / "uml" / "console.log").exists()
    assert (root / "a-file").exists()


def test_what_a_dead_lab_links_to_is_not_removed(root: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("")
    make(root, "dead").joinpath("link").symlink_to(precious)
    state.remove_dead()
    assert (precious / "file").exists()


def test_create_while_the_lab_is_up_is_refused_and_harms_nothing(root: Path) -> None:
    folder = make(root, "default")
    with holder(folder):
        with pytest.raises(TestbedError, match="'default' is up already; `kubelb lab status` shows it"):
            state.create("default")
        assert (folder / "uml" / "console.log").exists()


def test_create_clears_what_a_killed_lab_of_that_name_left(root: Path) -> None:
    folder = make(root, "default")
    (folder / state.FACTS).write_text(json.dumps(asdict(FACTS)))
    created, lock = state.create("default")
    assert created == folder
    assert [entry.name for entry in folder.iterdir()] == [state.LOCK]
    os.close(lock)


def test_a_new_folder_and_its_lock_are_the_owners_alone(root: Path) -> None:
    folder, lock = state.create("default")
    assert folder.parent == root
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / state.LOCK).stat().st_mode & 0o777 == 0o600
    os.close(lock)


@pytest.mark.usefixtures("root")
def test_facts_are_read_back_while_the_lab_is_up_and_not_after() -> None:
    folder, lock = state.create("default")
    assert state.read_facts(folder) is None
    state.write_facts(folder, FACTS)
    assert state.read_facts(folder) == FACTS
    os.close(lock)
    assert state.read_facts(folder) is None


HALF_WRITTEN = ["", '{"pid": 1, "init', "{}", "[1]", '{"pid": 1, "other": 2}', "null", "\x00"]


@pytest.mark.parametrize("text", HALF_WRITTEN)
def test_half_written_facts_of_a_dead_lab_mean_that_it_is_not_up(root: Path, text: str) -> None:
    folder = make(root, "default")
    (folder / state.FACTS).write_text(text)
    assert state.read_facts(folder) is None


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("text", HALF_WRITTEN)
def test_half_written_facts_of_a_lab_that_is_up_are_one_sentence(text: str) -> None:
    folder, lock = state.create("default")
    (folder / state.FACTS).write_text(text)
    with pytest.raises(
        TestbedError, match=r"lab\.json cannot be read .*, but its lab is up; end the processes"
    ):
        state.read_facts(folder)
    os.close(lock)


@pytest.mark.usefixtures("root")
def test_one_session_at_a_time_has_a_lab() -> None:
    folder, lock = state.create("default")
    first = state.claim(folder)
    assert first is not None
    assert state.claim(folder) is None
    os.close(first)
    second = state.claim(folder)
    assert second is not None
    os.close(second)
    os.close(lock)


def test_labs_that_start_and_end_at_once_do_not_take_each_other_for_dead(root: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", CHURN, str(root)], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said


# labs_root() itself: where it looks is not for a test to change, so /run is covered in a mount namespace.
ROOT_BODY = """
import os
from pathlib import Path
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import state

str(TestbedError(""))  # what it imports is read while this is root: another user may not enter where Python lies
run = Path("/run/kubelb")

def refused():
    try:
        state.labs_root()
    except TestbedError as error:
        return str(error)
    raise AssertionError("not refused")
"""
COVERED = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "covered"]


def passes_with_an_empty_run(body: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("a mount namespace is made by root")
    script = ROOT_BODY + textwrap.dedent(body)
    done = subprocess.run(
        [*COVERED, sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_folder_of_all_labs_is_made_for_its_owner_alone() -> None:
    passes_with_an_empty_run("""
        os.umask(0)
        assert state.labs_root() == state.labs_root() == run
        assert run.stat().st_mode & 0o777 == 0o700
    """)


@pytest.mark.parametrize("mode", ["0o755", "0o770", "0o701"])
def test_a_folder_of_all_labs_that_others_can_look_into_is_refused(mode: str) -> None:
    passes_with_an_empty_run(f"""
        run.mkdir()
        run.chmod({mode})
        assert refused() == (
            "/run/kubelb must be a folder of uid 0 with mode 0700, and is not: remove it and try again"
        )
    """)


def test_a_folder_of_all_labs_that_belongs_to_somebody_else_is_refused() -> None:
    passes_with_an_empty_run("""
        run.mkdir(mode=0o700)
        os.chown(run, 65534, 65534)
        assert "must be a folder of uid 0" in refused()
    """)


def test_a_link_in_place_of_the_folder_of_all_labs_is_refused() -> None:
    passes_with_an_empty_run("""
        private = Path("/run/private")
        private.mkdir(mode=0o700)
        run.symlink_to(private)
        assert "must be a folder of uid 0" in refused()
    """)


def test_a_file_in_place_of_the_folder_of_all_labs_is_one_sentence() -> None:
    passes_with_an_empty_run("""
        run.write_text("")
        assert refused().startswith("the labs' folder /run/kubelb cannot be made: File exists; ")
    """)


def test_root_of_a_user_namespace_has_a_folder_of_its_own() -> None:
    script = "from pytest_kubelb.lab import state; print(state.labs_root())"
    done = python(AS_ROOT_OF_A_USER_NAMESPACE, "-c", script)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r".*/kubelb-test-[^/]*/kubelb\n", done.stdout)


def test_another_users_runtime_folder_is_one_sentence() -> None:
    # su and setpriv keep XDG_RUNTIME_DIR.
    passes_with_an_empty_run("""
        Path("/run/user-0").mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = "/run/user-0"
        os.setuid(65534)
        assert refused().startswith("the labs' folder /run/user-0/kubelb cannot be made: Permission denied; ")
    """)
