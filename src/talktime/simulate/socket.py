"""A WebSocket client whose `send` never waits, so that one clock can feed many sockets.

Built on the sans-I/O client of `websockets`. No compression and no pings, as phone companies have it. The one rule:
every way in which a connection can end leads to `closed`, exactly once.
"""

import asyncio
import socket as sockets
import ssl
from collections.abc import Callable, Mapping
from typing import cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

OPEN_SECONDS_MAX = 5.0
CLOSE_SECONDS_MAX = 2.0
MESSAGE_MAX = 1_000_000
UNSENT_MAX = 1_000_000
"""Bytes that the other side may leave unread before the connection is broken off."""


class Socket(asyncio.Protocol):
    """One connection; messages come to `on_text` as they are read."""

    def __init__(self, url: str, headers: Mapping[str, str], on_text: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[int | None] = loop.create_future()
        """Holds the code with which the other side closed; None when it just went away."""
        self._protocol = ClientProtocol(parse_uri(url), max_size=MESSAGE_MAX)
        self._headers = headers
        self._on_text = on_text
        self._fragments: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._closing: asyncio.TimerHandle | None = None

    @classmethod
    async def connect(
        cls, url: str, headers: Mapping[str, str], on_text: Callable[[bytes], None], *, narrow: bool = False
    ) -> "Socket":
        """Raises OSError, TimeoutError, or InvalidHandshake when the server refuses. `narrow` makes the network's
        buffers as small as those of a real path, so that a reader who stops is noticed in seconds, not minutes."""
        uri = parse_uri(url)
        secure = ssl.create_default_context() if uri.secure else None
        loop = asyncio.get_running_loop()
        socket = cls(url, headers, on_text)
        try:
            async with asyncio.timeout(OPEN_SECONDS_MAX):
                if narrow:
                    sock = await _narrow_connection(uri.host, uri.port)
                    await loop.create_connection(
                        lambda: socket, sock=sock, ssl=secure, server_hostname=uri.host if secure else None
                    )
                else:
                    await loop.create_connection(lambda: socket, uri.host, uri.port, ssl=secure)
                await socket.opened
        except BaseException:
            socket.abort()
            raise
        return socket

    @property
    def is_open(self) -> bool:
        return self._protocol.state is State.OPEN

    def send(self, message: str | bytes) -> None:
        """Send text, or bytes as a binary message; into a closed connection nothing is sent."""
        if not self.is_open:
            return
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()
        if self._transport is not None and self._transport.get_write_buffer_size() > UNSENT_MAX:
            self.abort()

    def stop_reading(self) -> None:
        """Leave what comes unread."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    async def close(self) -> None:
        """Close in good order; if the other side does not play along, break off. Can be called twice."""
        if self.is_open:
            self._protocol.send_close(1000)
            self._flush()
        if self._transport is not None and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()
        try:
            await asyncio.wait_for(asyncio.shield(self.closed), CLOSE_SECONDS_MAX)
        except TimeoutError:
            self.abort()
            await self.closed

    def abort(self) -> None:
        """Break the connection off without a word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        request = self._protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._handle_events()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._handle_events()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closing is not None:
            self._closing.cancel()
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
            self._handle_events()
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError("the server closed before the handshake was over"))
        if self.opened.cancelled() or self.opened.exception() is not None:
            self.closed.cancel()
        elif not self.closed.done():
            close = self._protocol.close_rcvd
            self.closed.set_result(close.code if close is not None else None)

    def _handle_events(self) -> None:
        events = self._protocol.events_received()
        self._flush()
        for event in events:
            if isinstance(event, Response):
                self._handle_response()
            elif isinstance(event, Frame):
                self._handle_frame(event)
        if self._protocol.handshake_exc is not None:
            self._handle_response()

    def _handle_response(self) -> None:
        if self.opened.done():
            return
        refusal = self._protocol.handshake_exc
        if refusal is None:
            self.opened.set_result(None)
            return
        known = isinstance(refusal, InvalidHandshake | OSError)
        self.opened.set_exception(refusal if known else ConnectionResetError(f"no web socket: {refusal}"))
        self.abort()

    def _handle_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message = self._fragments[0] if len(self._fragments) == 1 else b"".join(self._fragments)
                self._fragments.clear()
                self._on_text(message)

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
        if self._protocol.close_expected() and self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(CLOSE_SECONDS_MAX, self.abort)


async def _narrow_connection(host: str, port: int) -> sockets.socket:
    """A connection with the segment size of an ordinary network and the smallest receive buffer."""
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=sockets.SOCK_STREAM))[0]
    sock = sockets.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_MAXSEG, 1400)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
