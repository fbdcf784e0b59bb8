"""Where a lab keeps its files, and whether it is alive. Touches the labs' state folders.

A state folder belongs to one lab: keys, ssh_config, kubeconfig, inventory, logs; readable by its owner alone.
Its lock file is held by the lab's processes through an inherited descriptor, so the kernel releases it when the
last of them is gone, however they ended.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_kubelb.errors import TestbedError

LOCK = "lock"
SESSION_LOCK = "session.lock"
FACTS = "lab.json"


@dataclass(frozen=True)
class Facts:
    """What is known of a running lab."""

    pid: int
    """The process, as this machine sees it, that holds the lab's namespaces: killing it ends the lab."""
    init_pid: int
    """The first process inside the lab's PID namespace, as this machine sees it: the target for nsenter."""
    kernel: str
    """`host` or `uml`: what the load balancer runs on."""
    boot_s: float
    """Seconds from the start to ready."""


def labs_root() -> Path:
    """Give the folder that holds all state folders of this user, made with mode 0700 if it is not there."""
    if os.geteuid() == 0:
        root = Path("/run/kubelb")
    else:
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        root = Path(runtime) / "kubelb" if runtime else Path(tempfile.gettempdir()) / f"kubelb-{os.geteuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = root.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise TestbedError(
            f"{root} must belong to uid {os.geteuid()} with mode 0700, and does not: remove it and try again"
        )
    return root


def create(name: str) -> tuple[Path, int]:
    """Make the state folder `name` and give it with its held lock; raises TestbedError when that lab is up."""
    folder = labs_root() / name
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
    lock = _try_lock(folder / LOCK)
    if lock is None:
        return True
    os.close(lock)
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
    for folder in labs_root().iterdir():
        if folder.is_dir() and not is_alive(folder):
            _remove(folder)
            removed.append(folder.name)
    return removed


def write_facts(folder: Path, facts: Facts) -> None:
    """Write what is known of the lab; its presence says that the lab is ready."""
    partial = folder / (FACTS + ".partial")
    partial.write_text(json.dumps(asdict(facts)) + "\n")
    partial.rename(folder / FACTS)


def read_facts(folder: Path) -> Facts | None:
    """Give what is known of the lab in `folder`, or None when it is not (or no longer) up."""
    try:
        facts = Facts(**json.loads((folder / FACTS).read_text()))
    except FileNotFoundError:
        return None
    return facts if is_alive(folder) else None


def claim(folder: Path) -> int | None:
    """Take the lab for one session; give the descriptor that holds it, or None when another session has it."""
    return _try_lock(folder / SESSION_LOCK)


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
