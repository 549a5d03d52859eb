"""The browser as a carrier: what its page and we say to each other on the socket of a call that somebody makes to their
own agent.

Sound travels in binary messages, µ-law of 8,000 samples a second: 20 ms (160 bytes) a message from the browser, whole
frames to it. Everything else is a JSON object with an `event`:

    from the browser                                     to the browser
    start   call_id, user, call, token: first of all     mark      name: say `played` once all before it was played
    said    text: a line that was typed                  clear     throw away what is not played yet, and its marks
    played  name: all before this mark was played        heard     text: what the caller is understood to have said
    here    typing: there, and with no sound to send     saying    text: the agent begins this sentence
    key     digit                                        turn      no, speaker, text, interrupted: said, and heard
    stop    hang up                                      meter     seconds, credits: what the call costs so far
                                                         ended     reason, seconds, credits: it is over, and settled

The one rule: this socket belongs to our own script, so whatever our script would not send (another form, more than a
voice needs) hangs up. Nothing is warned about and nothing is queued.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from talktime.carriers.contract import (
    Answer,
    Audio,
    BadMessage,
    BadSignature,
    Digit,
    Forward,
    Forwarded,
    Leg,
    MediaEvent,
    Played,
    Present,
    Reply,
    Report,
    Request,
    Ring,
    Started,
    Stopped,
    Typed,
)
from talktime.errors import ProviderError

NAME: Final = "browser"
TYPED_MAX: Final = 500
"""Characters of one typed line."""
TEXT_MAX: Final = 4096
"""Characters of a JSON message; a typed line may be written as six for each."""
AUDIO_MAX: Final = 1600
"""Bytes of a message of sound: 200 ms. The page sends 20."""
_DIGITS = frozenset("0123456789*#")


class Allowance:
    """How much may come: so much at once, and so much a second from then on."""

    def __init__(self, most: float, per_second: float, clock: Callable[[], float]) -> None:
        self._most, self._per_second, self._clock = most, per_second, clock
        self._left, self._at = most, clock()

    def takes(self, amount: float) -> bool:
        """Whether there is room for this, which is then gone."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_second) - amount
        self._at = now
        return self._left >= 0


class BrowserMedia:
    """One call's socket. After the start nothing raises: what is not of the form above is a `Stopped`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._is_started = False
        self._is_stopped = False
        # A page that was frozen for some seconds sends what it could not send meanwhile.
        self._messages = Allowance(600, 80, clock)
        self._bytes = Allowance(96_000, 12_000, clock)
        self._lines = Allowance(20, 1, clock)

    def read(self, message: str | bytes) -> MediaEvent | None:
        """One message of the browser's; None once it has stopped. Raises BadMessage where the first is no start."""
        if not self._is_started:
            return self._read_start(message)
        if self._is_stopped:
            return None
        event = self._read(message) if self._messages.takes(1) and self._bytes.takes(len(message)) else None
        if event is None or isinstance(event, Stopped):
            self._is_stopped = True
            return Stopped()
        return event

    def audio(self, ulaw: bytes) -> bytes:
        """The message that plays µ-law audio."""
        return ulaw

    def mark(self, name: str) -> str:
        """The message that asks to be told when everything so far was played."""
        return _message("mark", name=name)

    def clear(self) -> str:
        """The message that throws away what was not yet played."""
        return _message("clear")

    def _read_start(self, message: str | bytes) -> Started:
        said = _object(message) if isinstance(message, str) else None
        if said is None or said.get("event") != "start":
            raise BadMessage("the first message is not the start")
        names = ("call_id", "user", "call", "token")
        values = {name: said.get(name) for name in names}
        if not all(isinstance(value, str) and 0 < len(value) <= 200 for value in values.values()):
            raise BadMessage("a start message without its contents")
        self._is_started = True
        parameters = {name: str(values[name]) for name in names[1:]}
        return Started(account="", call_id=str(values["call_id"]), stream_id=NAME, parameters=parameters)

    def _read(self, message: str | bytes) -> MediaEvent | None:
        if isinstance(message, bytes):
            return Audio(message) if 0 < len(message) <= AUDIO_MAX else None
        said = _object(message) or {}
        match said:
            case {"event": "played", "name": str(name)} if len(name) <= 40:
                return Played(name)
            case {"event": "here"}:
                return Present(is_typing=said.get("typing") is True)
            case {"event": "said", "text": str(text)} if len(text) <= TYPED_MAX and self._lines.takes(1):
                # Only blanks: somebody is there, and has said nothing.
                return Typed(" ".join(text.split())) if text.strip() else Present()
            case {"event": "key", "digit": str(digit)} if digit in _DIGITS:
                return Digit(digit)
        return None


class Browser:
    """What is asked of every carrier, of one that nobody rings, whose calls end with their socket, and which has no
    lines to ring a person on. It is none of those that numbers may be of."""

    name = NAME

    def verify(self, _request: Request) -> None:
        """Nothing is signed: who opens the socket is known by their session."""
        raise BadSignature

    def read_ring(self, _request: Request) -> Ring:
        """No browser rings."""
        raise BadMessage("a browser does not ring")

    def read_report(self, _request: Request) -> Report:
        """No browser reports."""
        raise BadMessage("a browser does not report")

    def read_forwarded(self, _request: Request) -> Forwarded:
        """Nobody is put through from a browser."""
        raise BadMessage("a browser forwards nobody")

    def reply(self, answer: Answer) -> Reply:
        """A ring that never is gets no answer."""
        raise AssertionError(answer)

    def media(self) -> BrowserMedia:
        """A translator for one socket."""
        return BrowserMedia()

    async def hang_up(self, _call_id: str) -> None:
        """The call is over when its socket closes, which its owner does."""

    async def limit(self, _call_id: str, _seconds: int) -> None:
        """No line outlives us, so none needs a limit of its own."""

    async def forward(self, _call_id: str, _forward: Forward, _limit_seconds: int) -> None:
        """Refuses: there is no line on which a person could be rung."""
        raise ProviderError("nobody can be rung from a browser", permanent=True)

    async def look_up(self, _call_id: str) -> Leg | None:
        """Nobody but us knows of the call."""
        return None

    async def forwarded_to(self, _call_id: str) -> Sequence[Leg]:
        """Nobody was."""
        return ()

    async def close(self) -> None:
        """There is nothing to let go of."""


def start(call_id: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """What the browser is to say first."""
    return {"event": "start", "call_id": call_id, **parameters}


def heard(text: str) -> str:
    """These words of the caller's were understood, and are being answered."""
    return _message("heard", text=text)


def saying(text: str) -> str:
    """The agent begins a sentence."""
    return _message("saying", text=text)


def turn(turn_no: int, speaker: str, text: str, *, interrupted: bool) -> str:
    """One side's stretch of speech, as it was heard."""
    return _message("turn", no=turn_no, speaker=speaker, text=text, interrupted=interrupted)


def meter(seconds: int, credits: int) -> str:
    """What the call costs so far."""
    return _message("meter", seconds=seconds, credits=credits)


def ended(reason: str, seconds: int | None, credits: int | None) -> str:
    """The call is over; without figures where it is not settled yet."""
    return _message("ended", reason=reason, seconds=seconds, credits=credits)


def _message(event: str, **rest: object) -> str:
    return orjson.dumps({"event": event, **rest}).decode()


def _object(message: str) -> dict[str, Any] | None:
    if len(message) > TEXT_MAX:
        return None
    try:
        said = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None
