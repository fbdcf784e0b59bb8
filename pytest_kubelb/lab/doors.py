"""How SSH clients get into a lab: a Unix socket for each host in its state folder.

Touches those sockets, the processes it starts, and the sshd that listens on the load balancer's own kernel. A client's
ProxyCommand connects to a socket; each connection gets a command of its own, which speaks SSH on its standard input and
output, or is passed on to an address. Who may open the state folder may connect, and nobody enters the lab's namespaces
from outside.
"""

import asyncio
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from pytest_kubelb.errors import TestbedError

BACKLOG = 64
_PIECE = 1 << 16
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


Address = tuple[str, int]


@contextmanager
def opened(folder: Path, answers: Mapping[str, Sequence[str] | Address]) -> Iterator[None]:
    """Let clients in meanwhile, in the running event loop; `answers` has a command or an address for each host."""
    loop = asyncio.get_running_loop()
    serving: set[asyncio.Task[None]] = set()

    def let_in(listening: socket.socket, answer: Sequence[str] | Address) -> None:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:  # it was given up before we came
            return
        task = loop.create_task(_serve(connection, answer))
        serving.add(task)  # the loop itself would let it be collected
        task.add_done_callback(serving.discard)

    with ExitStack() as doors:
        for host, answer in answers.items():
            listening = doors.enter_context(socket.socket(socket.AF_UNIX))
            listening.setblocking(False)
            listening.bind(str(door(folder, host)))
            listening.listen(BACKLOG)
            loop.add_reader(listening, let_in, listening, answer)
            doors.callback(loop.remove_reader, listening)
        yield


async def _serve(connection: socket.socket, answer: Sequence[str] | Address) -> None:
    with connection:
        try:
            match answer:
                case (str(host), int(port)):
                    await _pass_on(connection, host, port)
                case command:
                    await _run(connection, command)
        except OSError as error:
            print(f"an SSH connection had no answer: {error}", file=sys.stderr, flush=True)


async def _run(connection: socket.socket, command: Sequence[str]) -> None:
    connection.setblocking(True)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=connection.fileno(), stdout=connection.fileno()
    )
    connection.close()
    await process.wait()


async def _pass_on(connection: socket.socket, host: str, port: int) -> None:
    """Pass on what comes, both ways, until either side ends.

    asyncio sets TCP_NODELAY. Without it (nc is) each small message waits for the other side's acknowledgement of the
    one before, which that delays by 40 ms: half of what a command on the load balancer took.
    """
    there = await asyncio.open_connection(host, port)
    here = await asyncio.open_connection(sock=connection)
    with closing(here[1]), closing(there[1]):
        ways = [asyncio.ensure_future(_copy(*way)) for way in ((here[0], there[1]), (there[0], here[1]))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # it was cut, which the other side sees as the end
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
