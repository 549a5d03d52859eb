"""A small real server for the phone company to ring: it checks, notes everything, and talks in tones.

What it does with a call is a plan, `Plan`, that a test sets before it places the call.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import uvicorn
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # it has no types

from talktime.carriers.contract import (
    Answer,
    Audio,
    BadMessage,
    BadSignature,
    Digit,
    MediaEvent,
    Played,
    Report,
    Request,
    Started,
    Stopped,
    Talk,
)
from talktime.carriers.twilio import Twilio
from talktime.simulate.server import listen, serve_as
from talktime.simulate.sound import FRAME, is_loud, ulaw_of

Message = dict[str, Any]
TOKEN = "token-of-the-exchange"
ACCOUNT = "AC" + "e" * 32


def tone(seconds: float) -> bytes:
    """PCM of something loud."""
    samples = np.arange(int(seconds * 8000))
    pcm: bytes = (8000 * np.sin(samples * 0.35)).astype("<i2").tobytes()
    return pcm


@dataclass
class Plan:
    """What the server does with a call."""

    answer: Answer | None = None
    """None: talk, on a stream to this server."""
    ring_status: int = 200
    ring_seconds: float = 0.0
    ring_body: bytes | None = None
    report_statuses: list[int] = field(default_factory=list)
    """Answers to the first reports; later ones get 204."""
    greeting_seconds: float = 0.0
    reply_seconds: float = 0.0
    """A tone so long, as soon as the caller has been quiet for three frames; 0 for none."""
    echo: bool = False
    closes_after_seconds: float | None = None
    refuses_socket: bool = False
    one_socket: bool = False
    """Close every further socket of a call."""
    flood: bool = False
    """Send as fast as the socket takes it."""


@dataclass
class Seen:
    """One media socket, as the server saw it."""

    started: Started | None = None
    events: list[MediaEvent] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    frame_times: list[float] = field(default_factory=list)
    played: list[tuple[float, str]] = field(default_factory=list)
    greeted: float = 0.0
    stopped: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Exchange:
    """The server. `url` is where it is; what it saw is in the lists."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.port = 0
        self.carrier = Twilio(ACCOUNT, TOKEN)
        self.rings: list[dict[str, str]] = []
        self.reports: list[Report] = []
        self.report_tokens: list[str] = []
        self.refused: list[str] = []
        self.sockets: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self, plan: Plan) -> None:
        self.plan = plan
        for seen in (self.rings, self.reports, self.report_tokens, self.refused, self.sockets):
            seen.clear()

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        if scope["type"] == "websocket":
            await self._media(scope, receive, send)
        elif scope["type"] == "http":
            status, kind, body = await self._http(scope, receive)
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
            await send({"type": "http.response.body", "body": body})

    async def _http(self, scope: Any, receive: Callable[[], Awaitable[Message]]) -> tuple[int, str, bytes]:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = Request(scope["method"], self.url + scope["path"], headers, body)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        try:
            self.carrier.verify(request)
        except BadSignature as error:
            self.refused.append(str(error))
            return 403, "text/plain", b""
        assert RequestValidator(TOKEN).validate(request.url, form, headers["x-twilio-signature"])
        if scope["path"] == "/report":
            return self._report(request)
        self.rings.append(form)
        self.carrier.read_ring(request)
        await asyncio.sleep(self.plan.ring_seconds)
        if scope["path"] == "/fallback" or self.plan.ring_status == 200:
            reply = self.carrier.reply(self.plan.answer or self.talk())
            return 200, reply.content_type, self.plan.ring_body or reply.body
        return self.plan.ring_status, "text/xml", b""

    def talk(self) -> Talk:
        return Talk(f"ws://127.0.0.1:{self.port}/media", {"token": "one-shot"})

    def _report(self, request: Request) -> tuple[int, str, bytes]:
        self.report_tokens.append(request.headers["i-twilio-idempotency-token"])
        self.reports.append(self.carrier.read_report(request))
        status = self.plan.report_statuses.pop(0) if self.plan.report_statuses else 204
        return status, "text/plain", b""

    async def _media(self, scope: Any, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        try:
            self.carrier.verify(Request("GET", f"ws://127.0.0.1:{self.port}/media", headers, b""))
        except BadSignature as error:
            self.refused.append(str(error))
            await send({"type": "websocket.close"})
            return
        if self.plan.refuses_socket:
            await send({"type": "websocket.close"})
            return
        seen = Seen()
        self.sockets.append(seen)
        await send({"type": "websocket.accept"})
        agent = _Agent(self, seen, send)
        closing = asyncio.create_task(agent.close_later()) if self.plan.closes_after_seconds is not None else None
        flooding = asyncio.create_task(agent.flood()) if self.plan.flood else None
        try:
            while (message := await receive())["type"] == "websocket.receive":
                await agent.take(message.get("text") or message.get("bytes") or "")
        finally:
            for task in (closing, flooding):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            seen.over.set()


class _Agent:
    """Talks in tones on one socket."""

    def __init__(self, exchange: Exchange, seen: Seen, send: Any) -> None:
        self._exchange = exchange
        self._seen = seen
        self._send = send
        self._media = exchange.carrier.media()
        self._voiced = 0
        self._quiet = 0
        self._playing_until = 0.0

    async def take(self, message: str | bytes) -> None:
        plan, seen = self._exchange.plan, self._seen
        try:
            event = self._media.read(message)
        except BadMessage as error:
            seen.bad.append(str(error))
            return
        if event is None:
            return
        seen.events.append(event)
        match event:
            case Started():
                seen.started = event
                seen.open.set()
                if plan.one_socket and len(self._exchange.sockets) > 1:
                    await self._send({"type": "websocket.close", "code": 1008})
                if plan.greeting_seconds:
                    await self.play(plan.greeting_seconds, "greeting")
                    seen.greeted = time.monotonic()
            case Audio():
                seen.frame_times.append(time.monotonic())
                if plan.echo:
                    await self.send(self._media.audio(event.ulaw))
                await self._listen(event.ulaw)
            case Played():
                seen.played.append((time.monotonic(), event.name))
            case Stopped():
                seen.stopped = True
            case Digit():
                pass

    async def _listen(self, ulaw: bytes) -> None:
        """Stop for a caller who speaks for 200 ms; reply to one who has been quiet for three frames."""
        if is_loud(ulaw):
            self._voiced, self._quiet = self._voiced + 1, 0
            if self._voiced == 10 and time.monotonic() < self._playing_until:
                await self.send(self._media.clear())
                self._playing_until = 0.0
            return
        self._quiet += 1
        if self._voiced and self._quiet == 3:
            self._voiced = 0
            if self._exchange.plan.reply_seconds:
                await self.play(self._exchange.plan.reply_seconds, "reply")

    async def play(self, seconds: float, mark: str) -> None:
        ulaw = ulaw_of(tone(seconds))
        for start in range(0, len(ulaw), 10 * FRAME):
            await self.send(self._media.audio(ulaw[start : start + 10 * FRAME]))
        await self.send(self._media.mark(mark))
        self._playing_until = time.monotonic() + seconds

    async def flood(self) -> None:
        await self._seen.open.wait()
        while True:
            await self.send(self._media.audio(bytes(8000)))

    async def close_later(self) -> None:
        await asyncio.sleep(self._exchange.plan.closes_after_seconds or 0)
        await self._send({"type": "websocket.close", "code": 1000})

    async def send(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})


@contextlib.asynccontextmanager
async def serve(exchange: Exchange, port: int = 0) -> AsyncGenerator[Exchange, None]:
    """Run the server; a port that is given can be taken again by the next one."""
    listener = listen(port)
    exchange.port = listener.getsockname()[1]
    config = uvicorn.Config(
        exchange,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    async with serve_as(config, listener):
        yield exchange


async def _main() -> None:
    """As a program of its own, to be killed: the first line says where it is."""
    exchange = Exchange()
    exchange.plan = Plan(greeting_seconds=60)
    async with serve(exchange):
        sys.stdout.write(f"{exchange.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
