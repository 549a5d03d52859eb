"""A phone call without a phone company: a caller whose phone plays, sends frames and answers marks in real time, and
stand-ins for ears, heads and mouths that do what the test tells them, slowly or wrongly if it says so.

What the phone plays is what the caller hears: every claim about hearing is made against it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from talktime.carriers.contract import Audio, Digit, MediaEvent, Played, Stopped
from talktime.errors import ProviderError
from talktime.speech.contract import Brief, CallTool, Entry, Heard, Hearing, Message, Moment, Say, Tool
from talktime.voice.audio import FRAME, SILENCE, padded, to_ulaw
from talktime.voice.conversation import Conversation, Engine, Providers
from talktime.voice.detector import EnergyDetector
from talktime.voice.greetings import GreetingCache
from talktime.voice.line import Line
from talktime.voice.pacer import Pacer
from talktime.voice.tools import Tools
from talktime.voice.turns import Ended, Turn, TurnSettings
from tests.voice.talk.loop import now

QUIET = SILENCE * FRAME
BRIEF = Brief(
    key="1",
    business="Harbour Bikes",
    language="en",
    voice="",
    greeting="Harbour Bikes, hello.",
    entries=(
        Entry("parking", ("Where can I park?", "Is there parking?"), "There is free parking behind the shop."),
        Entry("repairs", ("How long does a repair take?",), "A repair takes two days."),
    ),
)
MOMENT = Moment("monday", "Monday, 23 November 2026, 14:05", "We are open until six this evening.")
QUICK = TurnSettings(end_silence_ms=240, silence_seconds=1.0)


def voice(ms: int, hertz: float = 140.0) -> bytes:
    """Something that speaks: a pitch with overtones that wavers, in syllables, as µ-law."""
    seconds = np.arange(ms * 8) / 8000
    pitch = hertz * (1 + 0.04 * np.sin(2 * np.pi * 3 * seconds))
    phase = 2 * np.pi * np.cumsum(pitch) / 8000
    wave = sum(np.sin(phase * overtone) / overtone for overtone in range(1, 12))
    syllables = 0.35 + 0.65 * np.abs(np.sin(2 * np.pi * 2.2 * seconds + 0.6))
    return to_ulaw((np.asarray(wave) * syllables * 5000).astype("<i2").tobytes())


class PlainMedia:
    """The wire format of nobody: one JSON list per message."""

    def read(self, message: str | bytes) -> MediaEvent | None:
        return None

    def audio(self, ulaw: bytes) -> str:
        return json.dumps(["audio", ulaw.hex()])

    def mark(self, name: str) -> str:
        return json.dumps(["mark", name])

    def clear(self) -> str:
        return '["clear"]'


@dataclass(eq=False)
class Phone:
    """The caller, and the carrier between. Plays what it is sent after `lag_seconds`, in order, one frame in 20 ms."""

    lag_seconds: float = 0.0
    answers_marks: bool = True
    reads: bool = True
    script: "Script" = field(default_factory=lambda: Script())
    played: list[tuple[float, bytes]] = field(default_factory=list, repr=False)
    """Frames as they came out of the earpiece, with the time of each."""
    cleared_at: list[float] = field(default_factory=list)
    messages: int = 0
    bytes_sent: int = 0
    conversation: Conversation | None = None
    is_closed: bool = False
    _buffer: list[tuple[float, bytes | str]] = field(default_factory=list, repr=False)
    _ends_at: float = 0.0
    _to_say: list[tuple[bytes, str]] = field(default_factory=list)
    _said: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, message: str | bytes) -> bool:
        """Our side of the socket: what the line sends."""
        self.messages += 1
        if not self.reads:
            return self.messages < 40
        kind, *rest = json.loads(message)
        moment = now()
        if kind == "audio":
            ulaw = bytes.fromhex(rest[0])
            assert len(ulaw) % FRAME == 0
            self.bytes_sent += len(ulaw)
            for index in range(0, len(ulaw), FRAME):
                at = max(self._ends_at, moment + self.lag_seconds)
                self._ends_at = at + 0.02
                self._buffer.append((at, ulaw[index : index + FRAME]))
        elif kind == "mark":
            self._buffer.append((max(self._ends_at, moment + self.lag_seconds), rest[0]))
        else:
            self.cleared_at.append(moment)
            self._play(moment)
            marks = [what for _, what in self._buffer if isinstance(what, str)]
            self._buffer.clear()
            self._ends_at = moment
            for name in marks:
                asyncio.get_running_loop().call_soon(self._mark, name)
        return True

    def close(self) -> None:
        self.is_closed = True

    def tick(self) -> None:
        """Play and speak one frame's worth."""
        self._play(now())
        frame = QUIET
        if self._to_say:
            rest, words = self._to_say[0]
            frame, rest = rest[:FRAME], rest[FRAME:]
            self._to_say[0] = rest, words
            if rest:
                self.script.is_being_said(words, len(rest))
            else:
                self._to_say.pop(0)
                self.script.was_said(words)
                if not self._to_say:
                    self._said.set()
        assert self.conversation is not None
        self.conversation.receive(Audio(frame))

    def start_saying(self, words: str, ms: int = 400) -> None:
        """Speak; "" is a noise that nobody understands."""
        self._said.clear()
        self._to_say.append((padded(voice(ms)), words))

    async def say(self, words: str, ms: int = 400) -> float:
        """Speak to the end; when that was."""
        self.start_saying(words, ms)
        await self._said.wait()
        return now()

    def press(self, key: str) -> None:
        assert self.conversation is not None
        self.conversation.receive(Digit(key))

    def hang_up(self) -> None:
        assert self.conversation is not None
        self.conversation.receive(Stopped())

    def heard_after(self, at: float) -> list[float]:
        """When frames with a voice in them were played, from then on."""
        return [played for played, frame in self.played if played >= at and frame.count(0xFF) < FRAME // 2]

    async def hears(self, seconds_max: float = 3.0) -> float:
        """Wait until a voice is heard that was not heard before; when that was."""
        since = now()
        await until(lambda: bool(self.heard_after(since)), seconds_max)
        return self.heard_after(since)[0]

    def _play(self, until: float) -> None:
        while self._buffer and self._buffer[0][0] <= until:
            at, what = self._buffer.pop(0)
            if isinstance(what, bytes):
                self.played.append((at, what))
            else:
                self._mark(what)

    def _mark(self, name: str) -> None:
        if self.answers_marks and self.conversation is not None:
            self.conversation.receive(Played(name))


async def until(claim: Callable[[], bool], seconds_max: float = 3.0) -> None:
    """Wait until it is so."""
    deadline = now() + seconds_max
    while not claim():
        assert now() < deadline, "it did not become so in time"
        await asyncio.sleep(0.005)


@dataclass(eq=False)
class Script:
    """What the caller says, for ears that cannot really hear; `guesses` makes them tell words while they are said."""

    guesses: bool = False
    wants_silence: bool = False
    flush_error: Exception | None = None
    open_error: Exception | None = None
    turn_over: bool = False
    name: str = "script"
    opened: int = 0
    heard_bytes: int = 0
    _words: list[str] = field(default_factory=list)
    tell: Callable[[Heard], None] | None = None
    _guessed: str = ""

    async def prepare(self, brief: Brief) -> None:
        pass

    async def open(self, brief: Brief, on_heard: Callable[[Heard], None]) -> Hearing:
        if self.open_error is not None:
            raise self.open_error
        self.opened += 1
        self.tell = on_heard
        return self

    def hear(self, pcm: bytes) -> None:
        self.heard_bytes += len(pcm)

    async def flush(self) -> str:
        await asyncio.sleep(0)
        if self.flush_error is not None:
            error, self.flush_error = self.flush_error, None
            raise error
        words, self._words, self._guessed = self._words, [], ""
        return " ".join(filter(None, words))

    async def close(self) -> None:
        pass

    def is_being_said(self, words: str, left: int) -> None:
        if self.guesses and self.tell and words and words != self._guessed:
            self._guessed = words
            self.tell(Heard(words, final=False))

    def was_said(self, words: str) -> None:
        self._words.append(words)
        if self.turn_over and self.tell:
            self.tell(Heard(words, final=True, turn_over=True))


Piece = Say | CallTool | float | Exception


@dataclass(eq=False)
class Thoughts:
    """A model that answers by the book: one list for each time it is asked. A number is a pause in seconds."""

    answers: list[list[Piece]] = field(default_factory=list)
    name: str = "thoughts"
    asked: list[list[Message]] = field(default_factory=list)
    offered: list[tuple[str, ...]] = field(default_factory=list)
    closed: int = 0

    async def prepare(self, brief: Brief) -> None:
        pass

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Say | CallTool]:
        self.asked.append(list(messages))
        self.offered.append(tuple(tool.name for tool in tools))
        try:
            for piece in self.answers.pop(0) if self.answers else [Say("All right then.")]:
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                elif isinstance(piece, Exception):
                    raise piece
                else:
                    yield piece
        finally:
            self.closed += 1


