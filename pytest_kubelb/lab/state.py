"""Where a lab keeps its files, and whether it is alive. Touches the labs' state folders.

A state folder belongs to one lab: keys, ssh_config, kubeconfig, inventory, logs; readable by its owner alone.
Its lock file is held by the lab's processes through an inherited descriptor, so the kernel releases it when the
last of them is gone, however they ended.
"""

import fcntl
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_kubelb.errors import TestbedError

LOCK = "lock"
SESSION_LOCK = "session.lock"
FACTS = "lab.json"
KVM_FAILED = "kvm-failed"
INSIDE = Path("/run/kubelb-lab")
"""Where a lab's own processes, and the kernel of its load balancer, see its state folder."""


@dataclass(frozen=True)
class Facts:
    """What is known of a running lab."""

    pid: int
    """The process, as this machine sees it, that holds the lab's namespaces: killing it ends the lab."""
    init_pid: int
    """The first process inside the lab's PID namespace, as this machine sees it: the last one to end."""
    kernel: str
    """`host`, `uml` or `qemu`: what the load balancer runs on."""
    boot_s: float
    """Seconds from the start to ready."""
    accelerator: str | None = None
    """`kvm` or `tcg` under qemu: how its CPUs are made."""
    rootless: bool = False
    """Whether it is an ordinary user's, in a user namespace; `rootless` says what that means."""

    @property
    def kernel_told(self) -> str:
        """The kernel as people are told of it."""
        return f"{self.kernel} ({self.accelerator})" if self.accelerator else self.kernel


def labs_root() -> Path:
    """Give the folder that holds all state folders of this user, made with mode 0700 if it is not there."""
    if os.geteuid() == 0 and os.access("/run", os.W_OK):  # root of a user namespace may not write there
        root = Path("/run/kubelb")
    else:
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        root = Path(runtime) / "kubelb" if runtime else Path(tempfile.gettempdir()) / f"kubelb-{os.geteuid()}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not stat: a link could lead to a folder of this user's whose content is not ours to remove.
        status = root.lstat()
    except OSError as error:
        raise TestbedError(
            f"the labs' folder {root} cannot be made: {error.strerror}; make way for it, or set XDG_RUNTIME_DIR"
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise TestbedError(
            f"{root} must be a folder of uid {os.geteuid()} with mode 0700, and is not: remove it and try again"
        )
    return root


def create(name: str) -> tuple[Path, int]:
    """Make the state folder `name` and give it with its held lock; raises TestbedError when that lab is up."""
    folder = labs_root() / name
    with _undisturbed(folder.parent):
        if folder.is_symlink():  # what it leads to is none of ours to empty
            folder.unlink()
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = _try_lock(folder / LOCK)
    if lock is None:
        raise TestbedError(
            f"the lab {name!r} is up already; `kubelb lab status` shows it, `kubelb lab down` ends it"
        )
    for entry in folder.iterdir():  # what a lab of this name left when it was killed
        if entry.name != LOCK:
            _remove(entry)
    return folder, lock


def is_alive(folder: Path) -> bool:
    """Tell whether any process of the lab is left."""
    try:
        with _undisturbed(folder.parent):
            return _is_locked(folder / LOCK)
    except FileNotFoundError:  # not even the folder of all labs is there
        return False


def wait_gone(folder: Path, timeout_s: float) -> None:
    """Return when no process of the lab is left; raises TestbedError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while is_alive(folder):
        if time.monotonic() > deadline:
            raise TestbedError(
                f"the lab in {folder} still has processes {timeout_s:.0f} s after it was killed"
            )
        time.sleep(0.005)


def remove_dead() -> list[str]:
    """Remove the folders of labs that were killed together with who started them; give their names."""
    removed = []
    root = labs_root()
    with _undisturbed(root):
        for folder in root.iterdir():
            if folder.is_symlink() or (folder.is_dir() and not _is_locked(folder / LOCK)):
                _remove(folder)
                removed.append(folder.name)
    return removed


def write_facts(folder: Path, facts: Facts) -> None:
    """Write what is known of the lab; its presence says that the lab is ready."""
    partial = folder / (FACTS + ".partial")
    partial.write_text(json.dumps(asdict(facts)) + "\n")
    partial.rename(folder / FACTS)


def read_facts(folder: Path) -> Facts | None:
    """Give what is known of the lab in `folder`, or None when it is not (or no longer) up.

    Raises TestbedError when it is up and its facts cannot be read.
    """
    path = folder / FACTS
    if not is_alive(folder):
        return None
    try:
        return Facts(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise TestbedError(
            f"{path} cannot be read ({error}), but its lab is up; end the processes that hold {folder / LOCK}"
            " (`fuser --kill FILE` does) and start the lab again"
        ) from error


def kvm_failed() -> bool:
    """Tell whether a lab has found, since this machine was booted, that its /dev/kvm does not run our kernel."""
    return (labs_root() / KVM_FAILED).exists()


def note_kvm_failed() -> None:
    """Let later labs not try KVM again: finding out costs seconds each time."""
    (labs_root() / KVM_FAILED).touch()


def claim(folder: Path) -> int | None:
    """Take the lab for one session; give the descriptor that holds it, or None when another session has it."""
    return _try_lock(folder / SESSION_LOCK)


@contextmanager
def _undisturbed(root: Path) -> Iterator[None]:
    """Keep other processes from making, trying and removing labs meanwhile; each of these takes milliseconds.

    Without it, who tries whether a lab is alive holds its lock for a moment, and a folder just made, not locked
    yet, looks dead.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_locked(path: Path) -> bool:
    lock = _try_lock(path)
    if lock is None:
        return True
    os.close(lock)
    return False


def _try_lock(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # the folder went away under our feet: nobody can hold its lock
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
