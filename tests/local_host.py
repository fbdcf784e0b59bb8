"""The machine that runs the tests as a benchmarker: the interface of `testbed.hosts.Host`, with subprocess, not SSH.

SSH has tests of its own, against a real sshd (tests/testbed). What is tested with this is what is asked of a host and
what is made of its answers: the shell, curl and wrk are real.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.testbed.hosts import Completed, Host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class LocalHost(Host):
    """A host whose commands run here; `environment` is added to theirs."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.name = "here"
        self._environment = {**os.environ, **(environment or {})}
        self.commands: list[list[str]] = []

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - the name Host.run gives it
        timeout_s: float = 20.0,
        check: bool = True,
        root: bool = False,
    ) -> Completed:
        assert not root, "nothing here needs root on the benchmarker"
        self.commands.append(list(argv))
        started = time.perf_counter()
        # As on a remote host: a shell in between, and a null device for who gives no input.
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {shlex.join(argv)}"],
            input=(input or "").encode(),
            capture_output=True,
            env=self._environment,
            timeout=timeout_s,
            check=False,
        )
        stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check and done.returncode != 0:
            raise TestbedError(
                f"host here: {argv[0]!r} ended with exit code {done.returncode} ({stderr.strip()})"
            )
        return Completed(
            "here", shlex.join(argv), stdout, stderr, done.returncode, time.perf_counter() - started
        )
