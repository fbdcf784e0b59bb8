"""Starting a program of the control plane, and noticing when it ends. Touches processes and their logs.

They are children of the holder in its PID namespace: what ends the lab ends them.
"""

import contextlib
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab.api.remote.connection import Server

_POLL_S = 0.02


class Supervised:
    """One running program, with its output in a log of the lab's folder."""

    def __init__(self, name: str, command: Sequence[str], logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        threading.Thread(target=self._tell_end, name=f"watch {name}", daemon=True).start()

    def check(self) -> None:
        """Raise TestbedError, with its last words, when it has ended."""
        code = self._process.poll()
        if code is not None:
            words = self.log.read_text(errors="replace").strip().splitlines()
            raise TestbedError(
                f"{self.name} ended with exit code {code}; its last words were"
                f" {words[-1] if words else 'none'!r}; unset KUBEBUILDER_ASSETS for the emulated control plane"
            )

    def end(self) -> None:
        """End it."""
        self._process.terminate()

    def _tell_end(self) -> None:
        code = self._process.wait()
        print(f"{self.name} ended with exit code {code}; see {self.log.name}", file=sys.stderr, flush=True)


def wait_ready(server: Server, programs: Sequence[Supervised], timeout_s: float) -> None:
    """Return when the API server says that it is ready; raises TestbedError when a program ends or time is up."""
    deadline = time.monotonic() + timeout_s
    context = server.ssl_context()
    while True:
        for program in programs:
            program.check()
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=2.0, context=context)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {server.token}"})
            if connection.getresponse().status == 200:
                return
        if time.monotonic() > deadline:
            names = " and ".join(program.name for program in programs)
            raise TestbedError(
                f"{names} were not ready within {timeout_s:.0f} s; the logs in the lab's folder say why"
            )
        time.sleep(_POLL_S)
