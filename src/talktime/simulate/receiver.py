"""A customer's server that takes our webhooks: verifies each as Standard Webhooks has it, and misbehaves when told to.

The one rule: it shares no code with what sends, so that a mistake made twice is not taken for right. As a program of
its own (`python -m talktime.simulate.receiver`) it prints where it is first, and then a line for each delivery.
"""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import signal
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

_BODY_BYTES_MAX = 100_000
_TOLERANCE_SECONDS = 300


class Manner(StrEnum):
    """How it answers."""

    FINE = "fine"
    DOWN = "down"
    """The connection is closed before anything is read."""
    SILENT = "silent"
    """Everything is read, and nothing answered."""
    DRIPPING = "dripping"
    """A status at once, and then a byte now and then, for ever."""
    ENDLESS = "endless"
    """A body without an end, as fast as it is read."""
    BREAKS_OFF = "breaks off"
    """The connection goes away in the middle of the answer."""
    GARBAGE = "garbage"
    """Something, but no HTTP."""
    HUGE_HEAD = "huge head"
    """Headers without an end."""
    BOMB = "bomb"
    """A small answer that says it is compressed, and would be great."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    is_genuine: bool
    """One of its signatures is one of the secret's, and it was made just now."""

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")


@dataclass(eq=False)
class Receiver:
    """Serves on loopback for as long as somebody is inside. What it does can be changed at any time."""

    secret: str = ""
    """Deliveries that it did not sign are answered 401; "" takes them all."""
    manner: Manner = Manner.FINE
    status: int = 204
    """Of an answer that is fine."""
    headers: Sequence[tuple[str, str]] = ()
    answer: bytes = b""
    seconds: float = 0.0
    """How long an answer takes."""
    certificates: ssl.SSLContext | None = None
    port: int = 0
    received: list[Received] = field(default_factory=list)
    at_once: int = 0
    at_once_max: int = 0
    """How many requests were ever being answered at the same time."""
    on_received: Callable[[Received], None] = lambda _: None
    _server: asyncio.Server | None = None
    _connections: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.certificates else 'http'}://127.0.0.1:{self.port}/hook"

    @property
    def genuine(self) -> list[Received]:
        return [each for each in self.received if each.is_genuine]

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.certificates)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def until(self, count: int, seconds_max: float = 10.0) -> list[Received]:
        """Wait for so many requests."""
        async with asyncio.timeout(seconds_max):
            while len(self.received) < count:
                await asyncio.sleep(0.01)
        return self.received

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            if self.manner is not Manner.DOWN:
                await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.at_once -= 1
            self._connections.discard(task)
            writer.transport.abort() if self.manner in _ABORTING else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = await self._read(reader)
        self.received.append(came)
        self.on_received(came)
        await asyncio.sleep(self.seconds)
        write = _MANNERS.get(self.manner)
        if write is not None:
            await write(writer)
            return
        status = 401 if self.secret and not came.is_genuine else self.status
        head = [f"HTTP/1.1 {status} Said", f"content-length: {len(self.answer)}", "connection: close"]
        head += [f"{name}: {value}" for name, value in self.headers]
        body = b"" if status in (204, 304) else self.answer
        if status in (204, 304):
            del head[1]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(min(int(headers.get("content-length", "0")), _BODY_BYTES_MAX))
        return Received(first.split(" ")[1], headers, body, is_genuine(self.secret, headers, body, time.time()))


def is_genuine(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Whether one of the signatures was made with this secret, in the last five minutes."""
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or "." in name or not at.isdigit() or abs(now - int(at)) > _TOLERANCE_SECONDS:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    expected = base64.b64encode(hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    said = headers.get("webhook-signature", "").split(" ")
    return bool(key) and any(hmac.compare_digest(each, f"v1,{expected}") for each in said)


async def _silent(writer: asyncio.StreamWriter) -> None:
    del writer
    await asyncio.Event().wait()


async def _dripping(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        await writer.drain()


async def _breaks_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
    await writer.drain()


async def _garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.org ESMTP\r\n\0\xff\r\n")
    await writer.drain()


async def _huge_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: " + b"x" * 8000 + b"\r\n")
        await writer.drain()


async def _bomb(writer: asyncio.StreamWriter) -> None:
    # The beginning of a gzip stream: whoever expands it fails, or asks for more.
    body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\xec\xc1\x01\x01" * 200
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


_MANNERS = {
    Manner.SILENT: _silent,
    Manner.DRIPPING: _dripping,
    Manner.ENDLESS: _endless,
    Manner.BREAKS_OFF: _breaks_off,
    Manner.GARBAGE: _garbage,
    Manner.HUGE_HEAD: _huge_head,
    Manner.BOMB: _bomb,
}
_ABORTING = (Manner.DOWN,)


async def _serve_until_stopped() -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)

    def tell(came: Received) -> None:
        sys.stdout.write(orjson.dumps({"id": came.id, "body": orjson.loads(came.body)}).decode() + "\n")
        sys.stdout.flush()

    receiver = Receiver(on_received=tell)
    async with receiver:
        sys.stdout.write(orjson.dumps({"url": receiver.url}).decode() + "\n")
        sys.stdout.flush()
        await over.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_until_stopped())
