"""The lab's doors, with a server of our own behind them."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from pytest_kubelb.lab import doors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LIMIT_S = 10


def through(folder: Path, answer: doors.Address | list[str], talk: Callable[[Path], Awaitable[None]]) -> None:
    """Run `talk` with a door to `answer`."""

    async def main() -> None:
        with doors.opened(folder, {"k11": answer}):
            await asyncio.wait_for(talk(doors.door(folder, "k11")), LIMIT_S)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait_for(
                asyncio.gather(*others), LIMIT_S
            )  # what serves the connection sees its end

    asyncio.run(main())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back in capitals what comes; ends the connection after "bye"."""
    while data := await reader.read(1 << 16):
        writer.write(data.upper())
        if data.endswith(b"bye"):
            break
    writer.close()


def test_a_door_to_an_address_passes_on_both_ways_and_ends_when_the_server_does(tmp_path: Path) -> None:
    async def talk(path: Path) -> None:
        server = await asyncio.start_server(echo, sock=listening)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"hello" * 50_000)
        assert await reader.readexactly(250_000) == b"HELLO" * 50_000
        writer.write(b"bye")
        assert await reader.read() == b"BYE"
        writer.close()
        server.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        through(tmp_path, listening.getsockname()[:2], talk)


def test_the_end_of_a_client_is_the_end_of_its_connection_to_the_server(tmp_path: Path) -> None:
    async def talk(path: Path) -> None:
        ended = asyncio.Event()

        async def notice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            ended.set()

        server = await asyncio.start_server(notice, sock=listening)
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        await ended.wait()
        server.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        through(tmp_path, listening.getsockname()[:2], talk)


def test_a_server_that_refuses_is_an_end_without_an_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        nobody = listening.getsockname()[:2]

    async def talk(path: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b""
        writer.close()

    through(tmp_path, nobody, talk)


def test_a_command_answers_on_its_standard_input_and_output(tmp_path: Path) -> None:
    async def talk(path: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()

    through(tmp_path, ["cat"], talk)
