"""Lines and servers on which everything goes wrong that can: real sockets, on this machine.

`Wire` leads to a server and cuts the line after the deed; `Scripted` is a server that does what it is told.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

Deed = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(eq=False)
class Wire:
    """A line to a port; the next `cuts` answers on it are lost, when the server has given them."""

    target: int
    cuts: int = 0
    lost: list[bytes] = field(default_factory=list)
    """The answers that nobody got."""
    half: bool = False
    """Some of an answer comes through before the line is cut."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._open: set[asyncio.StreamWriter] = set()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        for each in self._open:
            each.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, to_there}
        forth = asyncio.create_task(_pump(reader, to_there))
        try:
            while answer := await there.read(65536):
                if self.cuts > 0:
                    self.cuts -= 1
                    self.lost.append(answer)
                    if self.half:
                        writer.write(answer[: len(answer) - 20])
                    break
                writer.write(answer)
                await writer.drain()
        except OSError:
            pass
        finally:
            forth.cancel()
            for each in (writer, to_there):
                each.close()
                self._open.discard(each)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()


@dataclass(frozen=True)
class Got:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False)
class Scripted:
    """A server that answers with what it is told, one after the other, and with the last of it from then on."""

    answers: list[Deed]
    got: list[Got] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.got.append(Got(method, path, headers, body))
                await self.answers[min(len(self.got), len(self.answers)) - 1](writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)


def says(status: int, body: bytes = b"{}", kind: str = "application/json", **headers: str) -> Deed:
    """An answer as it should be."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Said", f"content-type: {kind}", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def problem(status: int, kind: str, **headers: str) -> Deed:
    """A problem document."""
    said = f'{{"type":"/problems/{kind}","title":"No","status":{status},"detail":"Do it otherwise.","request_id":"r1"}}'
    return says(status, said.encode(), "application/problem+json", **headers)


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """The connection goes away, and there is no answer."""
    writer.close()


async def breaks_off(writer: asyncio.StreamWriter) -> None:
    """Half of an answer."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"data": [')
    writer.close()


async def is_silent(_writer: asyncio.StreamWriter) -> None:
    """Nothing comes."""
    await asyncio.sleep(60)


async def drips(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)
