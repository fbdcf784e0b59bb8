"""Which control plane a lab gets, by what KUBEBUILDER_ASSETS holds."""

from pathlib import Path

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.real_control_plane.components import (
    NEEDED,
    VARIABLE,
    describe,
    find_programs,
    write_running,
)


def program(folder: Path, name: str, says: str, mode: int = 0o755) -> None:
    """A program that says a version, as the real ones do, and is not started for more."""
    (folder / name).write_text(f"#!/bin/sh\ncat <<'EOF'\n{says}\nEOF\n")
    (folder / name).chmod(mode)


def test_without_the_variable_the_control_plane_is_emulated() -> None:
    assert find_programs({}) is None
    assert find_programs({VARIABLE: ""}) is None


def test_versions_are_as_the_programs_say_them(tmp_path: Path) -> None:
    program(tmp_path, "etcd", "etcd Version: 3.5.30\nGit SHA: 1234567\nGo Version: go1.26.4")
    program(tmp_path, "kube-apiserver", "Kubernetes v1.36.2")
    program(tmp_path, "kube-scheduler", "Kubernetes v1.37.0-alpha.1")
    found = find_programs({VARIABLE: str(tmp_path)})
    assert found is not None
    assert found.versions == {
        "etcd": "3.5.30",
        "kube-apiserver": "v1.36.2",
        "kube-scheduler": "v1.37.0-alpha.1",
    }
    assert found.path("etcd") == str(tmp_path / "etcd")


@pytest.mark.parametrize("missing", NEEDED)
def test_a_folder_without_one_of_the_two_is_no_control_plane_and_status_says_which(
    tmp_path: Path, missing: str
) -> None:
    for name in set(NEEDED) - {missing}:
        program(tmp_path, name, "Kubernetes v1.36.2")
    program(tmp_path, missing, "Kubernetes v1.36.2", mode=0o644)  # there, but not to be run
    environment = {VARIABLE: str(tmp_path)}
    assert find_programs(environment) is None
    assert describe(tmp_path, environment) == [f"emulated ({VARIABLE}={tmp_path} does not hold {missing})"]


def test_a_program_that_cannot_say_its_version_is_an_error_that_names_it(tmp_path: Path) -> None:
    program(tmp_path, "etcd", "etcd Version: 3.5.30")
    (tmp_path / "kube-apiserver").write_text("#!/bin/sh\nexit 126\n")
    (tmp_path / "kube-apiserver").chmod(0o755)
    with pytest.raises(TestbedError, match=f"{tmp_path}/kube-apiserver .* does not say its version"):
        find_programs({VARIABLE: str(tmp_path)})
    program(tmp_path, "kube-apiserver", "hello")
    with pytest.raises(TestbedError, match="names no version: 'hello'"):
        find_programs({VARIABLE: str(tmp_path)})


def test_status_lists_what_is_real_and_what_is_emulated(tmp_path: Path) -> None:
    write_running(tmp_path, {"etcd": "3.5.30", "kube-apiserver": "v1.36.2"})
    assert [line.split() for line in describe(tmp_path, {})] == [
        ["etcd", "3.5.30"],
        ["kube-apiserver", "v1.36.2"],
        ["kube-controller-manager", "emulated"],
        ["kube-scheduler", "emulated"],
        ["kube-proxy", "emulated"],
        ["kubelet", "emulated"],
    ]
