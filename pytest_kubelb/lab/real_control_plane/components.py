"""Which programs of Kubernetes there are, and what the lab runs of them. Touches the environment and one file.

`KUBEBUILDER_ASSETS` is the convention of envtest (sigs.k8s.io/controller-runtime): the folder with etcd and
kube-apiserver, and here also with kube-controller-manager, kube-scheduler and kube-proxy where they are there.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pytest_kubelb.errors import TestbedError

VARIABLE = "KUBEBUILDER_ASSETS"
ETCD, API_SERVER = "etcd", "kube-apiserver"
CONTROLLER_MANAGER, SCHEDULER, PROXY = "kube-controller-manager", "kube-scheduler", "kube-proxy"
NEEDED = (ETCD, API_SERVER)
COMPONENTS = (*NEEDED, CONTROLLER_MANAGER, SCHEDULER, PROXY, "kubelet")
"""As `kubelb lab status` lists them; a kubelet is never taken from there."""

FILE = "control-plane.json"
_VERSION_TIMEOUT_S = 10.0
_VERSION = re.compile(r"v?\d+\.\d+\.\d+\S*")


@dataclass(frozen=True)
class Programs:
    """The programs that the lab runs instead of emulating what they do; etcd and kube-apiserver are among them."""

    folder: Path
    versions: Mapping[str, str]
    """Component -> version, as it says itself."""

    def path(self, component: str) -> str:
        """Give the program of a component."""
        return str(self.folder / component)

    def __contains__(self, component: object) -> bool:
        return component in self.versions


def find_programs(environment: Mapping[str, str] = os.environ) -> Programs | None:
    """Give the programs that `KUBEBUILDER_ASSETS` holds, None when it does not hold a control plane.

    Raises TestbedError for a program that does not say its version: it would not do its work either.
    """
    folder = Path(environment.get(VARIABLE, ""))
    if not environment.get(VARIABLE) or not all(_is_program(folder / name) for name in NEEDED):
        return None
    there = [name for name in COMPONENTS[:-1] if _is_program(folder / name)]
    with ThreadPoolExecutor(len(there)) as pool:
        versions = dict(zip(there, pool.map(lambda name: _version(folder / name), there), strict=True))
    return Programs(folder.absolute(), versions)


def write_running(folder: Path, running: Mapping[str, str]) -> None:
    """Note in a lab's folder which components are real, with their versions."""
    (folder / FILE).write_text(json.dumps(running) + "\n")


def describe(folder: Path, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Say of the lab in `folder` what its control plane is, in lines for people."""
    try:
        running: dict[str, str] = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        return [f"emulated ({_why_emulated(environment)})"]
    return [f"{name:<24}{running.get(name, 'emulated')}" for name in COMPONENTS]


def _why_emulated(environment: Mapping[str, str]) -> str:
    folder = environment.get(VARIABLE)
    if not folder:
        return f"{VARIABLE} is not set"
    missing = [name for name in NEEDED if not _is_program(Path(folder, name))]
    if missing:
        return f"{VARIABLE}={folder} does not hold {' and '.join(missing)}"
    return f"started when {VARIABLE} was not {folder}; `kubelb lab down` and `up` change that"


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _version(program: Path) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TestbedError(
            f"{program} of {VARIABLE} does not say its version ({error}); put programs for this machine there,"
            f" or unset {VARIABLE} for the emulated control plane"
        ) from error
    found = _VERSION.search(done.stdout)
    if found is None:
        raise TestbedError(
            f"{program} of {VARIABLE} names no version: {done.stdout.strip()!r}; unset {VARIABLE} for the"
            " emulated control plane"
        )
    return found[0]
