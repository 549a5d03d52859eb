"""A vendor's HTTP server on loopback that fails when told to: what the simulated speech vendors are built on.

The one rule: it speaks real HTTP/1.1 over a real socket, so that a client under test meets what it would meet outside:
chunks, a slow first byte, a connection that goes away in the middle.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

_BODY_BYTES_MAX = 20_000_000


class Fault(StrEnum):
    """How the vendor misbehaves."""

    NONE = "none"
    UNAUTHORISED = "unauthorised"
    TOO_MANY = "too many"
    BROKEN = "broken"
    """500 before anything is sent."""
    BROKEN_MIDWAY = "broken midway"
    """An error inside the stream, where the vendor has a form for that; a lost connection otherwise."""
    CLOSES = "closes"
    """The connection goes away in the middle."""
    SLOW = "slow"
    """No byte of an answer, until the server stops."""
    GARBAGE = "garbage"
    """Success, and then something of another form."""
    EMPTY = "empty"
    """Success, and then nothing."""


STATUSES = {Fault.UNAUTHORISED: 401, Fault.TOO_MANY: 429, Fault.BROKEN: 500}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """What goes back. The pieces are sent as chunks, each at once; one that raises breaks the connection."""

    status: int
    content_type: str
    pieces: AsyncIterator[bytes]


class Lost(Exception):
    """Raised by pieces: the connection goes away here."""


@dataclass(slots=True)
class VendorServer:
    """Serves until it is closed. `answer` decides; `asked` keeps every request for a test to look at."""

    answer: Callable[[Asked], Answered]
    fault: Fault = Fault.NONE
    asked: list[Asked] = field(default_factory=list)
    cancelled: int = 0
    """Clients that went away before their answer was complete."""
    _server: asyncio.Server | None = None
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop; connections that are open are broken off."""
        self._stopped.set()
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.cancelled += 1
        except (Lost, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read(reader)
        if request is None:
            return False
        self.asked.append(request)
        if self.fault == Fault.SLOW:
            await self._stopped.wait()
            return False
        answered = self.answer(request)
        reason = HTTPStatus(answered.status).phrase
        writer.write(
            f"HTTP/1.1 {answered.status} {reason}\r\nContent-Type: {answered.content_type}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        async for piece in answered.pieces:
            if piece:
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """Parts of an answer, one after the other, with a breath between them so that they travel apart."""
    for part in parts:
        yield part
        await asyncio.sleep(0)


async def lost_after(first: bytes) -> AsyncIterator[bytes]:
    """The beginning of an answer, and then no connection any more."""
    yield first
    raise Lost


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    """One request; None when the client has closed the connection instead."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _version = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
            assert len(body) <= _BODY_BYTES_MAX, len(body)
        await reader.readline()
    else:
        body = await reader.readexactly(min(int(headers.get("content-length", "0")), _BODY_BYTES_MAX))
    parts = urlsplit(target)
    return Asked(method, parts.path, parse_qs(parts.query), headers, body)
