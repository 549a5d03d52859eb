"""One media stream, on the phone company's side: Twilio's Media Streams over a web socket.

The caller's frames leave every 20 ms whether anybody speaks or not; the agent's audio is played out by the clock; marks
are echoed when they are reached. The one rule: what our server sends is read as strictly as Twilio reads it, and every
departure becomes an `error` event.
"""

import asyncio
import binascii
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson
from websockets.exceptions import InvalidHandshake

from talktime.simulate.orders import Faults
from talktime.simulate.pacer import Pacer
from talktime.simulate.playout import Began, Ended, Happening, Passed, Playout
from talktime.simulate.socket import Socket
from talktime.simulate.sound import SILENCE, frames_of, is_loud

Emit = Callable[..., None]
"""`emit(event, at=None, **facts)`; `at` is `time.monotonic()`, now when not given."""

_GARBAGE: tuple[str | bytes, ...] = (
    "{", "null", "[]", '"media"', "{}", '{"event":7}', '{"event":"mystery","streamSid":"MZ"}',
    '{"event":"media"}', '{"event":"media","media":{"payload":"***"}}', '{"event":"mark","mark":[]}', b"\xff\x00\xfe",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opening:
    """What a stream is opened with."""

    url: str
    signature: str
    account: str
    call_sid: str
    parameters: Mapping[str, str]


@dataclass
class _Utterance:
    """Something the caller is saying."""

    frames: list[bytes]
    voiced: int
    """How many frames there are up to the last loud one."""
    text: str
    done: asyncio.Future[None]
    interrupts: bool
    sent: int = 0
    began: float = 0.0


class Stream:
    """A stream that is open. Times are `time.monotonic()`."""

    def __init__(self, opening: Opening, faults: Faults, emit: Emit, *, capture: bool = False) -> None:
        self._opening = opening
        self._faults = faults
        self._emit = emit
        self._playout = Playout(capture=capture)
        self._socket = cast("Socket", None)  # `open` sets it before anybody has the stream
        self._pacer = cast("Pacer", None)
        self._sid = "MZ" + secrets.token_hex(16)
        self._sequence = 0
        self._chunk = 0
        self._random = random.Random(opening.call_sid)  # frames are lost by the same pattern at every try
        self._utterance: _Utterance | None = None
        self._waiting: tuple[Callable[[float], bool], asyncio.Future[None]] | None = None
        self._stopped = False
        self._told_close = False
        self.spoke_until: float | None = None
        """When the caller's last loud frame left; None when the agent has spoken since, or nobody has."""
        self._interrupted_at: float | None = None
        self._listening_since = 0.0
        """The agent's audio counts as an answer to the caller only when it is heard after this."""
        self.answer_ms: list[int] = []
        self.frames_sent = 0
        self.messages_received = 0

    @classmethod
    async def open(
        cls, opening: Opening, pacer: Pacer, faults: Faults, emit: Emit, *, capture: bool = False
    ) -> "Stream":
        """Connect, say who calls, and start sending. Raises OSError, TimeoutError or InvalidHandshake."""
        if faults.wrong_parameters:
            changed = {name: value[::-1] + "x" for name, value in opening.parameters.items()}
            opening = replace(opening, parameters=changed)
        stream = cls(opening, faults, emit, capture=capture)
        stream._pacer = pacer
        stream._socket = await Socket.connect(
            opening.url,
            {"X-Twilio-Signature": opening.signature, "User-Agent": "TwilioProxy/1.1"},
            stream._receive,
            narrow=faults.stops_reading_after_seconds is not None,
        )
        stream._send({"event": "connected", "protocol": "Call", "version": "1.0.0"}, numbered=False)
        stream._send({"event": "start", "start": stream._start_facts()})
        emit("stream_opened", stream_sid=stream._sid)
        return stream

    async def run(self) -> None:
        """Carry audio until the socket is closed, by whichever side."""
        beat = self._pacer.start(self._tick)
        try:
            if self._faults.garbage:
                for message in _GARBAGE:
                    self._socket.send(message)
                self._emit("garbage_sent", count=len(_GARBAGE))
            ends: tuple[asyncio.Future[Any], ...] = (beat.failed, self._socket.closed)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if beat.failed.done():
                beat.failed.result()
        finally:
            beat.stop()
            self._tell(self._playout.finish(time.monotonic()))

    async def stop(self) -> None:
        """The call is over: say so, and close. Can be called twice."""
        if not self._stopped and self._socket.is_open:
            self._send(
                {"event": "stop", "stop": {"accountSid": self._opening.account, "callSid": self._opening.call_sid}}
            )
        await self.close()

    async def close(self) -> None:
        """Close, if nobody has, without a stop message."""
        self._stopped = True
        await self._socket.close()
        if not self._told_close:
            self._told_close = True
            self._emit("stream_closed", code=self._socket.closed.result())

    def abort(self) -> None:
        """The connection breaks."""
        self._stopped = True
        self._socket.abort()

    def stop_reading(self) -> None:
        """Leave what the server sends unread."""
        self._socket.stop_reading()

    # What the caller does.

    async def say(self, ulaw: bytes, text: str, *, interrupts: bool = False) -> None:
        """Speak; returns when the last frame has left."""
        assert self._utterance is None, "one caller, one voice"
        frames = frames_of(ulaw)
        voiced = max((number for number, frame in enumerate(frames, 1) if is_loud(frame)), default=0)
        done = asyncio.get_running_loop().create_future()
        self._utterance = _Utterance(frames, voiced, text, done, interrupts)
        await done

    async def press(self, digits: str) -> None:
        """Press keys, one every 100 ms."""
        for digit in digits:
            self._send({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": digit}})
            self._emit("digit", digit=digit)
            await asyncio.sleep(0.1)

    async def agent_finished(self, silence_seconds: float) -> None:
        """Wait until the agent has been heard since the caller last spoke, and silent for so long since."""

        def finished(now: float) -> bool:
            until = self._playout.voiced_until
            answered = until is not None and until > self._listening_since
            return answered and self._playout.silent_seconds(now) >= silence_seconds

        await self._until(finished)
        self._listening_since = time.monotonic()

    async def agent_silent(self, seconds: float) -> None:
        """Wait until nothing has been heard of the agent for so long; at once when it never spoke."""
        await self._until(lambda now: not self._playout.talking or self._playout.silent_seconds(now) >= seconds)

    async def agent_talks_for(self, seconds: float) -> None:
        """Wait until the agent has been talking for so long."""
        await self._until(lambda now: self._playout.talking and now - self._playout.began >= seconds)

    def listen(self) -> None:
        """From now on the agent's audio counts as an answer."""
        self._listening_since = time.monotonic()

    async def _until(self, claim: Callable[[float], bool]) -> None:
        assert self._waiting is None, "one caller waits for one thing"
        met = asyncio.get_running_loop().create_future()
        self._waiting = (claim, met)
        try:
            await met
        finally:
            self._waiting = None

    # The clock.

    def _tick(self, now: float) -> None:
        self._tell(self._playout.advance(now))
        self._send_frame(now)
        if self._waiting is not None and not self._waiting[1].done() and self._waiting[0](now):
            self._waiting[1].set_result(None)

    def _send_frame(self, now: float) -> None:
        frame = SILENCE
        utterance = self._utterance
        if utterance is not None:
            frame = utterance.frames[utterance.sent] if utterance.frames else SILENCE
            self._follow(utterance, now)
        self._chunk += 1
        if self._faults.frames_lost and self._random.random() < self._faults.frames_lost:
            return
        payload = binascii.b2a_base64(frame, newline=False).decode("ascii")
        self._sequence += 1
        self._socket.send(
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound","chunk":"{self._chunk}",'
            f'"timestamp":"{self._chunk * 20}","payload":"{payload}"}},"streamSid":"{self._sid}"}}'
        )
        self.frames_sent += 1

    def _follow(self, utterance: _Utterance, now: float) -> None:
        """Note how far the caller has got; called with each frame of theirs."""
        if utterance.sent == 0:
            utterance.began = now
            self._emit("caller_says", text=utterance.text, at=now)
            if utterance.interrupts:
                self._interrupted_at = now
        utterance.sent += 1
        if utterance.sent == utterance.voiced:
            self.spoke_until = self._listening_since = now
            self._emit("caller_spoke_until", at=now)
        if utterance.sent >= len(utterance.frames):
            self._utterance = None
            if not utterance.done.done():
                utterance.done.set_result(None)

    def _tell(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            match happening:
                case Began():
                    facts: dict[str, Any] = {}
                    if self.spoke_until is not None and happening.at > self.spoke_until:
                        facts["answer_ms"] = round((happening.at - self.spoke_until) * 1000)
                        self.answer_ms.append(facts["answer_ms"])
                        self.spoke_until = None
                    self._emit("agent_audio_begins", at=happening.at, **facts)
                case Ended():
                    facts = {"seconds": round(happening.at - happening.began, 3)}
                    if self._interrupted_at is not None and happening.at > self._interrupted_at:
                        facts["stopped_after_ms"] = round((happening.at - self._interrupted_at) * 1000)
                        self._interrupted_at = None
                    if happening.ulaw:
                        facts["ulaw"] = binascii.b2a_base64(happening.ulaw, newline=False).decode("ascii")
                    self._emit("agent_audio_ends", at=happening.at, **facts)
                case Passed():
                    self._echo(happening)

    def _echo(self, passed: Passed) -> None:
        if self._faults.marks_lost:
            self._emit("mark_lost", name=passed.name)
            return
        self._send({"event": "mark", "mark": {"name": passed.name}})
        self._emit("mark", at=passed.at, name=passed.name)

    # What our server sends.

    def _receive(self, message: bytes) -> None:
        now = time.monotonic()
        self.messages_received += 1
        try:
            said = orjson.loads(message)
            event = said["event"]
            if said["streamSid"] != self._sid:
                raise ValueError("a message for another stream")
            if event == "media":
                self._hear(now, said["media"]["payload"])
            elif event == "mark":
                self._playout.mark(_name(said["mark"]["name"]))
                self._tell(self._playout.advance(now))
            elif event == "clear":
                self._clear(now)
            else:
                raise ValueError("an event that no stream takes")
        except (ValueError, KeyError, TypeError) as error:
            # Twilio's error 31951, "Stream - Protocol - Invalid Message".
            self._emit("error", what="stream", code=31951, message=f"{type(error).__name__}: {error}"[:200])

    def _hear(self, now: float, payload: str) -> None:
        ulaw = binascii.a2b_base64(payload, strict_mode=True)
        if ulaw[:4] == b"RIFF":
            raise ValueError("audio with a WAV header")
        self._tell(self._playout.advance(now))
        if not self._playout.receive(now, ulaw):
            raise ValueError("more audio than the carrier keeps")

    def _clear(self, now: float) -> None:
        self._tell(self._playout.advance(now))
        flushed = self._playout.pending_seconds
        passed = self._playout.clear(now)
        self._emit("agent_interrupted", at=now, flushed_ms=round(flushed * 1000))
        # What was heard of a sentence that was broken off is no answer to what interrupted it.
        self._listening_since = max(self._listening_since, now)
        self._tell(list(passed))

    def _start_facts(self) -> dict[str, Any]:
        return {
            "accountSid": self._opening.account,
            "streamSid": self._sid,
            "callSid": self._opening.call_sid,
            "tracks": ["inbound"],
            "customParameters": dict(self._opening.parameters),
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        }

    def _send(self, message: dict[str, Any], *, numbered: bool = True) -> None:
        if numbered:
            self._sequence += 1
            message = {**message, "sequenceNumber": str(self._sequence), "streamSid": self._sid}
        self._socket.send(orjson.dumps(message).decode())


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a mark's name that is not text")
    return value


async def second_socket(opening: Opening, emit: Emit) -> None:
    """Open another socket with the same start message, and tell what becomes of it within some seconds."""
    stream = Stream(opening, Faults(), lambda *_args, **_facts: None)
    try:
        socket = await Socket.connect(opening.url, {"X-Twilio-Signature": opening.signature}, stream._receive)
    except (OSError, TimeoutError, InvalidHandshake) as error:
        emit("second_socket", refused=True, message=str(error))
        return
    stream._socket = socket
    try:
        stream._send({"event": "connected", "protocol": "Call", "version": "1.0.0"}, numbered=False)
        stream._send({"event": "start", "start": stream._start_facts()})
        code = await _code_within(socket.closed, seconds=5.0)
        emit("second_socket", refused=code is not None, code=code, messages=stream.messages_received)
    finally:
        await socket.close()


async def _code_within(closed: Awaitable[int | None], seconds: float) -> int | None:
    """The code of a close that comes in time, 1006 for one without; None when it does not come."""
    try:
        code = await asyncio.wait_for(asyncio.shield(closed), seconds)
    except TimeoutError:
        return None
    return code or 1006
