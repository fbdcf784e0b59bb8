"""What the lab needs of this machine, on machines that lack it: by really lacking it, as far as that can be had."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import qemu_kernel, requirements
from tests.lab.unprivileged import AS_NOBODY, AS_ROOT_OF_A_USER_NAMESPACE, open_folder, python, without

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

ALL = (*requirements.BASE, *requirements.UML)

CHECK = """
import sys
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import requirements
try:
    requirements.check("uml")
except TestbedError as error:
    print(error)
    sys.exit(1)
"""
# The folders that are searched whatever PATH says are covered by empty ones.
COVERED = (
    *("unshare", "--mount", "sh", "-c"),
    'for folder in /usr/local/sbin /usr/sbin /sbin; do mount -t tmpfs tmpfs $folder || exit; done; exec "$@"',
    "covered",
)
NOTHING_THERE = "import os, sys, tempfile\nos.environ['PATH'] = '/nonexistent'\n" + CHECK.replace(
    '"uml"', "sys.argv[1]"
)
EACH_HIDDEN = """
import os, sys, tempfile
from pathlib import Path
from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import requirements

everything = requirements.needed("uml")
with tempfile.TemporaryDirectory() as folder:
    os.environ["PATH"] = folder
    for each in everything:
        Path(folder, each.program).touch(mode=0o755)
    for hidden in everything:
        Path(folder, hidden.program).unlink()
        try:
            requirements.check("uml")
        except TestbedError as error:
            print(error)
        Path(folder, hidden.program).touch(mode=0o755)
