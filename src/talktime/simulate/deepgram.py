"""A server that speaks Deepgram's live wire format on loopback: audio up, guesses and finals down.

The one rule: it hears by loudness only. Each stretch of sound is the next of the sentences it was given, so that a test
knows what will be understood while timing, messages and endings are those of the real one.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from talktime.simulate.vendor import STATUSES, Fault

_LOUD = 300
_BYTES_PER_MS = 16


@dataclass(slots=True)
class SimulatedDeepgram:
    """One server for any number of streams."""

    key: str = "dg-simulated"
    sentences: deque[str] = field(default_factory=lambda: deque(["what are your opening hours"]))
    fault: Fault = Fault.NONE
    told: list[str] = field(default_factory=list)
    """The control messages that came, by type."""
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    answers_finalize: bool = True
    """The real one does not answer when nothing is left to transcribe."""
    _server: Server | None = None
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        self._server = await serve(
            self._stream, "127.0.0.1", 0, process_request=self._admit, compression=None, ping_interval=None
        )

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    async def close(self) -> None:
        self._stopped.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        self.queries.append(parse_qs(urlsplit(request.path).query))
        if request.headers.get("Authorization") != f"Token {self.key}":
            return socket.respond(HTTPStatus.UNAUTHORIZED, '{"err_code": "INVALID_AUTH"}')
        if self.fault in STATUSES:
            return socket.respond(HTTPStatus(STATUSES[self.fault]), self.fault.value)
        if self.fault == Fault.SLOW:
            await self._stopped.wait()
        return None

    async def _stream(self, socket: ServerConnection) -> None:
        query = self.queries[-1]
        assert query["encoding"] == ["linear16"], query
        ears = _Ears(int(query["endpointing"][0]))
        try:
            async for message in socket:
                if isinstance(message, str):
                    if not await self._control(socket, ears, json.loads(message)["type"]):
                        return
                elif not await self._hear(socket, ears, message):
                    return
        except ConnectionClosed:
            pass  # the client is gone, as clients go

    async def _hear(self, socket: ServerConnection, ears: "_Ears", pcm: bytes) -> bool:
        began, ended = ears.hear(pcm)
        if not began:
            return True
        match self.fault:
            case Fault.CLOSES:
                socket.transport.abort()
                return False
            case Fault.BROKEN_MIDWAY:
                await socket.close(1011, "NET-0000")
                return False
            case Fault.GARBAGE:
                await socket.send('{"type": "Results", "channel": 7}')
                return True
            case Fault.EMPTY:
                return True
        sentence = self.sentences[0] if self.sentences else ""
        if ended:
            await self._finish(socket, ears, speech_final=True)
        elif ears.is_new:
            ears.is_new = False
            await socket.send(_results(sentence.split(" ")[0], is_final=False))
        return True

    async def _control(self, socket: ServerConnection, ears: "_Ears", kind: str) -> bool:
        self.told.append(kind)
        if kind == "CloseStream":
            await socket.send(json.dumps({"type": "Metadata", "request_id": "1", "duration": 0.0, "channels": 1}))
            return False
        if kind == "Finalize" and self.answers_finalize and self.fault != Fault.EMPTY:
            await self._finish(socket, ears, from_finalize=True)
        return True

    async def _finish(self, socket: ServerConnection, ears: "_Ears", **flags: bool) -> None:
        sentence = self.sentences.popleft() if self.sentences and ears.has_begun else ""
        ears.reset()
        await socket.send(_results(sentence, is_final=True, **flags))


class _Ears:
    """Finds where speech begins and ends in a stream."""

    def __init__(self, endpointing_ms: int) -> None:
        self._endpointing_ms = endpointing_ms
        self.reset()

    def reset(self) -> None:
        self.has_begun = False
        self.is_new = True
        self._quiet_ms = 0.0

    def hear(self, pcm: bytes) -> tuple[bool, bool]:
        """Whether speech has begun, and whether it has ended."""
        samples = np.frombuffer(pcm[: len(pcm) & ~1], "<i2").astype(np.float32)
        if samples.size and float(np.sqrt(np.mean(samples**2))) > _LOUD:
            self.has_begun, self._quiet_ms = True, 0.0
        else:
            self._quiet_ms += len(pcm) / _BYTES_PER_MS
        return self.has_begun, self.has_begun and self._quiet_ms >= self._endpointing_ms


def _results(transcript: str, *, is_final: bool, speech_final: bool = False, from_finalize: bool = False) -> str:
    words: list[dict[str, Any]] = [
        {"word": word, "start": 0.0, "end": 0.1, "confidence": 0.99} for word in transcript.split()
    ]
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": 1.0,
            "start": 0.0,
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [{"transcript": transcript, "confidence": 0.99, "words": words}]},
            "metadata": {"request_id": "1", "model_info": {"name": "simulated", "version": "1", "arch": "none"}},
        }
    )