@dataclass(eq=False)
class Tones:
    """A voice of tones: 80 letters a second, in pieces of odd lengths."""

    letters_per_second: float = 80.0
    wait_seconds: float = 0.0
    fails_after: int | None = None
    """Bytes of PCM, of the first sentence that is long enough."""
    dead: bool = False
    fault: Exception | None = None
    hertz: float = 200.0
    name: str = "tones"
    spoken: list[str] = field(default_factory=list)

    async def prepare(self, brief: Brief) -> None:
        pass

    async def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        self.spoken.append(text)
        await asyncio.sleep(self.wait_seconds)
        if self.fault is not None:
            raise self.fault
        if self.dead:
            raise ProviderError("no voice today")
        ms = max(round(len(text) / self.letters_per_second * 1000), 40)
        seconds = np.arange(ms * 8) / 8000
        pcm = (np.sin(2 * np.pi * self.hertz * seconds) * 6000).astype("<i2").tobytes()
        if self.fails_after is not None and len(pcm) > self.fails_after:
            yield pcm[: self.fails_after]
            self.fails_after = None
            raise ProviderError("cut off")
        for index in range(0, len(pcm), 1601):
            yield pcm[index : index + 1601]


@dataclass(eq=False)
class Notes:
    """A journal in memory."""

    turns: list[Turn] = field(default_factory=list)

    def turn(self, turn: Turn) -> None:
        assert turn.turn_no == len(self.turns) + 1
        self.turns.append(turn)

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(turn.speaker, turn.text) for turn in self.turns]


