"""What the caller really hears: the agent's audio, played out by the clock.

Audio arrives in any size and at any speed and is played one frame of 20 ms after the other; marks are passed when all
before them was played. Pure: time comes in with every call, happenings come out. The one rule: nothing is heard before
its time, however early it arrived.
"""

from collections import deque
from dataclasses import dataclass

from talktime.simulate.sound import FRAME, RATE, is_loud

PAUSE_SECONDS = 0.3
"""Silence from which the agent's speech counts as ended; within a sentence it is shorter."""
BUFFER_MAX = RATE * 1200
CAPTURE_MAX = RATE * 600


@dataclass(frozen=True, slots=True)
class Began:
    """The agent began to be heard."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The agent fell silent at `at`; known only a pause later."""

    began: float
    at: float
    ulaw: bytes
    """What was heard, if audio is captured."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A mark was reached."""

    name: str
    at: float


Happening = Began | Ended | Passed


class Playout:
    """The play-out buffer of one call. Times are seconds of any steady clock."""

    def __init__(self, *, capture: bool = False) -> None:
        self._pending = bytearray()
        self._marks: deque[tuple[int, str]] = deque()
        self._received = 0
        self._head = 0.0
        """When the first pending byte is due."""
        self._capture = capture
        self._captured = bytearray()
        self.talking = False
        self.began = 0.0
        self.voiced_until: float | None = None
        """When the last loud frame ended; None when there was none yet."""

    @property
    def pending_seconds(self) -> float:
        return len(self._pending) / RATE

    def receive(self, now: float, ulaw: bytes) -> bool:
        """Take audio. False when the buffer is full and the audio was not taken."""
        if len(self._pending) + len(ulaw) > BUFFER_MAX:
            return False
        if not self._pending:
            self._head = max(self._head, now)
        self._pending += ulaw
        self._received += len(ulaw)
        return True

    def mark(self, name: str) -> None:
        """Remember to tell when everything so far was played."""
        self._marks.append((self._received, name))

    def clear(self, now: float) -> list[Passed]:
        """Throw away what was not yet played; the marks in it are passed at once."""
        self._received -= len(self._pending)
        self._pending.clear()
        passed = [Passed(name, now) for _, name in self._marks]
        self._marks.clear()
        return passed

    def advance(self, now: float) -> list[Happening]:
        """Play everything that is due."""
        happenings: list[Happening] = []
        while self._pending:
            piece = bytes(self._pending[:FRAME])
            end = self._head + len(piece) / RATE
            if end > now:
                break
            del self._pending[:FRAME]
            self._hear(piece, self._head, end, happenings)
            self._head = end
        if not self._pending and self.talking:
            self._fall_silent(now, happenings)
        played = self._received - len(self._pending)
        while self._marks and self._marks[0][0] <= played:
            happenings.append(Passed(self._marks.popleft()[1], now))
        return happenings

    def finish(self, now: float) -> list[Happening]:
        """The line is gone: what was not yet played will never be heard."""
        happenings = self.advance(now)
        if self.talking:
            self._fall_silent(now + PAUSE_SECONDS, happenings)
        return happenings

    def silent_seconds(self, now: float) -> float:
        """How long nothing loud has been heard, by what was played so far; 0 while nothing ever was."""
        if self.voiced_until is None:
            return 0.0
        return max(0.0, (self._head if self._pending else now) - self.voiced_until)

    def _hear(self, piece: bytes, start: float, end: float, happenings: list[Happening]) -> None:
        loud = is_loud(piece)
        if loud:
            if self.talking and self.voiced_until is not None and start - self.voiced_until >= PAUSE_SECONDS:
                self._fall_silent(start, happenings)
            if not self.talking:
                self.talking, self.began = True, start
                happenings.append(Began(start))
            self.voiced_until = end
        elif self.talking:
            self._fall_silent(end, happenings)
        if self._capture and self.talking and len(self._captured) < CAPTURE_MAX:
            self._captured += piece

    def _fall_silent(self, now: float, happenings: list[Happening]) -> None:
        """End the stretch of speech if its last loud frame is a pause ago."""
        assert self.voiced_until is not None
        if now - self.voiced_until >= PAUSE_SECONDS:
            self.talking = False
            happenings.append(Ended(self.began, self.voiced_until, bytes(self._captured)))
            self._captured.clear()