"""
BENCH = "def test_rps(wrk):\n    wrk()\n"
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "--kubelb-pods=1,2", "-rs", "--color=no")

REFUSED = "the lab of an ordinary user (uid {}) needs a user namespace with its own network, and this machine refuses"
# No more network namespaces may be made: the limit is that of a user namespace of the test's own.
LIMITED = (
    *AS_ROOT_OF_A_USER_NAMESPACE,
    *("sh", "-c", 'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"', "limited"),
)


def refusal(who: Sequence[str]) -> str:
    """Give what the check says when it runs as `who`."""
    done = python(who, "-c", CHECK)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


def folder_without(folder: Path, *hidden: str) -> Path:
    """Fill `folder` with links to every program on PATH but these."""
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name not in hidden and not link.is_symlink():
                link.symlink_to(program)
    return folder


def test_another_uid_may_have_a_lab_where_the_kernel_allows_user_namespaces() -> None:
    done = python(AS_NOBODY, "-c", CHECK)
    if done.returncode:  # then it is not for a reason that root's lab would have as well
        assert done.stdout.startswith(REFUSED.format(65534)), done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("capability", ["sys_admin", "net_admin"])
def test_root_without_a_capability_is_told_which(capability: str) -> None:
    assert refusal(without(capability)) == (
        f"the lab makes network namespaces and needs CAP_{capability.upper()}, which this root does not have;"
        " in a container, start it with --privileged"
    )


def test_an_ordinary_users_lab_is_refused_with_what_the_kernel_says_and_the_setting_to_change() -> None:
    assert refusal(LIMITED) == (
        f"{REFUSED.format(0)} it (unshare: unshare failed: No space left on device); run `sysctl -w"
        " user.max_net_namespaces=10000` as root, run it as root, or name a real testbed with --kubelb-inventory FILE"
    )


def test_root_of_the_machine_is_not_taken_for_that_of_a_user_namespace() -> None:
    said = python((), "-c", CHECK).stdout
    assert "user namespace" not in said or Path("/proc/self/uid_map").read_text().split()[2] != "4294967295"


def test_a_kernel_that_allows_no_more_namespaces_is_said_to_root_as_well() -> None:
    # A limit of zero, in a user namespace of the test's own; that it is one is what is left out.
    script = "from pytest_kubelb.lab import rootless; rootless.wanted = lambda: False\n"
    done = python(LIMITED, "-c", script + CHECK)
    assert done.stdout.startswith(
        "the lab makes network namespaces, and this kernel refuses: No space left on device;"
    )


def test_every_missing_program_is_named_with_its_package() -> None:
    done = python(COVERED, "-c", EACH_HIDDEN, "uml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"the lab needs {each.program}, which this machine does not have;"
        f" run `kubelb lab install` (or apt-get install {each.package})"
        for each in ALL
    ]


def test_all_missing_programs_are_in_one_sentence() -> None:
    done = python(COVERED, "-c", NOTHING_THERE, "host")
    assert done.stdout.splitlines() == [
        f"the lab needs {', '.join(each.program for each in requirements.BASE)}, which this machine does not have;"
        f" run `kubelb lab install` (or apt-get install {' '.join(each.package for each in requirements.BASE)})"
    ]


def test_qemu_needs_a_tun_device() -> None:
    covered = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/net && exec "$@"', "covered")
    if not Path("/dev/net").is_dir() or requirements.missing(requirements.needed("qemu")):
        pytest.skip("this machine could not run such a lab anyhow")
    if qemu_kernel.unpacked(qemu_kernel.FOLDER) is None:
        pytest.skip("qemu has no kernel to boot here")
    said = python(covered, "-c", CHECK.replace('"uml"', '"qemu"')).stdout
    assert said.startswith(
        "the lab's load balancer runs under qemu and needs /dev/net/tun, which cannot be opened"
    )
    assert said.count("\n") == 1


def test_the_hosts_kernel_is_refused_when_it_has_no_ipvs() -> None:
    if requirements.host_has_ipvs():
        pytest.skip("this machine's kernel has IPVS")
    with pytest.raises(TestbedError) as caught:
        requirements.choose_kernel("host")
    assert str(caught.value) == (
        "--kubelb-lab-kernel host: this machine's kernel has no IPVS (/proc/net/ip_vs is absent);"
        " run `modprobe ip_vs` or use --kubelb-lab-kernel uml"
    )
    assert requirements.choose_kernel("auto") == requirements.choose_kernel("uml") == "uml"


def test_the_hosts_kernel_is_chosen_when_it_has_ipvs() -> None:
    if not requirements.host_has_ipvs():
        pytest.skip("this machine's kernel has no IPVS")
    assert requirements.choose_kernel("auto") == requirements.choose_kernel("host") == "host"


def test_a_host_without_ipvs_is_one_error_of_the_session_as_well() -> None:
    if requirements.host_has_ipvs():
        pytest.skip("this machine's kernel has IPVS")
    with bench() as rootdir:
        done = python((), *PYTEST, "--kubelb-lab-kernel=host", cwd=rootdir)
    assert_one_error(done, "--kubelb-lab-kernel host: this machine's kernel has no IPVS")


def test_a_session_of_an_ordinary_user_who_may_not_is_one_error_and_skips_the_other_points() -> None:
    with bench() as rootdir:
        done = python(LIMITED, *PYTEST, cwd=rootdir)
        assert not (rootdir / ".kubelb").exists()
    assert_one_error(done, REFUSED.format(0))


def test_a_session_without_wrk_is_one_error_and_skips_the_other_points(tmp_path: Path) -> None:
    path = folder_without(tmp_path, "wrk")
    with bench() as rootdir:
        done = python((), *PYTEST, cwd=rootdir, environment={"PATH": str(path)})
    assert_one_error(
        done,
        "the lab needs wrk, which this machine does not have; run `kubelb lab install` (or apt-get install wrk)",
    )


@contextmanager
def bench() -> Iterator[Path]:
    """Give a project with one bench, in a folder that everybody may enter."""
    with open_folder() as folder:
        (folder / "test_rps.py").write_text(BENCH)
        (folder / "pytest.ini").write_text("[pytest]\n")
        yield folder


def assert_one_error(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    """The session ended with one error that says `sentence`; the other three points were skipped for it."""
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert re.search(r"^=+ 3 skipped, 1 error in ", lines[-1]), done.stdout
    assert [line for line in lines if line.startswith(sentence)], done.stdout
    # Once as the error, once as the reason of the skips, and nowhere else.
    flat = " ".join(done.stdout.split())
    assert flat.count(sentence) == 2, done.stdout
    assert f"the testbed is broken: {sentence}" in flat
    assert "Traceback" not in done.stdout
    assert "Error" not in done.stdout.replace("TestbedError", "")
