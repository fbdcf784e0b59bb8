"""How SSH clients get into a lab: a Unix socket for each host in its state folder.

Touches those sockets and the processes it starts. A client's ProxyCommand connects to a socket; each connection gets a
command of its own, which speaks SSH on its standard input and output. Who may open the state folder may connect, and
nobody enters the lab's namespaces from outside.
"""

import asyncio
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_kubelb.errors import TestbedError

BACKLOG = 64
LONGEST_PATH_BYTES = 107
"""Of a Unix socket: struct sockaddr_un has 108 bytes with the closing one, unix(7)."""


def door(folder: Path, host: str) -> Path:
    """Give where the socket of `host` lies."""
    return folder / f"ssh_{host}"


def require_short(folder: Path) -> None:
    """Raise TestbedError when the path of `folder` is so long that the sockets in it cannot be connected to."""
    length = len(bytes(door(folder, "k00")))
    if length > LONGEST_PATH_BYTES:
        raise TestbedError(
            f"the lab's folder {folder} is too far down: its sockets would have {length} bytes, and the kernel takes"
            f" {LONGEST_PATH_BYTES}; set XDG_RUNTIME_DIR (or TMPDIR) to a shorter folder"
        )


def open_doors(folder: Path, commands: Mapping[str, Sequence[str]]) -> None:
    """Let clients in from now on, in the running event loop; `commands` has what answers for each host."""
    loop = asyncio.get_running_loop()
    serving: set[asyncio.Task[None]] = set()

    def let_in(listening: socket.socket, command: Sequence[str]) -> None:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:  # it was given up before we came
            return
        task = loop.create_task(_serve(connection, command))
        serving.add(task)  # the loop itself would let it be collected
        task.add_done_callback(serving.discard)

    for host, command in commands.items():
        listening = socket.socket(socket.AF_UNIX)
        listening.setblocking(False)
        listening.bind(str(door(folder, host)))
        listening.listen(BACKLOG)
        loop.add_reader(listening, let_in, listening, command)


async def _serve(connection: socket.socket, command: Sequence[str]) -> None:
    with connection:
        connection.setblocking(True)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=connection.fileno(), stdout=connection.fileno()
            )
        except OSError as error:
            print(f"an SSH connection had no answer: {error}", file=sys.stderr, flush=True)
            return
    await process.wait()