class Stage:
    """Runs calls, all on one engine, with one clock for all phones."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Engine(EnergyDetector(), Pacer(), GreetingCache())
        self.phones: list[Phone] = []
        self.lateness: list[float] = []
        self._runs: list[asyncio.Task[Ended]] = []
        self._clock: asyncio.Task[None] | None = None

    def call(
        self,
        *,
        phone: Phone | None = None,
        answers: list[list[Piece]] | None = None,
        thinkers: Sequence[Thoughts] | None = None,
        speakers: Sequence[Tones] | None = None,
        transcribers: Sequence[Script] | None = None,
        settings: TurnSettings = QUICK,
        tools: Tools | None = None,
        brief: Brief = BRIEF,
        notes: Notes | None = None,
    ) -> "Call":
        """Answer a call; it is running when this returns."""
        phone = phone or Phone()
        thoughts = list(thinkers) if thinkers is not None else [Thoughts(answers or [])]
        mouths = list(speakers) if speakers is not None else [Tones()]
        notes = notes or Notes()
        line = Line(PlainMedia(), phone.send, phone.close, now)
        conversation = Conversation(
            line,
            Providers(list(transcribers) if transcribers is not None else [phone.script], thoughts, mouths),
            brief,
            lambda: MOMENT,
            call_key="call",
            engine=self.engine,
            settings=settings,
            tools=tools or Tools(),
            journal=notes,
        )
        phone.conversation = conversation
        run = asyncio.get_running_loop().create_task(conversation.run())
        self._runs.append(run)
        self.phones.append(phone)
        if self._clock is None:
            self._clock = asyncio.get_running_loop().create_task(self._tick())
        return Call(phone, conversation, thoughts, mouths, notes, run, now())

    async def _tick(self) -> None:
        """20 ms for every phone, by deadline."""
        due = now()
        while True:
            due += 0.02
            await asyncio.sleep(max(due - now(), 0))
            self.lateness.append(now() - due)
            for phone in self.phones:
                phone.tick()

    async def close(self) -> None:
        """End every call that still runs, and see that nothing of it is left."""
        for phone in self.phones:
            assert phone.conversation is not None
            phone.conversation.end("test_over")
        await asyncio.wait_for(asyncio.gather(*self._runs), 10)
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)


@dataclass(eq=False)
class Call:
    """A call on the stage."""

    phone: Phone
    conversation: Conversation
    thinkers: list[Thoughts]
    speakers: list[Tones]
    notes: Notes
    run: "asyncio.Task[Ended]"
    answered_at: float

    @property
    def thinker(self) -> Thoughts:
        return self.thinkers[0]

    async def ended(self, seconds_max: float = 8.0) -> Ended:
        return await asyncio.wait_for(asyncio.shield(self.run), seconds_max)

    async def turns(self, count: int, seconds_max: float = 4.0) -> list[Turn]:
        """Wait until so many turns were written down."""
        await until(lambda: len(self.notes.turns) >= count, seconds_max)
        return self.notes.turns

    async def greeted(self) -> None:
        await self.turns(1)


def with_greeting(text: str) -> Brief:
    return replace(BRIEF, greeting=text, key=f"greeting {text}")
