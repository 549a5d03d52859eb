"""Deepgram: ears. Audio streams up a WebSocket, guesses and finals come back, and the vendor says when a turn is over.

Source of the wire format: https://developers.deepgram.com/reference/speech-to-text/listen-streaming

The one rule: `hear` never waits. Frames are gathered, and one task of the call sends them; what goes wrong there is
kept and raised by the next `flush`, so that the conversation learns of it and opens other ears.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from talktime.errors import ProviderError
from talktime.speech.contract import BYTES_PER_MS, SAMPLE_RATE, Brief, Heard
from talktime.speech.usage import Paid
from talktime.speech.vendor import failed, refused

_VENDOR = "Deepgram"
_OPEN_SECONDS_MAX = 4.0
_CLOSE_SECONDS_MAX = 1.0
_KEEP_ALIVE_SECONDS = 4.0  # it hangs up after ten without audio
_UNSENT_BYTES_MAX = 10_000 * BYTES_PER_MS


class DeepgramTranscriber(Paid):
    """Opens one socket per call."""

    name = _VENDOR

    def __init__(
        self, key: str, url: str, *, model: str = "nova-3", endpointing_ms: int = 300, finalize_seconds_max: float = 1.0
    ) -> None:
        """`finalize_seconds_max` is how long a flush waits for the last words."""
        super().__init__()
        self._key = key
        self._url = url.rstrip("/")
        self._model = model
        self._endpointing_ms = endpointing_ms
        self._finalize_seconds_max = finalize_seconds_max

    async def prepare(self, brief: Brief) -> None:
        """Nothing needs preparing."""

    async def open(self, brief: Brief, on_heard: Callable[[Heard], None]) -> "DeepgramHearing":
        options = {
            "model": self._model,
            "language": brief.language,
            "encoding": "linear16",
            "sample_rate": SAMPLE_RATE,
            "channels": 1,
            "interim_results": "true",
            "punctuate": "true",
            "endpointing": self._endpointing_ms,
            "utterance_end_ms": 1000,
        }
        try:
            socket = await connect(
                f"{self._url}/v1/listen?{urlencode(options)}",
                additional_headers={"Authorization": f"Token {self._key}"},
                open_timeout=_OPEN_SECONDS_MAX,
                close_timeout=_CLOSE_SECONDS_MAX,
                ping_interval=None,  # KeepAlive does it, and a late pong must not end a call
                compression=None,
                max_size=1_000_000,
            )
        except InvalidStatus as error:
            raise refused(_VENDOR, error.response.status_code) from error
        except TimeoutError as error:
            raise failed(_VENDOR, "took too long to open") from error
        except (OSError, InvalidHandshake, EOFError) as error:
            raise failed(_VENDOR, f"the connection failed ({type(error).__name__})") from error
        return DeepgramHearing(socket, on_heard, self._finalize_seconds_max, self._count)

    def _count(self, pcm_bytes: int) -> None:
        self._usage.audio(f"deepgram/{self._model}", pcm_bytes)


class DeepgramHearing:
    """The ears of one call."""

    wants_silence = True

    def __init__(
        self,
        socket: ClientConnection,
        on_heard: Callable[[Heard], None],
        finalize_seconds_max: float,
        count: Callable[[int], None],
    ) -> None:
        """`count` is told how many bytes of audio went out."""
        self._socket = socket
        self._on_heard = on_heard
        self._finalize_seconds_max = finalize_seconds_max
        self._count = count
        self._unsent = bytearray()
        self._has_unsent = asyncio.Event()
        self._finals: list[str] = []
        self._is_over = False
        """The vendor has said that the turn is over, and heard nothing since: there are no last words to ask for."""
        self._finalized: asyncio.Future[None] | None = None
        self._failure: ProviderError | None = None
        self._is_closed = False
        self._tasks = (asyncio.create_task(self._send()), asyncio.create_task(self._receive()))

    def hear(self, pcm: bytes) -> None:
        if self._is_closed or self._failure is not None:
            return
        self._unsent += pcm
        self._has_unsent.set()
        if len(self._unsent) > _UNSENT_BYTES_MAX:
            self._fail(failed(_VENDOR, "does not take the audio"))

    async def flush(self) -> str:
        if self._is_closed:
            return ""
        if self._failure is None and not self._is_over:
            await self._finalize()
        if self._failure is not None:
            raise self._failure
        text = " ".join(self._finals)
        self._finals.clear()
        self._is_over = False
        return text

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS_MAX):
                await self._socket.send('{"type": "CloseStream"}')
                await self._socket.close()
        except (ConnectionClosed, TimeoutError):
            self._socket.transport.abort()

    async def _finalize(self) -> None:
        """Ask for the last words. The vendor does not promise an answer, so silence means that there were none."""
        self._finalized = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._finalize_seconds_max):
                await self._send_audio()
                await self._socket.send('{"type": "Finalize"}')
                await self._finalized
        except TimeoutError:
            pass
        except ConnectionClosed as error:
            self._fail(_closed(error))
        finally:
            self._finalized = None

    async def _send(self) -> None:
        """Send what was heard, and a sign of life when nothing was."""
        try:
            while True:
                try:
                    async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                        await self._has_unsent.wait()
                except TimeoutError:
                    await self._socket.send('{"type": "KeepAlive"}')
                else:
                    await self._send_audio()
        except ConnectionClosed as error:
            self._fail(_closed(error))

    async def _send_audio(self) -> None:
        audio, self._unsent = bytes(self._unsent), bytearray()
        self._has_unsent.clear()
        if audio:
            await self._socket.send(audio)
            self._count(len(audio))

    async def _receive(self) -> None:
        try:
            async for message in self._socket:
                self._take(json.loads(message))
            self._fail(failed(_VENDOR, "ended the stream"))
        except ConnectionClosed as error:
            self._fail(_closed(error))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            self._fail(failed(_VENDOR, f"sent something that is not of its form ({type(error).__name__})"))

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "Results":
            self._take_results(message)
        elif kind == "UtteranceEnd":
            # A gap between words: it comes where noise keeps the vendor from hearing silence.
            if self._finals and not self._is_over:
                self._is_over = True
                self._on_heard(Heard("", final=True, turn_over=True))
        elif kind == "Error":
            self._fail(failed(_VENDOR, f"reports {str(message.get('description', 'an error'))[:200]}"))

    def _take_results(self, message: dict[str, Any]) -> None:
        text: str = message["channel"]["alternatives"][0]["transcript"].strip()
        is_final = message["is_final"] is True
        is_over = message.get("speech_final") is True and bool(text or self._finals)
        if is_final and text:
            self._finals.append(text)
        if text or is_over:
            self._is_over = is_over
        if message.get("from_finalize") is True and self._finalized is not None and not self._finalized.done():
            self._finalized.set_result(None)
        if text or is_over:
            self._on_heard(Heard(text, final=is_final, turn_over=is_over))

    def _fail(self, failure: ProviderError) -> None:
        self._failure = self._failure or failure
        if self._finalized is not None and not self._finalized.done():
            self._finalized.set_result(None)


def _closed(error: ConnectionClosed) -> ProviderError:
    # It closes with 1008 and `DATA-…` when it cannot use what it was sent, and with 1011 and `NET-…` otherwise.
    code = error.rcvd.code if error.rcvd is not None else 1006
    return failed(_VENDOR, f"closed the connection ({code})", permanent=code == 1008)
