"""Named network namespaces, in a mount and network namespace of the test's own.

Each test body is a script in a process of its own: it is a thread of the process that enters a namespace, and the
names lie under /run, which is covered there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces are made by root")

PREAMBLE = """
import os, subprocess, threading
from pathlib import Path
from pytest_kubelb.lab import namespaces

def here():
    return os.readlink("/proc/thread-self/ns/net")

home = here()
"""
COVER_RUN = ["sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "private"]


def passes(body: str, *options: str) -> None:
    """Run the body under unshare(1) with `options`; it has to end without an exception."""
    script = PREAMBLE + textwrap.dedent(body)
    done = subprocess.run(
        ["unshare", *options, "--mount", "--net", *COVER_RUN, sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_namespace_is_made_under_its_name_and_the_thread_is_back_where_it_was() -> None:
    passes("""
        path = namespaces.create("k05")
        assert path == Path("/run/netns/k05") and path.exists()
        assert here() == home
    """)


def test_inside_the_block_is_in_the_namespace_and_so_are_the_processes_it_starts() -> None:
    passes("""
        namespaces.create("k05")
        with namespaces.inside("k05"):
            assert here() != home
            assert here() == subprocess.check_output(["readlink", "/proc/self/ns/net"], text=True).strip()
            subprocess.run(["ip", "link", "add", "only-there", "type", "bridge"], check=True)
        assert here() == home
        assert "only-there" not in subprocess.check_output(["ip", "link"], text=True)
        assert "only-there" in subprocess.check_output(["ip", "-n", "k05", "link"], text=True)
    """)


def test_the_thread_is_back_after_an_exception_as_well() -> None:
    passes("""
        namespaces.create("k05")
        try:
            with namespaces.inside("k05"):
                raise LookupError
        except LookupError:
            pass
        assert here() == home
    """)


def test_a_thread_inside_takes_no_other_thread_along() -> None:
    passes("""
        namespaces.create("k05")
        entered, leave, seen = threading.Event(), threading.Event(), []

        def enter():
            with namespaces.inside("k05"):
                seen.append(here())
                entered.set()
                leave.wait()
            seen.append(here())

        thread = threading.Thread(target=enter)
        thread.start()
        entered.wait()
        assert here() == home != seen[0]
        leave.set()
        thread.join()
        assert seen[1] == home
    """)


def test_one_inside_another_comes_back_step_by_step() -> None:
    passes("""
        namespaces.create("k05")
        namespaces.create("k06")
        with namespaces.inside("k05"):
            k05 = here()
            with namespaces.inside("k06"):
                assert here() not in (home, k05)
            assert here() == k05
        assert here() == home
    """)


def test_a_name_that_is_taken_is_refused_and_keeps_its_namespace() -> None:
    passes("""
        namespaces.create("k05")
        with namespaces.inside("k05"):
            first = here()
        try:
            namespaces.create("k05")
        except FileExistsError:
            pass
        else:
            raise AssertionError("made twice")
        with namespaces.inside("k05"):
            assert here() == first
        assert here() == home
    """)


def test_a_name_that_is_not_there_cannot_be_entered() -> None:
    passes("""
        try:
            with namespaces.inside("k99"):
                raise AssertionError("entered")
        except FileNotFoundError:
            pass
        assert here() == home
    """)


def test_a_deleted_name_can_be_given_to_another_namespace() -> None:
    passes("""
        path = namespaces.create("k05")
        namespaces.delete("k05")
        assert not path.exists()
        assert "/run/netns/k05" not in Path("/proc/self/mountinfo").read_text()
        namespaces.create("k05")
        with namespaces.inside("k05"):
            assert here() != home
    """)


def test_a_namespace_that_cannot_be_made_leaves_its_name_free() -> None:
    # In a user namespace, which has a limit of its own.
    body = """
        Path("/proc/sys/user/max_net_namespaces").write_text("0")
        try:
            namespaces.create("k05")
        except OSError as error:
            assert "unshare: No space left on device" in str(error), error
        else:
            raise AssertionError("made")
        assert here() == home
        assert not Path("/run/netns/k05").exists()
    """
    passes(body, "--user", "--map-root-user")


def test_mount_says_what_could_not_be_mounted_where() -> None:
    passes("""
        try:
            namespaces.mount("nothing", Path("/run"), "no-such-file-system")
        except OSError as error:
            assert "mount nothing on /run: No such device" in str(error)
        else:
            raise AssertionError("mounted")
    """)
