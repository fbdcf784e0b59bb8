"""A socket of the machine's network namespace handed through to a port of the lab's. Touches the two.

kube-apiserver opens its port itself, inside the lab. The socket that clients connect to was opened before the
lab's network namespace was entered; between them bytes are carried, TLS and all.
"""

import asyncio
import contextlib
import socket
import threading

_CHUNK = 256 * 1024  # bytes


class Relay:
    """Carries connections in a thread of its own, since the holder's loop waits for the API at times."""

    def __init__(self, listening: socket.socket, port: int) -> None:
        self._listening = listening
        self._port = port
        self._carrying: set[asyncio.Task[None]] = set()
        threading.Thread(target=asyncio.run, args=(self._serve(),), name="relay", daemon=True).start()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._listening, limit=_CHUNK)
        await server.serve_forever()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Held here: between two pieces nothing but itself refers to such a task, and it would be collected.
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port, limit=_CHUNK)
        except OSError:  # the API server is not there: to the client it looks as if nobody listened
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        for each in (writer, far_writer):
            each.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_CHUNK):
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError):
        if not writer.is_closing():
            writer.write_eof()
