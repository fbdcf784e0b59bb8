"""`kubelb lab install` with programs hidden and an apt-get that is a script: no test installs packages.

What apt-get is told, and what it finds on the machine while it runs, is noted by the script.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import install, qemu_kernel, requirements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    AptGet = Callable[..., Path]

ALL = (*requirements.BASE, *requirements.UML)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH; what lies in the sbin folders is found all the same."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy-rc.d of this test: the machine's own is none of a test's business."""
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(install, "POLICY", path)
    return path


@pytest.fixture
def apt_get(bin_folder: Path, policy: Path, tmp_path: Path) -> AptGet:
    """Put an apt-get on PATH that ends with `script`; gives the file of what it is told and what the policy is then."""

    def write(script: str = "") -> Path:
        told = tmp_path / "told"
        lines = [
            "#!/bin/sh",
            f"PATH={bin_folder}:/usr/bin:/bin",
            f'echo "$DEBIAN_FRONTEND $*" >>{told}',
            f"[ ! -x {policy} ] || {policy}",
            f"echo $? >>{told}",
            script,
        ]
        (bin_folder / "apt-get").write_text("\n".join(lines) + "\n")
        (bin_folder / "apt-get").chmod(0o755)
        return told

    return write


def provide(folder: Path, programs: Iterable[str]) -> None:
    """Put these programs on PATH."""
    for program in programs:
        (folder / program).write_text("#!/bin/sh\n")
        (folder / program).chmod(0o755)


def but(*hidden: str) -> list[str]:
    """Give the programs of all requirements without these."""
    return [each.program for each in ALL if each.program not in hidden]


def root_only() -> None:
    if os.geteuid() != 0:
        pytest.skip("without root nothing gets as far as apt-get")


def test_with_everything_there_nothing_is_installed(bin_folder: Path, apt_get: AptGet) -> None:
    told = apt_get()
    provide(bin_folder, but())
    said: list[str] = []
    install.install(said.append)
    assert said == ["the lab has all the programs it needs: nothing to install"]
    assert not told.exists()


def test_what_is_missing_is_named_with_the_reason_before_anything_is_done(
    bin_folder: Path, policy: Path
) -> None:
    provide(bin_folder, but("wrk", "curl"))
    said: list[str] = []
    with pytest.raises(TestbedError):
        install.install(said.append)
    assert said == [
        "the lab needs these Debian packages:",
        "  wrk                makes the load on the benchmarker",
        "  curl               asks each pod through the load balancer before a point is measured",
    ]
    assert not policy.exists()


def test_without_apt_get_it_is_refused_in_one_sentence(bin_folder: Path) -> None:
    provide(bin_folder, but("wrk"))
    with pytest.raises(TestbedError) as caught:
        install.install(lambda _: None)
    assert str(caught.value) == (
        "this machine has no apt-get; install the programs named above by its own package manager"
    )


def test_without_root_it_is_refused_with_the_command_for_root(
    bin_folder: Path, apt_get: AptGet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not really another uid, as in test_requirements.py: PATH is in this test's folder, which others may not enter.
    told = apt_get()
    provide(bin_folder, but("wrk", "curl"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(TestbedError) as caught:
        install.install(lambda _: None)
    assert str(caught.value) == "installing needs root; run: sudo apt-get install wrk curl"
    assert not told.exists()


def test_the_missing_packages_are_installed_while_no_service_may_start(
    bin_folder: Path, apt_get: AptGet, policy: Path
) -> None:
    root_only()
    provide(bin_folder, but("wrk", "curl"))
    told = apt_get(
        f'case "$*" in *install*) for p in wrk curl; do cp {bin_folder}/ssh {bin_folder}/$p; done;; esac'
    )
    said: list[str] = []
    install.install(said.append)
    assert said[-1] == "installed 2 packages"
    options = "noninteractive --quiet --option DPkg::Lock::Timeout=300"
    assert told.read_text().splitlines() == [
        f"{options} update",
        "101",
        f"{options} install --yes --no-install-recommends wrk curl",
        "101",
    ]
    assert not policy.exists()


@pytest.mark.parametrize("fails", ["update", "install"])
def test_when_apt_get_fails_services_may_start_again_and_its_last_line_is_the_reason(
    bin_folder: Path, apt_get: AptGet, policy: Path, fails: str
) -> None:
    root_only()
    provide(bin_folder, but("wrk"))
    apt_get(f'case "$*" in *{fails}*) echo first >&2; echo "E: no such mirror" >&2; exit 100;; esac')
    with pytest.raises(TestbedError) as caught:
        install.install(lambda _: None)
    assert f" {fails}" in str(caught.value)
    assert str(caught.value).endswith("ended with exit code 100: E: no such mirror")
    assert "\n" not in str(caught.value)
    assert not policy.exists()


def test_a_program_that_is_not_there_after_the_installation_is_an_error(
    bin_folder: Path, apt_get: AptGet, policy: Path
) -> None:
    root_only()
    provide(bin_folder, but("wrk"))
    apt_get()
    with pytest.raises(TestbedError, match=r"^installed, and yet not found: wrk$"):
        install.install(lambda _: None)
    assert not policy.exists()


def test_a_policy_of_the_machines_own_stays_as_it_is(bin_folder: Path, apt_get: AptGet, policy: Path) -> None:
    root_only()
    provide(bin_folder, but("wrk"))
    policy.write_text("#!/bin/sh\nexit 104\n")
    policy.chmod(0o755)
    told = apt_get("exit 1")
    with pytest.raises(TestbedError):
        install.install(lambda _: None)
    assert told.read_text().splitlines()[1] == "104"
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"


def test_a_policy_left_by_an_installation_that_was_killed_is_removed_by_the_next(
    bin_folder: Path, apt_get: AptGet, policy: Path
) -> None:
    root_only()
    provide(bin_folder, but("wrk"))
    policy.write_text(install.FORBID)
    told = apt_get("exit 1")
    with pytest.raises(TestbedError):
        install.install(lambda _: None)
    assert told.read_text().splitlines()[1] == "101"
    assert not policy.exists()


def test_what_only_qemu_needs_is_brought_when_it_is_asked_for_and_not_before(
    bin_folder: Path, apt_get: AptGet, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root_only()
    monkeypatch.setattr(qemu_kernel, "FOLDER", tmp_path / "kernel")
    provide(bin_folder, but())
    programs = [each.program for each in requirements.missing(requirements.QEMU)]
    told = apt_get(
        f'case "$*" in *install*) for p in {" ".join(programs)}; do cp {bin_folder}/ssh {bin_folder}/$p; done;; esac'
    )
    said: list[str] = []
    install.install(said.append)
    assert said == ["the lab has all the programs it needs: nothing to install"]
    monkeypatch.setattr(install, "unpack_kernel", lambda folder: f"a kernel into {folder.name}")
    said.clear()
    install.install(said.append, "qemu")
    packages = [line.split()[0] for line in said if line.startswith("  ")]
    assert "qemu-system-x86" in packages
    assert f" install --yes --no-install-recommends {' '.join(packages)}\n" in told.read_text()
    assert said[-2:] == [f"installed {len(packages)} packages", "unpacked a kernel into kernel"]
    assert not policy.exists()


def test_every_requirement_says_what_it_is_for_and_where_it_comes_from() -> None:
    everything = (*ALL, *requirements.QEMU)
    assert all(each.program and each.package and each.why for each in everything)
    assert len({each.program for each in everything}) == len(everything)
